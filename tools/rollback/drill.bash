# shellcheck shell=bash disable=SC2154
# An instance of its own with live sessions under load, for drills. Sourced after procedure.bash and
# checks.bash.

# Its configuration is its .env and nothing else, as with a service that operators run.
drill_begin() { # SESSIONS
  drill_dir=$(mktemp -d "${TMPDIR:-/tmp}/terminal-drill.XXXXXX")
  mkdir -m 700 "$drill_dir/state" "$drill_dir/home"
  printf '%s\n' PORT=0 TERMINAL_WS_PORT=0 "TERMINAL_STATE_DIR=$drill_dir/state" \
    ${drill_database:+"DATABASE_URL=$drill_database"} >"$drill_dir/.env"
  drill_start
}
drill_start() {
  (
    cd "$drill_dir" || exit 1
    exec env -i PATH="$PATH" HOME="$drill_dir/home" SHELL="$rollback_dir/drill_shell.sh" \
      ${ASAN_OPTIONS:+ASAN_OPTIONS="$ASAN_OPTIONS"} setsid "$service_program" >>"$drill_dir/state/service.log" 2>&1 {procedure_lock}>&-
  ) &
  until_true "the drill's service serves" drill_serves
}
drill_serves() { "$control" --state-dir="$drill_dir/state" --json health >/dev/null 2>&1; }
drill_end() {
  [[ -n ${drill_dir:-} ]] || return 0
  local pid
  pid=$(jq -r '.pid // empty' "$drill_dir/state/service.json" 2>/dev/null) || true
  [[ -z $pid ]] || kill "$pid" 2>/dev/null || true
  (cd "$drill_dir" && env -i PATH="$PATH" HOME="$drill_dir/home" "$service_program" stop --end-sessions) >/dev/null 2>&1 || true
  rm -rf "$drill_dir"
}
# until_true WHAT COMMAND...: within 30 s.
until_true() {
  local what=$1 end=$((SECONDS + 30))
  shift
  until "$@"; do
    ((SECONDS < end)) || {
      say "waited too long until $what"
      return 1
    }
    sleep 0.05
  done
}

drill_sessions() { # COUNT
  local i answer
  for ((i = 0; i < $1; i++)); do
    answer=$(api POST /api/terminal/create "$(jq -nc --arg id "drill-$i" '{sessionId: $id, projectId: "drill"}')") ||
      fail "session $i was not created: ${answer:0:300}"
  done
  until_true "all of them print" all_print "$1"
  note sessions "$1"
}
all_print() { [[ $(sessions_now | jq '[.sessions[] | select(.next_offset > 100)] | length') == "$1" ]]; }

# Every session's lines are numbered without a hole from the first that the ring still has, and go on.
drill_verify_bytes() {
  "$control" --state-dir="$state_dir" state export >"$scratch/bytes.json" || fail "the export failed"
  local checked
  checked=$(jq -c '[.sessions[] | {id, ok: ((.output.data // "") | @base64d | [scan("drill ([0-9]+)\r?\n") | .[0] | tonumber]
      | length > 1 and (. as $n | [range(1; length) | select($n[.] != $n[. - 1] + 1)] == []))}]' "$scratch/bytes.json") ||
    fail "the export cannot be read"
  note checked "$(jq length <<<"$checked")"
  jq -e 'length > 0 and all(.ok)' <<<"$checked" >/dev/null || fail "lines are missing or doubled in $(jq -c '[.[] | select(.ok | not) | .id]' <<<"$checked")"
}
