#!/usr/bin/env bash
# Hands a running service over to a new process of the program as it is on disk: no shell ends, no
# WebSocket closes. Usage: quick-restart.sh [--state-dir=DIR] [--binary=PATH] [--probation=DURATION]
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
for program in "${DEV_CTL:-}" "$root/build/release/bin/terminal-ctl" "$root/build/dev/bin/terminal-ctl" \
  "$(command -v terminal-ctl || true)"; do
  [[ -n $program && -x $program ]] && exec "$program" restart "$@"
done
echo "quick-restart: there is no terminal-ctl; build it (./dev build release) or install it" >&2
exit 1
