#!/usr/bin/env bash
# One port back to legacy; the others stay where they are.
# shellcheck disable=SC2154
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/rollback/procedure.bash"
source "$rollback_dir/checks.bash"

procedure rollback-service "Moves one port of every live session back to legacy. Takes its name: sessions, streams or telemetry." "$@"
port=${arguments[0]:-}
[[ ${#arguments[@]} == 1 && $port =~ ^(sessions|streams|telemetry)$ ]] ||
  usage_error "name one of sessions, streams, telemetry"
announce "partial rollback of $port" "seconds" "none: shells stay"

move_port() {
  local answer
  answer=$(api POST /api/admin/feature-flags --timeout=300 \
    "$(jq -nc --arg port "$port" --arg why "$reason" '{services: {($port): false}, force: true, reason: $why}')") ||
    fail "the flag was not set: ${answer:0:300}"
  flip_is_good "$answer"
}
verify_port() {
  jq -e --arg port "$port" '[.sessions[] | select(.engine[$port] != "legacy")] | length == 0' "$scratch/after.json" >/dev/null ||
    fail "some sessions still have their $port elsewhere"
}
step "remember every session" step_remember
step "$port to legacy, forced" move_port
step "health" step_verify_health
step "every session is there with its pid and offsets" step_verify_sessions live
step "$port is legacy everywhere" verify_port
