#!/usr/bin/env bash
# The drill: a service of its own on free ports, live sessions that print, the phase, validation, and
# forward again; each step timed. Nothing of a running service is touched.
# shellcheck disable=SC2154
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/rollback/procedure.bash"
source "$rollback_dir/checks.bash"
source "$rollback_dir/drill.bash"

phase="" sessions=20 drill_database="" options=() state=${TMPDIR:-/tmp}
for argument in "$@"; do
  case $argument in
    --env=staging) ;;
    --env=*) echo "test-rollback: --env must be staging: a drill never touches a running service" >&2 && exit 2 ;;
    --phase=[1-5] | --phase=emergency) phase=${argument#*=} ;;
    --sessions=[0-9]*) sessions=${argument#*=} ;;
    --database-url=*) drill_database=${argument#*=} ;;
    --reports=*) state=${argument#*=} ;;
    *) options+=("$argument") ;;
  esac
done
mkdir -p "$state"
procedure test-rollback "Rehearses a rollback: --env=staging --phase=1|2|3|4|5|emergency
  --sessions=N         live sessions that print meanwhile (default 20)
  --database-url=URL   a database of the drill's own; it will be changed (default: SQLite)
  --reports=DIR        where report and bundle go (default: the temporary directory)" \
  --state-dir="$state" ${options[@]+"${options[@]}"}
((${#arguments[@]} == 0)) || usage_error "unknown argument ${arguments[0]}"
[[ -n $phase ]] || usage_error "which --phase?"

case $phase in
  emergency) script=emergency-rollback.sh promised=30 extra=() ;;
  1) script=rollback-phase1.sh promised=300 extra=() ;;
  2) script=rollback-phase2.sh promised=600 extra=() ;;
  3) script=rollback-phase3.sh promised=900 extra=() ;;
  4) script=rollback-phase4.sh promised=1800 extra=(--monitor=2) ;;
  5) script=emergency-full-rollback.sh promised=3600 extra=(--traffic-pause=1) ;;
esac

run_phase() {
  local status=0 took
  env -u SLACK_WEBHOOK DEV_CTL="$control" DEV_SERVICE="$service_program" "$project_root/tools/$script" \
    --state-dir="$drill_dir/state" --report="$scratch/phase.json" --no-bundle --reason="drill" \
    ${extra[@]+"${extra[@]}"} >/dev/null {procedure_lock}>&- || status=$?
  note phase "$(jq -c . "$scratch/phase.json" || echo null)"
  ((status == 0)) || fail "$script ended with status $status: $(jq -r .failure "$scratch/phase.json")"
  took=$(jq .duration_ms "$scratch/phase.json")
  note promised_ms $((promised * 1000))
  ((took < promised * 1000)) || fail "$script took $took ms; promised are $promised s"
}
all_legacy() {
  jq -e '[.sessions[] | .engine[] | select(. != "legacy")] == []' <<<"$(sessions_now)" >/dev/null || fail "some sessions are not with legacy"
}
roll_forward() {
  sed -i '/^TERMINAL_LEGACY_MODE=/d;/^TERMINAL_REFACTOR_ENABLED=/d' "$drill_dir/.env"
  ctl restart >/dev/null || fail "no hand-over"
  flip_all true
}
all_refactored() {
  jq -e '[.sessions[] | .engine[] | select(. != "refactored")] == []' <<<"$(sessions_now)" >/dev/null || fail "some sessions are not with refactored"
}

undo drill_end
if ((!dry_run)); then
  drill_begin
  state_dir=$drill_dir/state
fi
step "$sessions sessions that print" drill_sessions "$sessions"
step "remember every session" step_remember
step "$script" run_phase
step "every session is there with its pid and offsets" step_verify_sessions live
step "all with legacy" all_legacy
step "no line missing or doubled" drill_verify_bytes
step "forward again" roll_forward
step "all with refactored" all_refactored
step "every session is there still" step_verify_sessions live
step "no line missing or doubled after that" drill_verify_bytes
step "health" step_verify_health
((dry_run)) || drill_end
