#!/bin/sh
# npm-install.sh DIR: brings DIR/node_modules to the state of DIR/package-lock.json; does nothing when it is there already.
# No install script is run: what needs a binary comes with it. The lock lets several builds share one node_modules.
set -eu
cd "${1:?npm-install.sh: name the directory of a package-lock.json}"
exec 9<package-lock.json
flock 9
if ! cmp -s package-lock.json node_modules/.installed-lock; then
  npm ci --ignore-scripts --loglevel=error
  cp package-lock.json node_modules/.installed-lock
fi
touch node_modules/.installed-lock
