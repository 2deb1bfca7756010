# shellcheck shell=bash
# What every rollback procedure shares: steps with a time each, an undo when one fails, a report and a
# bundle. Sourced; the sourcing script defines its steps and calls `procedure NAME "$@"` first.
#
# A step is a function, run in a subshell. It fails by its exit status or by `fail TEXT`. What it has to
# say for the report it says with `note KEY JSON`. Before a step whose effect must not stay when a
# later one fails the script says how to take it back: `undo FUNCTION`. Every step can be run again: a
# procedure that was killed anywhere is simply run again.

set -euo pipefail

rollback_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
project_root=$(cd "$rollback_dir/../.." && pwd)
common_usage='
Common options:
  --state-dir=DIR   of the service (default: as the service itself finds it)
  --report=FILE     where the report goes (default: DIR/reports/NAME-TIME.json)
  --no-bundle       without the .tar.gz for the analysis afterwards
  --reason=TEXT     for the journal and the alert
  --dry-run         says what would be done
  -h, --help

Exit status: 0 done, 1 a step failed and what could be undone is undone, 2 usage.'

say() { printf '%s: %s\n' "$procedure_name" "$*" >&2; }
usage_error() {
  say "$*; see --help"
  exit 2
}

# The program's path: an override for tests and packages, what is built, what is installed.
program() {
  local name=$1 override=$2 candidate
  for candidate in "$override" "$project_root/build/release/bin/$name" "$project_root/build/dev/bin/$name" \
    "$(command -v "$name" || true)"; do
    if [[ -n $candidate && -x $candidate ]]; then
      printf '%s' "$candidate"
      return
    fi
  done
  say "there is no $name; build it (./dev build release) or install it"
  exit 1
}
ctl() { "$control" ${state_dir:+"--state-dir=$state_dir"} --json "$@"; }
api() { ctl api "$@"; }

# procedure NAME SUMMARY ARGUMENTS...: reads the common options; the others are left in `arguments`.
procedure() {
  procedure_name=$1 procedure_summary=$2
  shift 2
  state_dir="" report_file="" reason="$procedure_name" dry_run=0 with_bundle=1 arguments=()
  local argument
  for argument in "$@"; do
    case $argument in
      --state-dir=*) state_dir=${argument#*=} ;;
      --report=*) report_file=${argument#*=} ;;
      --reason=*) reason=${argument#*=} ;;
      --dry-run) dry_run=1 ;;
      --no-bundle) with_bundle=0 ;;
      -h | --help)
        printf 'Usage: %s [OPTIONS]\n\n%s\n%s\n' "$procedure_name" "$procedure_summary" "$common_usage"
        exit 0
        ;;
      *) arguments+=("$argument") ;;
    esac
  done
  local needed
  for needed in jq flock tar; do
    command -v "$needed" >/dev/null || {
      say "needs $needed (Debian package ${needed/flock/util-linux})"
      exit 1
    }
  done
  control=$(program terminal-ctl "${DEV_CTL:-}")
  service_program=$(program terminal-service "${DEV_SERVICE:-}")
  [[ -n $state_dir ]] || state_dir=$("$service_program" --print-state-dir) || exit 1
  [[ -d $state_dir ]] || {
    say "no state directory $state_dir; name it with --state-dir"
    exit 1
  }
  begin_report
}

begin_report() {
  local stamp
  stamp=$(date -u +%Y%m%dT%H%M%SZ)
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/terminal-rollback.XXXXXX")
  undos=() failure="" began=$(now_ms)
  trap 'finish $?' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  if ((!dry_run)); then
    exec {procedure_lock}>"$state_dir/procedure.lock"
    # What a killed procedure was in the middle of may go on for a moment, with its lock.
    flock -w 10 "$procedure_lock" || {
      failure="another procedure runs on $state_dir (its lock is procedure.lock); wait for it"
      say "$failure"
      exit 1
    }
  fi
  [[ -n $report_file ]] || report_file=$state_dir/reports/$procedure_name-$stamp.json
  bundle_file=${report_file%.json}.tar.gz
  export TERMINAL_PROCEDURE_PID=$$  # For whoever is called by a step and wants to know by whom.
  jq -n --arg name "$procedure_name" --arg reason "$reason" --arg at "$(iso_now)" \
    --arg host "$(uname -n)" --arg who "${SUDO_USER:-${USER:-$(id -un)}}" \
    '{procedure: $name, reason: $reason, who: $who, host: $host, started: $at, steps: [], undone: []}' \
    >"$scratch/report.json"
}

now_ms() {
  local us=${EPOCHREALTIME/[.,]/}
  printf '%s' "${us%???}"
}
iso_now() { date -u +%Y-%m-%dT%H:%M:%S.%3NZ; }

# announce PHASE ETA IMPACT: to the webhook, if there is one; never waited for.
announce() {
  ((dry_run)) && return
  in_report --arg eta "$2" --arg impact "$3" '. + {eta: $eta, impact: $impact}'
  tell_webhook "$1 begins" "$2" "$3"
}
tell_webhook() {
  [[ -n ${SLACK_WEBHOOK:-} ]] || return 0
  # From a file: an argument would show the address to every user of the machine.
  jq -n --arg text "$procedure_name on $(uname -n): $1" --arg phase "$procedure_name" --arg reason "$reason" \
    --arg eta "$2" --arg impact "$3" \
    '{text: $text, attachments: [{fields: [{title: "Phase", value: $phase}, {title: "Reason", value: $reason},
       {title: "ETA", value: $eta}, {title: "Impact", value: $impact}]}]}' |
    SLACK_WEBHOOK=$SLACK_WEBHOOK bash -c 'exec curl -fsS --max-time 10 --retry 5 --retry-all-errors -o /dev/null \
      -H "Content-Type: application/json" --data-binary @- --config <(printf "url = \"%s\"\n" "$SLACK_WEBHOOK")' \
      >/dev/null 2>&1 {procedure_lock}>&- &
}

