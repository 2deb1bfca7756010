# Finds terminal-ctl for the scripts in tools/: DEV_CTL, a build of this tree (release first, or
# DEV_PRESET), or the one that is installed.

exec_control() {
  local root preset
  root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
  [[ -z ${DEV_CTL:-} ]] || exec "$DEV_CTL" "$@"
  for preset in ${DEV_PRESET:-release dev}; do
    [[ ! -x $root/build/$preset/bin/terminal-ctl ]] || exec "$root/build/$preset/bin/terminal-ctl" "$@"
  done
  if command -v terminal-ctl >/dev/null; then exec terminal-ctl "$@"; fi
  printf '%s: no terminal-ctl; build it (./dev build release) or install the package\n' \
    "$(basename "$0")" >&2
  exit 1
}
