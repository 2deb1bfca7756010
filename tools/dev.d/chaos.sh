# shellcheck shell=bash disable=SC2154
# The chaos harness. Sourced by ./dev.

# Five minutes unless the arguments say how long. The other build, for upgrades, is the release one if
# there is one, else a copy.
cmd_chaos() {
  local preset=${DEV_PRESET:-dev} other=$root/build/release/bin/terminal-service
  known_preset "$preset"
  [[ $preset != release ]] || die "release has no tests; use dev, asan or tsan"
  cmd_setup test
  build_preset "$preset"
  case " $* " in
    *" --minutes="* | *" --steps="* | *" --kills="* | *" --handovers="* | *" --flips="* | *" --hygiene="* | \
      *" --bad-binaries="* | *" --usage "*) ;;
    *) set -- --minutes=5 "$@" ;;
  esac
  [[ $preset == dev && -x $other ]] && set -- --other-binary="$other" "$@"
  "$root/build/$preset/tests/chaos" --binary="$root/build/$preset/bin/terminal-service" "$@"
}
