#!/usr/bin/env bash
# Everything back to the legacy engine now, under live shells, and the proof that nothing was lost.
# shellcheck disable=SC2154
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/rollback/procedure.bash"
source "$rollback_dir/checks.bash"

procedure emergency-rollback "Moves every live session to the legacy engine and verifies health, counts and offsets." "$@"
((${#arguments[@]} == 0)) || usage_error "unknown argument ${arguments[0]}"
announce "emergency rollback" "under a minute" "none: shells stay"
step "remember every session" step_remember
step "flag off, forced" step_flag_off
step "health" step_verify_health
step "every session is there with its pid and offsets" step_verify_sessions live
