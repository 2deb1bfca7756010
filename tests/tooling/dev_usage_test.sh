#!/usr/bin/env bash
# What ./dev answers without building anything: usage, unknown commands, options of the bench.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
failures=0

# expect STATUS TEXT COMMAND...: it ends with STATUS and its output holds TEXT.
expect() {
  local want=$1 text=$2 output status=0
  shift 2
  output=$("$@" </dev/null 2>&1) || status=$?
  if ((status != want)) || [[ $output != *"$text"* ]]; then
    printf '%s: status %d, expected %d with "%s":\n%s\n' "$*" "$status" "$want" "$text" "$output"
    failures=$((failures + 1))
  fi
}

expect 0 'Usage: ./dev' ./dev help
expect 0 'Usage: ./dev' ./dev --help
for command in setup build start stop restart status test test:asan test:tsan test:smoke test:terminals \
  test:integration:terminal lint format clean monitor:terminals chaos bench; do
  expect 0 'Usage: ./dev' ./dev "$command" --help
done
expect 2 "no command 'nonsense'" ./dev nonsense
expect 2 'which command?' ./dev
expect 2 "no option '--nonsense'" ./dev bench --nonsense
expect 2 '--only=nonsense names no series' ./dev bench --only=nonsense
expect 2 'write ttyd:PATH' ./dev bench --peer=nonsense:/bin/true
expect 0 'bulk-raw: ' ./dev bench --list
expect 2 "no preset 'nonsense'" ./dev build nonsense
expect 2 "setup takes" ./dev setup nonsense
expect 2 "lint takes" ./dev lint nonsense

# Nothing runs with its state there; a stale service.json names no process, or a foreign one.
state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
expect 3 'not running' env TERMINAL_STATE_DIR="$state" ./dev status
expect 0 'no service is running' env TERMINAL_STATE_DIR="$state" ./dev stop
printf '{"pid": %d, "ws_port": 4001, "http_port": 4000, "version": "0"}\n' $$ >"$state/service.json"
expect 3 'not running' env TERMINAL_STATE_DIR="$state" ./dev status
expect 0 'no service is running' env TERMINAL_STATE_DIR="$state" ./dev stop
exit $((failures > 0))
