#!/usr/bin/env bash
# Names every file of over 400 lines: there is a second thing in it. Usage: tools/check-length.sh [ROOT]
# Counts what people write and read, so not locks and generated files. Ends with 1 if there is one.
set -euo pipefail

cd "${1:-$(dirname "${BASH_SOURCE[0]}")/..}"
max_lines=400
status=0
while IFS= read -r file; do
  lines=$(wc -l <"$file")
  ((lines > max_lines)) || continue
  printf '%s: %d lines, at most %d\n' "${file#./}" "$lines" "$max_lines"
  status=1
done < <(find . \( -name .git -o -name node_modules -o -name build -o -name dist \) -prune -o -type f \
  \( -name '*.h' -o -name '*.cpp' -o -name '*.ts' -o -name '*.mjs' -o -name '*.js' -o -name '*.css' \
  -o -name '*.html' -o -name '*.sh' -o -name '*.py' -o -name '*.sql' -o -name CMakeLists.txt \
  -o -path ./dev -o -path ./.ci/run \) -print | LC_ALL=C sort)
exit $status
