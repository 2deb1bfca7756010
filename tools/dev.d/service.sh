# shellcheck shell=bash disable=SC2154
# Starting, stopping and asking a service. Sourced by ./dev.
# The service itself reads the environment and .env; here it is only asked where its state is.

# TERMINAL_PRESET would look like a key of the service, hence the name.
start_preset=${DEV_PRESET:-release}
start_seconds=30
stop_seconds=30

binary() { printf '%s/build/%s/bin/terminal-service' "$root" "$start_preset"; }
control() { printf '%s/build/%s/bin/terminal-ctl' "$root" "$start_preset"; }

build_service() {
  known_preset "$start_preset"
  cmd_setup run >&2
  # Compiler output goes to stderr, so that stdout is the service's alone.
  build_preset "$start_preset" terminal-service terminal-holder terminal-ctl >&2
}

# The state directory of a service started with these arguments. Without a built service, or with a
# configuration that it refuses now, the rule for the default is followed here.
state_dir() {
  local dir=""
  if [[ -x $(binary) ]]; then dir=$("$(binary)" --print-state-dir "$@" 2>/dev/null) || dir=""; fi
  if [[ -z $dir ]]; then
    if [[ -n ${TERMINAL_STATE_DIR:-} ]]; then
      dir=$TERMINAL_STATE_DIR
    elif [[ ${XDG_STATE_HOME:-} == /* ]]; then
      dir=$XDG_STATE_HOME/terminal-service
    elif ((EUID == 0)); then
      dir=/var/lib/terminal-service
    else
      dir=${HOME:?}/.local/state/terminal-service
    fi
  fi
  printf '%s' "$dir"
}

# field FILE NAME: a number or string at the top of a service.json; empty if it is not there.
field() {
  [[ -r $1 ]] || return 0
  tr -d '\n' <"$1" | sed -n "s/.*\"$2\" *: *\"\{0,1\}\([^\",} ]*\).*/\1/p"
}

# A pid is used again after a crash, so the name decides.
is_service() {
  [[ $(cat "/proc/$1/comm" 2>/dev/null) == terminal-servic* ]] &&
    [[ $(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null) != Z ]]
}

# The pid in service.json if that process is a running terminal-service, else nothing.
running_pid() {
  local pid
  pid=$(field "$1/service.json" pid)
  [[ $pid =~ ^[1-9][0-9]*$ ]] && is_service "$pid" || return 0
  printf '%s' "$pid"
}

# The answer to the health question of the service whose state is in DIR: the HTTP status on the first
# line, then the body. Plain bash: a machine that only runs the service need not have curl.
health() {
  local dir=$1 host port
  host=$(field "$dir/service.json" host)
  port=$(field "$dir/service.json" http_port)
  case $host in "" | 0.0.0.0 | ::) host=127.0.0.1 ;; esac
  [[ $port =~ ^[0-9]+$ ]] || return 1
  (
    exec 3<>"/dev/tcp/$host/$port" || exit 1
    {
      printf 'GET /api/health/terminal HTTP/1.0\r\nHost: localhost:%s\r\nConnection: close\r\n' "$port"
      # Without it a service with tokens answers 401, which still shows that it serves.
      [[ -z ${TERMINAL_ADMIN_TOKEN:-} ]] || printf 'Authorization: Bearer %s\r\n' "$TERMINAL_ADMIN_TOKEN"
      printf '\r\n'
    } >&3
    IFS=' ' read -r -t 5 protocol code _ <&3 && [[ $protocol == HTTP/1.? ]] || exit 1
    printf '%s\n' "$code"
    timeout 5 sed '1,/^\r*$/d' <&3
  ) 2>/dev/null
}

# Whom Ctrl-C and SIGTERM are for while cmd_start is in front of it: the process it waits for, and in
# the moment of a hand-over the next one, too.
served_pid="" served_dir="" told=0
pass_on() {
  local pid
  told=1
  for pid in "$served_pid" "$(running_pid "$served_dir")"; do
    [[ -z $pid ]] || kill -s "$1" "$pid" 2>/dev/null || true
  done
}

# In the foreground until no process serves that state any more. A hand-over replaces the process that
# was started here: then the one that service.json names is waited for. It is not our child, so its
# end is judged by what it leaves: a planned one removes service.json.
cmd_start() {
  local dir status=0
  build_service
  dir=$(state_dir "$@")
  served_dir=$dir
  # A tty tells the whole foreground group; others tell us alone. Told twice is told once.
  trap 'pass_on TERM' TERM INT
  trap 'pass_on HUP' HUP
  "$(binary)" "$@" &
  served_pid=$!
  while
    told=0 status=0
    wait "$served_pid" || status=$?
    ((told)) # interrupted by a signal, perhaps: a second wait gives the same or the real status
  do :; done
  while ((status == 0)) && [[ -e $dir/service.json ]]; do
    served_pid=$(running_pid "$dir")
    if [[ -z $served_pid ]]; then
      # Gone between the two looks as planned, or without a word.
      [[ ! -e $dir/service.json ]] || status=1
      break
    fi
    say "handed over to process $served_pid" >&2
    while [[ $(running_pid "$dir") == "$served_pid" ]]; do
      tail --pid="$served_pid" -s 0.1 -f /dev/null &
      wait $! || true
    done
  done
  return $status
}

# end_process PID: SIGTERM, and waits.
end_process() {
  local waited=0
  kill -TERM "$1" || die "cannot signal process $1; is it yours?"
  while is_service "$1"; do
    ((waited++ < stop_seconds * 10)) || die "process $1 has not ended $stop_seconds s after SIGTERM"
    sleep 0.1
  done
}

# Waits until nothing serves that state. Its shells go on with the holder, unless --end-sessions is given.
cmd_stop() {
  local dir pid standby argument end=0 rest=()
  for argument in "$@"; do
    if [[ $argument == --end-sessions ]]; then end=1; else rest+=("$argument"); fi
  done
  set -- "${rest[@]}"
  dir=$(state_dir "$@")
  pid=$(running_pid "$dir")
  if [[ -n $pid ]]; then
    # For a moment after a hand-over the process before it stands by to step in, which is not wanted now.
    standby=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status" 2>/dev/null) || true
    if is_service "${standby:-0}"; then end_process "$standby"; fi
    if is_service "$pid"; then end_process "$pid"; fi
    say "stopped $pid"
  elif ((!end)); then
    say "no service is running with the state in $dir"
  fi
  ((end)) || return 0
  [[ -x $(binary) ]] || die "--end-sessions needs the service's program: ./dev build $start_preset"
  "$(binary)" stop --end-sessions "$@"
}

# Keys that are set here to something else than in the process PID: a hand-over would not bring them
# there, since the new process has the arguments and the environment of the old one.
changed_keys() {
  local key theirs
  while IFS= read -r key; do
    [[ -n ${!key+set} && $key != TERMINAL_STATE_DIR && $key != TERMINAL_ADMIN_TOKEN ]] || continue
    theirs=$(tr '\0' '\n' <"/proc/$1/environ" 2>/dev/null | sed -n "s/^$key=//p" | tail -n 1) || true
    [[ $theirs == "${!key}" ]] || printf '%s ' "$key"
  done < <("$(binary)" --print-config-table | sed -n 's/^| `\([A-Z_]*\)`.*/\1/p')
}

start_in_background() {
  local dir=$1 log=$1/service.log child waited=0
  shift
  mkdir -p "$dir"
  setsid nohup "$(binary)" "$@" </dev/null >>"$log" 2>&1 &
  child=$!
  until [[ $(running_pid "$dir") == "$child" ]] && health "$dir" >/dev/null; do
    if ! kill -0 "$child" 2>/dev/null; then
      local status=0
      wait "$child" || status=$?
      tail -n 20 "$log" >&2
      say "the service ended with status $status; its log is $log" >&2
      exit "$((status == 0 ? 1 : status))"
    fi
    ((waited++ < start_seconds * 10)) || die "no answer from process $child after $start_seconds s; see $log"
    sleep 0.1
  done
  say "running: process $child, page http://localhost:$(field "$dir/service.json" ws_port)/, log $log"
}

# By hand-over where that is possible: no shell ends and no WebSocket closes.
cmd_restart() {
  local dir pid argument changed arguments=()
  # First everything that can fail, while the old service still runs.
  build_service
  "$(binary)" --print-state-dir "$@" >/dev/null || exit $?
  dir=$(state_dir "$@")
  pid=$(running_pid "$dir")
  if [[ -z $pid ]]; then
    start_in_background "$dir" "$@"
    return
  fi
  for argument in "$@"; do
    [[ $argument == --terminal-state-dir=* ]] || arguments+=("$argument")
  done
  changed=$(changed_keys "$pid")
  if [[ -z $(field "$dir/service.json" holder_pid) ]]; then
    say "process $pid has no holder (TERMINAL_HOLDER=none) and cannot hand over: stop and start; open shells end" >&2
  elif ((${#arguments[@]})); then
    say "new arguments need a new start: shells stay with the holder, pages reconnect" >&2
  elif [[ -n $changed ]]; then
    say "the environment differs (${changed% }), which needs a new start: shells stay with the holder, pages reconnect" >&2
  else
    "$(control)" --state-dir="$dir" restart --binary="$(binary)"
    return
  fi
  cmd_stop "$@"
  start_in_background "$dir" "$@"
}

cmd_status() {
  local dir pid file answer code
  dir=$(state_dir "$@")
  file=$dir/service.json
  pid=$(running_pid "$dir")
  if [[ -z $pid ]]; then
    say "not running (state in $dir)"
    exit 3
  fi
  say "running: process $pid, version $(field "$file" version), WebSocket port $(field "$file" ws_port)," \
    "HTTP port $(field "$file" http_port), state in $dir"
  answer=$(health "$dir") || die "no answer from its health address"
  code=${answer%%$'\n'*}
  if [[ $code == 401 ]]; then
    say "health: it asks for TERMINAL_ADMIN_TOKEN in the environment"
  elif command -v jq >/dev/null && jq -c '{status, reasons, sessions, engine}' <<<"${answer#*$'\n'}" 2>/dev/null; then
    :
  else
    # Without jq, which comes with the test packages, all of it.
    printf '%s\n' "$answer"
  fi
}

# A private service on free ports: health, one raw terminal, an echo, a planned end.
cmd_smoke() {
  build_service
  web_packages
  node "$root/tools/smoke.mjs" "$(binary)"
}
