#!/usr/bin/env bash
# ./dev start, stop and restart as they are, with the programs of DEV_SERVICE and DEV_CTL
# in place of a build. Usage: dev_without_build.sh COMMAND [ARGUMENTS]
# shellcheck disable=SC2034
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
say() { printf 'dev: %s\n' "$*"; }
die() {
  printf 'dev: %s\n' "$*" >&2
  exit 1
}
# shellcheck source=/dev/null
source "$root/tools/dev.d/service.sh"
build_service() { :; }
binary() { printf '%s' "$DEV_SERVICE"; }
control() { printf '%s' "$DEV_CTL"; }
command=$1
shift
"cmd_$command" "$@"
