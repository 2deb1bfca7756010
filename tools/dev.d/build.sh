# shellcheck shell=bash disable=SC2154
# Configuring and building. Sourced by ./dev.

export CCACHE_DIR=${CCACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/terminal-service-ccache}
export CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-5G}
# Relative paths, so that every clone and work tree of the project hits the same entries.
export CCACHE_BASEDIR=${CCACHE_BASEDIR:-$root}
export CCACHE_NOHASHDIR=${CCACHE_NOHASHDIR:-true}
# What ccache wants of its user before it caches sources with precompiled headers.
export CCACHE_SLOPPINESS=${CCACHE_SLOPPINESS:-pch_defines,time_macros}

known_preset() {
  case $1 in dev | release | asan | tsan) ;; *) usage_error "no preset '$1'; use dev, release, asan or tsan" ;; esac
}

# build_preset PRESET [NINJA-TARGET...]: what is built is only what changed.
build_preset() {
  local preset=$1
  shift
  if [[ ! -f $root/build/$preset/build.ninja ]]; then
    (cd "$root" && cmake --preset "$preset" >/dev/null)
  fi
  ninja -C "$root/build/$preset" "$@"
}

cmd_build() {
  local preset=${1:-dev}
  known_preset "$preset"
  # The presets with tests need the test libraries; release does not.
  if [[ $preset == release ]]; then cmd_setup run; else cmd_setup test; fi
  build_preset "$preset"
}

cmd_clean() {
  rm -rf "$root/build" "$root/web/dist" "$root/web/node_modules"
  say "removed build/, web/dist/ and web/node_modules/; the compiler cache is in $CCACHE_DIR"
}
