#!/usr/bin/env bash
# Plants one violation at a time into a copy of the tree: tools/check-layers.sh must name its place.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
failures=0

# expect_named FILE LINE CODE: CODE as line LINE of the new or existing FILE is refused and named.
expect_named() {
  local file=$1 line=$2 code=$3 output
  rm -rf "${copy:?}/src" "$copy/tests"
  cp -r "$root/src" "$root/tests" "$copy/"
  mkdir -p "$(dirname "$copy/$file")"
  [[ -f $copy/$file ]] || printf '\n%.0s' $(seq "$line") >"$copy/$file"
  sed -i "${line}i\\$code" "$copy/$file"
  if output=$("$root/tools/check-layers.sh" "$copy"); then
    printf 'not refused: %s: %s\n' "$file" "$code"
  elif [[ $output != *"$file:$line"* ]]; then
    printf 'refused, but %s:%s is not named: %s\n%s\n' "$file" "$line" "$code" "$output"
  else
    return 0
  fi
  failures=$((failures + 1))
}

expect_named src/session/types.cpp 2 '#include "server/config.h"'
expect_named src/session/planted.h 3 '#include "adapter/engines.h"'
expect_named src/session/planted.cpp 1 '#include <boost/beast/core.hpp>'
expect_named src/session/planted.cpp 1 '#include <nlohmann/json.hpp>'
expect_named src/legacy/planted.cpp 2 '#include "refactored/engine.h"'
expect_named src/refactored/planted.cpp 2 '  #  include "legacy/engine.h"'
expect_named src/refactored/planted.cpp 2 '#include "adapter/engines.h"'
expect_named src/legacy/planted.cpp 1 '#include <nlohmann/json.hpp>'
expect_named src/legacy/planted.cpp 1 '#include <sys/socket.h>'
expect_named src/refactored/planted.cpp 1 '#include <sqlite3.h>'
expect_named src/adapter/planted.cpp 1 '#include "server/config.h"'
expect_named src/adapter/planted.cpp 1 '#include <boost/beast/http.hpp>'
expect_named src/store/planted.cpp 1 '#include "adapter/engines.h"'
expect_named src/holder/planted.cpp 1 '#include "session/types.h"'
expect_named src/holder/planted.cpp 1 '#include <boost/asio/io_context.hpp>'
expect_named src/server/planted.cpp 1 '#include "legacy/engine.h"'
expect_named src/server/planted.h 1 '#include <nlohmann/json.hpp>'
expect_named src/server/planted.h 1 '#include <boost/asio.hpp>'
expect_named tests/session/planted.h 1 '#include <boost/beast.hpp>'
expect_named src/server/planted.cpp 1 '#include "../session/types.h"'
expect_named src/server/planted.cpp 1 '#include <CLI/CLI.hpp>'
expect_named src/main.cpp 1 '#include "legacy/engine.h"'
expect_named src/unheard_of/planted.cpp 1 '#include "session/types.h"'
expect_named src/legacy/planted.cpp 2 '  co_await timer.async_wait();'
expect_named src/adapter/planted.cpp 2 'net::awaitable<void> f() { co_return; }'
expect_named src/session/output_ring.cpp 2 '  co_await x;'

# Three sources that see the WebSocket templates, one of them through two headers.
rm -rf "${copy:?}/src" "$copy/tests"
mkdir -p "$copy/src/server" "$copy/tests"
echo '#include <boost/beast/websocket.hpp>' | tee "$copy/src/server/a.cpp" "$copy/src/server/b.cpp" >"$copy/src/server/ws.h"
echo '#include "server/ws.h"' >"$copy/src/server/wrapper.h"
"$root/tools/check-layers.sh" "$copy" || { echo 'two sources were refused'; failures=$((failures + 1)); }
echo '#include "server/wrapper.h"' >"$copy/src/server/c.cpp"
if output=$("$root/tools/check-layers.sh" "$copy") || [[ $output != *src/server/c.cpp* ]]; then
  printf 'a third source with beast/websocket was not named\n%s\n' "$output"
  failures=$((failures + 1))
fi

# Length.
printf '//\n%.0s' {1..401} >"$copy/src/server/a.cpp"
if output=$("$root/tools/check-length.sh" "$copy") || [[ $output != *"src/server/a.cpp: 401 lines"* ]]; then
  printf 'a file of 401 lines was not named\n%s\n' "$output"
  failures=$((failures + 1))
fi

((failures == 0)) || exit 1
echo "every planted violation was named"
