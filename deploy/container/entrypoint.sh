#!/bin/sh
# The holder as process 1; its arguments are the service's. `docker restart` and an end of the
# container end the shells; a crash, an upgrade and a restart of the service alone do not.
set -eu
exec /usr/bin/terminal-holder --state-dir="$TERMINAL_STATE_DIR" --init -- /usr/bin/terminal-service "$@"
