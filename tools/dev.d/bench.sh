# shellcheck shell=bash disable=SC2154
# The bench: ours beside the peers and the limits (docs/performance.md). Sourced by ./dev.

cmd_bench() {
  local argument own=1
  install_packages # a Node, if there is none
  require_node
  for argument in "$@"; do
    case $argument in
      --list) exec node "$root/bench/run.mjs" "$@" ;;
      --binaries=*) own=0 ;;
    esac
  done
  # Refused before anything is installed or built.
  node "$root/bench/run.mjs" --dry-run "$@" || return
  install_packages "${run_packages[@]}" "${bench_packages[@]}"
  say "peers"
  "$root/tools/npm-install.sh" "$root/bench/peers" </dev/null
  if ((own)); then
    # Again, even if it was configured: bench-micro is there only since its library is.
    (cd "$root" && cmake --preset release >/dev/null)
    build_preset release all bench-load bench-micro
  fi
  node "$root/bench/run.mjs" "$@"
}
