#!/usr/bin/env bash
# docs/configuration.md must hold the table that the service prints. Usage: config_doc_test.sh SERVICE
set -euo pipefail
doc=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/docs/configuration.md
if ! diff <(sed -n '/^| key | default /,/^$/p' "$doc" | sed '/^$/d') <("$1" --print-config-table); then
  echo "docs/configuration.md (<) differs from the table in the code (>): put the lines of" \
    "'terminal-service --print-config-table' into it"
  exit 1
fi
