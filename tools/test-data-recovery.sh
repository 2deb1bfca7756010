#!/usr/bin/env bash
# The data drill: export, wipe, restore on a fresh instance, compare byte by byte. On a service of its own.
# shellcheck disable=SC2154
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/rollback/procedure.bash"
source "$rollback_dir/checks.bash"
source "$rollback_dir/drill.bash"

sessions=20 drill_database="" options=() state=${TMPDIR:-/tmp}
for argument in "$@"; do
  case $argument in
    --sessions=[0-9]*) sessions=${argument#*=} ;;
    --reports=*) state=${argument#*=} ;;
    *) options+=("$argument") ;;
  esac
done
mkdir -p "$state"
procedure test-data-recovery "Exports the state of an instance of its own, wipes it, restores it and compares.
  --sessions=N     how many (default 20)
  --reports=DIR    where report and bundle go (default: the temporary directory)" \
  --state-dir="$state" ${options[@]+"${options[@]}"}
((${#arguments[@]} == 0)) || usage_error "unknown argument ${arguments[0]}"

export_state() { # FILE
  "$control" --state-dir="$state_dir" state export >"$1" || fail "the export failed"
  note bytes "$(stat -c %s "$1")"
}
# The whole instance ends, its shells, its holder and its database.
wipe() {
  (cd "$drill_dir" && env -i PATH="$PATH" HOME="$drill_dir/home" "$service_program" stop --end-sessions) >/dev/null 2>&1 || true
  kill "$(jq -r .pid "$state_dir/service.json")" 2>/dev/null || true
  until_true "the service has ended" service_ended || fail "it goes on"
  rm -rf "$state_dir"
  mkdir -m 700 "$state_dir"
}
service_ended() { ! kill -0 "$(cat "$scratch/pid")" 2>/dev/null; }
fresh() {
  drill_start
  [[ $(sessions_now | jq .count) == 0 ]] || fail "a fresh instance has sessions"
}
restore_state() {
  local answer status=0
  answer=$(ctl state restore "$scratch/first.json") || status=$?
  note restore "$(jq -c '{restored, adopted, skipped, failed}' <<<"$answer" || echo null)"
  ((status == 0)) || fail "the restore failed: ${answer:0:300}"
}
restore_again() {
  restore_state
  jq -e '.restore.restored == 0' "$scratch/step.json" >/dev/null || fail "a second restore changed something"
}
# Everything that makes a session is equal; what a new instance counts anew is not compared.
compare() {
  local file
  "$control" --state-dir="$state_dir" state export >"$scratch/second.json" || fail "the export failed"
  for file in first second; do
    jq -S '[.sessions[] | {id, projectId, tabName, mode, type, currentPath, environment, cols, rows, createdAt, metadata,
        output: {firstOffset: .output.firstOffset, nextOffset: .output.nextOffset, data: .output.data}}] | sort_by(.id)' \
      "$scratch/$file.json" >"$scratch/$file.sorted"
  done
  note compared "$(jq length "$scratch/first.sorted")"
  cmp -s "$scratch/first.sorted" "$scratch/second.sorted" ||
    fail "they differ: $(diff "$scratch/first.sorted" "$scratch/second.sorted" | head -c 300)"
}

undo drill_end
if ((!dry_run)); then
  drill_begin
  state_dir=$drill_dir/state
fi
step "$sessions sessions that print" drill_sessions "$sessions"
((dry_run)) || jq -r .pid "$state_dir/service.json" >"$scratch/pid"
step "export" export_state "$scratch/first.json"
step "wipe" wipe
step "a fresh instance" fresh
step "restore" restore_state
step "byte for byte" compare
step "a second restore changes nothing" restore_again
step "byte for byte still" compare
((dry_run)) || drill_end
