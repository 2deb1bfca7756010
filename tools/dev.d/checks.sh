# shellcheck shell=bash disable=SC2154
# Tests and lint. Sourced by ./dev.

ctest_jobs=${CTEST_PARALLEL_LEVEL:-$(nproc)}

web_packages() { "$root/tools/npm-install.sh" "$root/web"; }

# Runs ctest of one preset; its closing line is the last output of every test command.
run_ctest() {
  local preset=$1
  shift
  ctest --test-dir "$root/build/$preset" --output-on-failure --no-tests=error -j "$ctest_jobs" "$@"
}

# Everything; with arguments ctest alone, with those arguments.
cmd_test() {
  local status=0
  cmd_setup test
  build_preset dev
  if (($# == 0)); then
    web_packages
    say "web client"
    (cd "$root/web" && npm test --silent) </dev/null || status=1
    run_browser_tests || status=1
    ((status == 0)) || say "web or browser tests FAILED, see above"
    say "service"
  fi
  run_ctest dev "$@" </dev/null || status=1
  return $status
}

# The browser tests start the service that dev built; see docs/development.md.
run_browser_tests() {
  compgen -G "$root/tests/e2e/*.test.mjs" >/dev/null || return 0
  say "browser"
  TERMINAL_SERVICE_BIN=${TERMINAL_SERVICE_BIN:-$root/build/dev/bin/terminal-service} \
    node --test "$root"/tests/e2e/*.test.mjs </dev/null
}

cmd_test_sanitized() {
  local preset=$1
  shift
  cmd_setup test
  build_preset "$preset"
  run_ctest "$preset" "$@" </dev/null
}

cmd_test_terminals() {
  cmd_setup test
  build_preset dev
  run_ctest dev -L '^(contract|server)$' "$@" </dev/null
}

cmd_test_integration() {
  cmd_setup test
  build_preset dev
  web_packages
  compgen -G "$root/tests/e2e/*.test.mjs" >/dev/null || die "tests/e2e holds no tests"
  run_browser_tests
}

# All C++ files. Not from git: it refuses to list a clone that belongs to somebody else.
cpp_files() {
  (cd "$root" && find . \( -name .git -o -name build -o -name node_modules \) -prune -o \
    -type f \( -name '*.h' -o -name '*.cpp' \) -print | sed 's#^\./##' | LC_ALL=C sort)
}

# Sources that differ from where this branch left the main one; on the main branch, from HEAD~1.
changed_sources() {
  local base branch
  cd "$root" || return
  base=$(git rev-parse -q --verify HEAD~1 || git rev-parse HEAD)
  for branch in origin/main origin/master main master; do
    if git rev-parse -q --verify "$branch" >/dev/null &&
      [[ $(git rev-parse "$branch") != $(git rev-parse HEAD) ]]; then
      base=$(git merge-base HEAD "$branch") && break
    fi
  done
  { git diff --name-only --diff-filter=d "$base" -- 'src/*.cpp' 'tests/*.cpp'
    git ls-files -o --exclude-standard -- 'src/*.cpp' 'tests/*.cpp'; } | sort -u
}

# Matches of the five shapes in those of the named files that await something, except where the line
# says NOLINT(coroutine). One process for each file: clang-query keeps all its files in memory.
coroutine_lint() {
  local found=0 output place file line files=()
  cd "$root" || return
  mapfile -t files < <(grep -l co_await "$@")
  ((${#files[@]})) || return 0
  output=$(printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -n 1 \
    clang-query-19 -p build/dev -f tools/coroutine-lint.clang-query 2>&1) || found=1
  while IFS= read -r place; do
    file=${place%%:*} line=${place#*:} line=${line%%:*}
    [[ $(sed -n "${line}p" "$file") != *'NOLINT(coroutine'* ]] || continue
    printf '%s\n' "${place%note:*}g++ 12 miscompiles this shape; tools/coroutine-lint.clang-query says what to write"
    found=1
  done < <(grep '"root" binds here' <<<"$output" | sort -u)
  # Failed without a match: the sources do not compile, or build/dev is out of date.
  ((!found)) || grep -E '(^|[ :])(fatal )?error: ' <<<"$output" || true
  return $found
}

cmd_lint() {
  local depth=changed status=0 files=()
  case ${1:-} in
    "") ;;
    --all) depth=all ;;
    --cheap) depth=none ;;
    *) usage_error "lint takes --all or --cheap, not '$1'" ;;
  esac
  install_packages "${lint_packages[@]}"
  say "format"
  cpp_files | (cd "$root" && xargs -r clang-format-19 --dry-run -Werror) || status=1
  say "layers"
  "$root/tools/check-layers.sh" "$root" || status=1
  [[ $depth == none ]] && return $status

  install_packages "${run_packages[@]}" "${test_packages[@]}" "${tidy_packages[@]}"
  [[ -f $root/build/dev/compile_commands.json ]] || (cd "$root" && cmake --preset dev >/dev/null)
  if [[ $depth == all ]]; then
    mapfile -t files < <(cpp_files | grep -E '^(src|tests)/.*\.cpp$')
  else
    mapfile -t files < <(changed_sources)
  fi
  if ((${#files[@]})); then
    say "clang-tidy, ${#files[@]} files"
    printf '%s\n' "${files[@]}" |
      (cd "$root" && xargs -P "$(nproc)" -n 1 clang-tidy-19 -p build/dev --quiet) || status=1
    say "coroutine shapes"
    coroutine_lint "${files[@]}" || status=1
  fi
  web_packages
  say "page types"
  (cd "$root/web" && npm run --silent typecheck) </dev/null || status=1
  return $status
}

cmd_format() {
  install_packages "${lint_packages[@]}"
  cpp_files | (cd "$root" && xargs -r clang-format-19 -i)
}
