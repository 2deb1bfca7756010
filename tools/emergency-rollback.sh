#!/usr/bin/env bash
# Everything back to the legacy engine now, under live shells, and the proof that nothing was lost.
# shellcheck disable=SC2154
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/rollback/procedure.bash"

procedure emergency-rollback "Moves every live session to the legacy engine and verifies health, counts and offsets." "$@"
((${#arguments[@]} == 0)) || usage_error "unknown argument ${arguments[0]}"
announce "emergency rollback" "under a minute" "none: shells stay"
# One process for all steps: starting programs takes longer than the rollback itself.
steps_of ctl rollback --reason="$reason" --keep="$scratch"
