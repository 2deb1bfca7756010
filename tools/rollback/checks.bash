# shellcheck shell=bash disable=SC2154
# Steps that several procedures have: what is there before, what must be there after. Sourced after
# procedure.bash.

# Every session with its pid and offsets, as the service has it now.
sessions_now() { api GET /api/admin/sessions; }

test_project=rollback-test
# Of step_test_terminals: what an earlier run left that was killed, or lost its service, in the middle of this test.
close_test_terminals() {
  local left id
  left=$(api GET "/api/terminal/list?projectId=$test_project" | jq -r '.sessions[].id') || fail "the sessions cannot be listed"
  for id in $left; do
    api DELETE "/api/terminal/close/$id" >/dev/null || fail "session $id of an earlier test cannot be closed"
  done
}

step_remember() {
  close_test_terminals
  ctl remember >"$scratch/before.json" || fail "the service does not list its sessions"
  note_from "$scratch/before.json" '{sessions: .count, errors_lost: .lost}'
}

# step_verify_sessions [TIERS]: nobody is missing or behind; TIERS (default `live`) are those allowed.
# One that its user ended meanwhile is `ended`, not lost.
step_verify_sessions() {
  local status=0
  ctl verify "$scratch/before.json" --tiers="${1:-live}" --keep="$scratch/after.json" >"$scratch/verified.json" || status=$?
  note_from "$scratch/verified.json" 'del(.error)'
  ((status == 0)) || fail "$(jq -r '.error // "no answer"' "$scratch/verified.json")"
}

# Healthy or degraded for a reason that is not ours; every module of the engine that serves is well.
step_verify_health() {
  local health status
  health=$(api GET /api/health/terminal) || fail "health does not answer: ${health:0:200}"
  status=$(jq -r .status <<<"$health")
  note status "\"$status\""
  note reasons "$(jq -c '.reasons // []' <<<"$health")"
  note engine "$(jq -c '.engine // null' <<<"$health")"
  [[ $status != unhealthy ]] || fail "unhealthy: $(jq -c .reasons <<<"$health")"
}

# step_health_checks N: that many, one after another; each must pass.
step_health_checks() {
  local i
  for ((i = 1; i <= $1; i++)); do
    step_verify_health || return 1
  done
  note checks "$1"
}

# flip_all BOOL: true = refactored. Every live session moves now.
flip_all() {
  local answer
  answer=$(api POST /api/admin/feature-flags --timeout=300 \
    "$(jq -nc --argjson to "$1" --arg why "$reason" '{terminal_refactor: $to, force: true, reason: $why}')") ||
    fail "the flag was not set: ${answer:0:300}"
  flip_is_good "$answer"
}
flip_is_good() { # ANSWER
  local answer=$1
  note flip "$(jq -c .flip <<<"$answer")"
  jq -e '.flip.lost == 0 and (.flip.failed | length) == 0 and .flip.offsets_sha256.before == .flip.offsets_sha256.after' \
    <<<"$answer" >/dev/null || fail "the flip is not good: $(jq -c '.flip | {lost, failed: .failed[:3], offsets_sha256}' <<<"$answer")"
}
step_flag_off() { flip_all false; }

# Where the flag stands, for taking it back.
remember_flag() {
  api GET /api/admin/feature-flags | jq '.flags.terminal_refactor' >"$scratch/flag.json"
}
restore_flag() {
  local value answer try
  value=$(jq -r '.value' "$scratch/flag.json")
  [[ $value == true || $value == false ]] || return 0
  for ((try = 0; try < 100; try++)); do
    answer=$(api POST /api/admin/feature-flags --timeout=300 \
      "{\"terminal_refactor\": $value, \"force\": true, \"reason\": \"undo of $procedure_name\"}") && return 0
    # Legacy mode was just taken out of .env: until the service has read that it refuses.
    [[ $(jq -r '.code // empty' <<<"$answer") == overridden ]] || break
    sleep 0.1
  done
  printf '%s\n' "$answer"
  return 1
}

maintenance_on() { # MESSAGE ETA
  api POST /api/admin/maintenance/enable "$(jq -nc --arg m "$1" --arg e "$2" '{message: $m, eta: $e}')" >/dev/null ||
    fail "maintenance was not switched on"
}
maintenance_off() { api POST /api/admin/maintenance/disable >/dev/null || fail "maintenance was not switched off"; }

# A new shell works, through the user's port, and goes again; so do those that are there.
step_test_terminals() {
  local id=$test_project-$$ answer status=0
  answer=$(api POST /api/terminal/create "$(jq -nc --arg id "$id" '{sessionId: $id, projectId: "'"$test_project"'"}')") ||
    fail "no new terminal: ${answer:0:300}"
  answer=$(jq -n --arg id "$id" --slurpfile now "$scratch/after.json" \
    '{connections: ([{sessionId: $id}] + [$now[0].sessions[] | {sessionId: .id}])}' |
    ctl recover-connections) || status=$?
  api DELETE "/api/terminal/close/$id" >/dev/null || fail "the new terminal cannot be closed"
  note terminals "$(jq -c '[.sessions[] | select(.answers)] | length' <<<"$answer" || echo null)"
  ((status == 0)) || fail "not every terminal answers: $(jq -c '[.sessions[] | select(.answers | not)][:5]' <<<"$answer" || echo none)"
}
