#!/bin/sh
# The shell of a drill's sessions: numbered lines without end, so that a missing one shows.
trap 'exit 0' HUP TERM
i=0
while :; do
  echo "drill $i"
  i=$((i + 1))
  sleep 0.02
done