# note KEY JSON: into the report of the step that runs.
note() {
  jq --arg key "$1" --argjson value "$2" '.[$key] = $value' "$scratch/step.json" >"$scratch/step.new"
  mv "$scratch/step.new" "$scratch/step.json"
}
# note_from FILE FILTER: the object that the filter makes of it.
note_from() {
  jq --slurpfile from "$1" '. + ($from[0] // {} | '"$2"')' "$scratch/step.json" >"$scratch/step.new"
  mv "$scratch/step.new" "$scratch/step.json"
}
fail() {
  printf '%s\n' "$*" >"$scratch/failure"
  return 1
}
undo() { undos=("$1" "${undos[@]}"); }

in_report() {
  jq "$@" "$scratch/report.json" >"$scratch/report.new" && mv "$scratch/report.new" "$scratch/report.json"
}

# step NAME FUNCTION [ARGUMENTS]: runs it, timed; the first that fails ends the procedure.
step() {
  local name=$1 begun status=0
  shift
  if ((dry_run)); then
    printf 'would: %s\n' "$name"
    return
  fi
  printf '{}' >"$scratch/step.json"
  rm -f "$scratch/failure"
  begun=$(now_ms)
  # Not in a condition: there errexit would be off inside of the function.
  set +e
  (
    trap - EXIT INT TERM HUP
    set -e
    "$@"
  ) >>"$scratch/log" 2>&1
  status=$?
  set -e
  local took=$(($(now_ms) - begun)) text=""
  if ((status != 0)); then
    text="ended with status $status"
    [[ ! -s $scratch/failure ]] || text=$(<"$scratch/failure")
  fi
  in_report --arg name "$name" --argjson ms "$took" --arg error "$text" --slurpfile said "$scratch/step.json" \
    '.steps += [{name: $name, ok: ($error == ""), duration_ms: $ms} + $said[0] + (if $error == "" then {} else {error: $error} end)]'
  if ((status != 0)); then
    failure="$name: $text"
    tail -n 3 "$scratch/log" >&2 || true
    say "FAILED $failure"
    exit 1
  fi
  say "ok $name (${took} ms)"
}

# steps_of COMMAND...: a program that does several steps by itself, says them on stderr, and prints
# {steps, failure} like our report; with --dry-run it only names them.
steps_of() {
  local status=0
  if ((dry_run)); then
    "$@" --dry-run
    return
  fi
  "$@" >"$scratch/steps.json" || status=$?
  in_report --slurpfile said "$scratch/steps.json" '.steps += ($said[0].steps // [])' || true
  ((status == 0)) && return
  failure=$(jq -r '.failure // .error // empty' "$scratch/steps.json" 2>/dev/null || true)
  [[ -n $failure ]] || failure="$* ended with status $status"
  say "FAILED $failure"
  exit 1
}

# Called once, however the procedure ends.
finish() {
  local status=$1 back undone=0
  trap - EXIT INT TERM HUP
  set +e
  if ((dry_run)); then
    rm -rf "$scratch"
    exit "$status"
  fi
  if ((status != 0)); then
    [[ -n $failure ]] || failure="ended with status $status"
    for back in "${undos[@]}"; do
      if "$back" >>"$scratch/log" 2>&1; then undone=true; else undone=false; fi
      in_report --arg name "$back" --argjson ok "$undone" '.undone += [{name: $name, ok: $ok}]'
      say "undo $back: $([[ $undone == true ]] && echo ok || echo FAILED)"
    done
  fi
  in_report --arg at "$(iso_now)" --argjson ms $(($(now_ms) - began)) --arg failure "$failure" \
    --arg bundle "$( ((with_bundle)) && echo "$bundle_file")" \
    '. + {ended: $at, duration_ms: $ms, ok: ($failure == ""), failure: $failure, bundle: $bundle}'
  if ((status == 0)); then tell_webhook "is done" "-" "-"; else tell_webhook "FAILED: $failure" "-" "see the report"; fi
  mkdir -p "$(dirname "$report_file")"
  ((!with_bundle)) || make_bundle
  install -m 600 "$scratch/report.json" "$report_file.new" && mv "$report_file.new" "$report_file"
  say "report $report_file"
  cat "$report_file"
  rm -rf "$scratch"
  exit "$status"
}

# What the analysis afterwards needs, best effort: what is missing is named in the bundle.
make_bundle() {
  local dir=$scratch/bundle file
  mkdir -p "$dir"
  # What cannot be had is named in NAME.error.
  ctl collect "$dir" >/dev/null 2>&1 || true
  for file in "$state_dir"/{service.log,holder.log,service.json} "${TERMINAL_ERROR_LOG:-}" \
    ${TERMINAL_LOG_DIR:+"$TERMINAL_LOG_DIR"/terminal-service.log "$TERMINAL_LOG_DIR"/terminal-error.log}; do
    [[ -n $file && -r $file ]] && tail -c 4194304 "$file" >"$dir/$(basename "$file")"
  done
  for file in before after; do
    [[ -r $scratch/$file.json ]] && cp "$scratch/$file.json" "$dir/sessions-$file.json"
  done
  cp "$scratch/report.json" "$dir/report.json"
  [[ ! -r $scratch/log ]] || cp "$scratch/log" "$dir/procedure.log"
  (umask 077 && tar -C "$scratch" -czf "$bundle_file" bundle) || say "no bundle: tar failed"
}
