#!/usr/bin/env bash
# Phase 1, nothing integrated yet: the refactored engine is disabled and health verified.
# shellcheck disable=SC2154
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/rollback/procedure.bash"
source "$rollback_dir/checks.bash"

procedure rollback-phase1 "Disables the refactored engine for all sessions, new and live, and verifies health." "$@"
((${#arguments[@]} == 0)) || usage_error "unknown argument ${arguments[0]}"
announce "phase 1" "5 minutes" "none: shells stay"
step "remember every session" step_remember
step "remember the flag" remember_flag
undo restore_flag
step "refactored engine disabled" step_flag_off
step "health" step_verify_health
step "every session is there with its pid and offsets" step_verify_sessions live
