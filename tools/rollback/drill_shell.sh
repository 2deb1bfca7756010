#!/usr/bin/env bash
# The shell of a drill's sessions: numbered lines without end, so that a missing one shows.
trap 'exit 0' HUP TERM
# Waiting on a pipe that never says anything: a sleep would be a process for every line.
exec {never}<> <(:)
for ((i = 0; ; i++)); do
  echo "drill $i"
  read -rt 0.05 -u "$never"
done
