#!/bin/sh
# Brings node_modules to the state of package-lock.json; does nothing when it is there already.
# No install script is run: the pty library comes with its binary.
set -eu
cd "$(dirname "$0")"
exec 9<package-lock.json
flock 9
if ! cmp -s package-lock.json node_modules/.installed-lock; then
  npm ci --ignore-scripts --loglevel=error
  cp package-lock.json node_modules/.installed-lock
fi
