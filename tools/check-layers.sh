#!/usr/bin/env bash
# Checks who includes whom. Usage: tools/check-layers.sh [ROOT]
# Prints file:line: reason for each violation and ends with 1 if there is one.
# The rules: docs/architecture.md; the table below is their only copy in code.
set -euo pipefail

root=${1:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
cd "$root"
# folder: the folders whose headers it may include. `main` stands for src/main.cpp.
rules='
session: session holder
legacy: session legacy
refactored: session refactored
adapter: session legacy refactored adapter
store: session store
server: session adapter store server web
holder: holder
main: session adapter store server web
'

mapfile -t sources < <(find src tests -type f \( -name '*.h' -o -name '*.cpp' \) | LC_ALL=C sort)
((${#sources[@]})) || {
  printf '%s: no sources found\n' "$root" >&2
  exit 1
}

awk -v rules="$rules" '
  function bad(text) { print FILENAME ":" FNR ": " text; failed = 1 }

  # The folder of src that a file belongs to; "" for tests.
  function layer_of(file,  parts) {
    if (file !~ /^src\//) return ""
    split(file, parts, "/")
    return parts[2] ~ /\./ ? "main" : parts[2]
  }

  function check_own(target,  to, n, ok, i, allowed) {
    if (target ~ /\.\.\//) bad("include \"" target "\" from the root, without ..")
    if (layer == "") return
    to = target
    sub(/\/.*/, "", to)
    if (!(layer in may)) { bad("src/" layer " is in no rule; add it to tools/check-layers.sh"); return }
    n = split(may[layer], allowed, " ")
    for (i = 1; i <= n; i++) if (allowed[i] == to) ok = 1
    if (!ok) bad(layer " may not include " target)
  }

  function check_foreign(target) {
    if (header && target ~ /^(boost\/asio\.hpp|boost\/beast\.hpp|nlohmann\/json\.hpp)$/)
      bad("no " target " in a header: every file that includes it pays")
    if (layer == "") return
    if (layer == "holder" && target ~ /\.hpp$|^(boost|nlohmann|spdlog|fmt|openssl|CLI)\//)
      bad("the holder links nothing but libc")
    if (layer ~ /^(legacy|refactored)$/ &&
        target ~ /^(nlohmann\/|boost\/asio|boost\/beast|sys\/socket|netinet\/|arpa\/|sqlite3|libpq|pqxx|CLI\/)/)
      bad("engines know no JSON, no sockets and no database")
    if (layer == "adapter" && target ~ /^(nlohmann\/|boost\/beast|sqlite3|libpq|pqxx|CLI\/)/)
      bad("the adapter knows no JSON, no Beast and no database")
    if (layer == "session" && target ~ /^(boost\/beast|sqlite3|libpq|pqxx|CLI\/)/)
      bad("src/session knows no Beast and no database")
    if (layer == "session" && target ~ /^nlohmann\/json\.hpp/ && FILENAME !~ /json[^\/]*\.cpp$/)
      bad("in src/session only the codec of the snapshot knows JSON")
    if (target ~ /^CLI\// && FILENAME !~ /^src\/(main|server\/config_cli)\.cpp$/)
      bad("CLI11 belongs into config_cli.cpp")
    if (layer != "server" && layer != "main" && target ~ /^boost\/beast/)
      bad("Beast belongs into src/server")
  }

  BEGIN {
    n = split(rules, lines, "\n")
    for (i = 1; i <= n; i++) if (split(lines[i], rule, ": ") == 2) may[rule[1]] = rule[2]
  }
  FNR == 1 { layer = layer_of(FILENAME); header = FILENAME ~ /\.h$/ }
  /^[ \t]*#[ \t]*include[ \t]*["<]/ {
    target = $0
    sub(/^[^"<]*/, "", target)
    quoted = target ~ /^"/
    sub(/^["<]/, "", target)
    sub(/[">].*/, "", target)
    if (quoted) check_own(target); else check_foreign(target)
    # Who sees the WebSocket templates, directly or through headers of ours.
    if (target ~ /^boost\/beast(\/websocket(\/stream)?)?\.hpp$/) direct[FILENAME] = FNR
    if (quoted) uses[FILENAME] = uses[FILENAME] " " target
  }
  /co_await|co_return|co_yield/ {
    code = $0
    sub(/\/\/.*/, "", code)
    if (code ~ /co_(await|return|yield)/ && layer != "" && layer !~ /^(server|store)$/ &&
        FILENAME !~ /^src\/session\/(session[^\/]*\.cpp|signal\.h)$/)
      bad("coroutines belong into src/session/session*.cpp, src/server and src/store")
  }
  END {
    for (file in direct) sees[file] = 1
    do {
      grew = 0
      for (file in uses) {
        if (file in sees) continue
        n = split(uses[file], targets, " ")
        for (i = 1; i <= n; i++) {
          if (("src/" targets[i]) in sees || ("tests/" targets[i]) in sees) { sees[file] = 1; grew = 1; break }
        }
      }
    } while (grew)
    for (file in sees) {
      if (file ~ /^src\/.*\.cpp$/) { in_src++; src_list = src_list "\n  " file }
      if (file ~ /^tests\/.*\.cpp$/) { in_tests++; tests_list = tests_list "\n  " file }
      if (file ~ /\.h$/ && file in direct) headers++
    }
    if (in_src > 2) { print "src: " in_src " sources compile beast/websocket, at most 2 may:" src_list; failed = 1 }
    if (in_tests > 1) { print "tests: " in_tests " sources compile beast/websocket, at most 1 may:" tests_list; failed = 1 }
    if (headers > 1) { for (file in direct) if (file ~ /\.h$/) print file ":" direct[file] ": one header of the project may include beast/websocket"; failed = 1 }
    exit failed
  }
' "${sources[@]}"
