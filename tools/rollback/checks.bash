# shellcheck shell=bash disable=SC2154
# Steps that several procedures have: what is there before, what must be there after. Sourced after
# procedure.bash.

# Every session with its pid and offsets, as the service has it now.
sessions_now() { api GET /api/admin/sessions; }

step_remember() {
  sessions_now >"$scratch/before.json" || fail "the service does not list its sessions"
  note sessions "$(jq .count "$scratch/before.json")"
  note errors_lost "$(api GET /api/metrics/terminals/sessions | jq .lost)"
}

# Each session from before: `live` with the same pid and every offset going on, `cold` with another
# pid and its numbering going on, else missing. One that its user ended meanwhile is `ended`, not lost.
tiers() {
  jq -n --slurpfile before "$scratch/before.json" --slurpfile after "$scratch/after.json" '
    ($after[0].sessions | map({key: .id, value: .}) | from_entries) as $now
    | [$before[0].sessions[] | . as $was | $now[.id] as $is | {
        id, tier: (if $is == null then "missing"
                   elif $is.next_offset < .next_offset then "behind"
                   elif [.input | to_entries[] | select(($is.input[.key] // .value) < .value)] != [] then "behind"
                   elif $is.pid == .pid then "live" else "cold" end),
        offset: {before: .next_offset, after: $is.next_offset}, engine: $is.engine.streams}]'
}

# step_verify_sessions [TIERS]: nobody is missing or behind; TIERS (default `live`) are those allowed.
step_verify_sessions() {
  local allowed=${1:-live} all wrong
  sessions_now >"$scratch/after.json" || fail "the service does not list its sessions"
  all=$(tiers)
  note sessions "$(jq length <<<"$all")"
  note tiers "$(jq 'group_by(.tier) | map({key: .[0].tier, value: length}) | from_entries' <<<"$all")"
  note came_back "$all"
  wrong=$(jq -c --arg allowed "$allowed" '[.[] | select(.tier as $t | $allowed | split(",") | index($t) | not)]' <<<"$all")
  wrong=$(without_ended "$wrong")
  [[ $wrong == "[]" ]] || fail "$(jq length <<<"$wrong") sessions did not come back as $allowed: $(jq -c '.[:5]' <<<"$wrong")"
}

# A shell that its own user ended between the two looks is no loss: the service counts those it lost.
without_ended() {
  local lost
  lost=$(api GET /api/metrics/terminals/sessions | jq .lost)
  note lost "$lost"
  if [[ $lost == 0 ]] && ended_are_known "$1"; then
    jq -c '[.[] | select(.tier != "missing")]' <<<"$1"
  else
    printf '%s' "$1"
  fi
}
# A pid of before that has gone by itself: with the same service or the same holder nobody else ends one.
ended_are_known() {
  local id pid
  while read -r id; do
    [[ -n $id ]] || continue
    pid=$(jq -r --arg id "$id" '.sessions[] | select(.id == $id) | .pid' "$scratch/before.json")
    [[ ! -e /proc/$pid ]] || return 1
  done < <(jq -r '.[] | select(.tier == "missing") | .id' <<<"$1")
  [[ $(holder_pid) == "$(jq -r .holder_pid "$scratch/holder.json" 2>/dev/null || true)" ]]
}
holder_pid() { jq -r '.holder_pid // 0' "$state_dir/service.json" 2>/dev/null || echo 0; }
remember_holder() { jq '{holder_pid: (.holder_pid // 0)}' "$state_dir/service.json" >"$scratch/holder.json"; }

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
  local value
  value=$(jq -r '.value' "$scratch/flag.json")
  [[ $value == true || $value == false ]] || return 0
  api POST /api/admin/feature-flags --timeout=300 \
    "{\"terminal_refactor\": $value, \"force\": true, \"reason\": \"undo of $procedure_name\"}"
}

maintenance_on() { # MESSAGE ETA
  api POST /api/admin/maintenance/enable "$(jq -nc --arg m "$1" --arg e "$2" '{message: $m, eta: $e}')" >/dev/null ||
    fail "maintenance was not switched on"
}
maintenance_off() { api POST /api/admin/maintenance/disable >/dev/null || fail "maintenance was not switched off"; }

# A new shell works, through the user's port, and goes again; so do those that are there.
step_test_terminals() {
  local id=rollback-test-$$ answer status=0
  answer=$(api POST /api/terminal/create "$(jq -nc --arg id "$id" '{sessionId: $id, projectId: "rollback-test"}')") ||
    fail "no new terminal: ${answer:0:300}"
  answer=$(jq -n --arg id "$id" --slurpfile now "$scratch/after.json" \
    '{connections: ([{sessionId: $id}] + [$now[0].sessions[] | {sessionId: .id}])}' |
    ctl recover-connections) || status=$?
  api DELETE "/api/terminal/close/$id" >/dev/null || fail "the new terminal cannot be closed"
  note terminals "$(jq -c '[.sessions[] | select(.answers)] | length' <<<"$answer" || echo null)"
  ((status == 0)) || fail "not every terminal answers: $(jq -c '[.sessions[] | select(.answers | not)][:5]' <<<"$answer" || echo none)"
}
