#!/usr/bin/env bash
# The units are understood by systemd, the container's entry point by sh, and what they name is
# there. Usage: deploy_test.sh
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0
bad() {
  printf '%s\n' "$*"
  failed=1
}

sh -n "$root/deploy/container/entrypoint.sh"
[[ -x $root/deploy/container/entrypoint.sh ]] || bad "entrypoint.sh is not executable"

if ! command -v systemd-analyze >/dev/null; then
  echo "no systemd-analyze here: the units are not verified"
  exit $failed
fi
# Programs are looked for, so those of the units stand in for a moment.
cp "$root"/deploy/systemd/*.{service,socket,timer} "$scratch"
sed -i "s,/usr/bin/terminal-,$scratch/terminal-,;s,/usr/share/terminal-service/tools/,$root/tools/," "$scratch"/*.service
for program in terminal-holder terminal-service; do install -m 0755 /dev/null "$scratch/$program"; done
units=("$scratch"/*.service "$scratch"/*.socket "$scratch"/*.timer)
((${#units[@]} >= 4)) || bad "units are missing"
if ! output=$(SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no --recursive-errors=no "${units[@]}" 2>&1); then
  bad "$output"
elif grep -F "$scratch" <<<"$output"; then
  bad "systemd-analyze has something to say about ours"
fi

# A control: it must be able to fail.
sed -i 's/^KillMode=.*/KillMode=sometimes/' "$scratch/terminal-holder.service"
output=$(systemd-analyze verify --man=no --recursive-errors=no "$scratch/terminal-holder.service" 2>&1) || true
grep -qi "kill mode" <<<"$output" || bad "a wrong unit is not noticed"
exit $failed
