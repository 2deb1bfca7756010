#!/usr/bin/env bash
# Phase 2: flags off in .env, restart by hand-over, cache cleared, terminals tested.
# shellcheck disable=SC2154
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/rollback/procedure.bash"
source "$rollback_dir/checks.bash"
source "$rollback_dir/service.bash"

procedure rollback-phase2 "Switches the refactored engine and dual write off in .env, moves the live sessions, restarts and tests." "$@"
((${#arguments[@]} == 0)) || usage_error "unknown argument ${arguments[0]}"
announce "phase 2" "10 minutes" "a pause of milliseconds: shells and connections stay"
step "remember every session" step_remember
step "remember the flag" remember_flag
step "remember .env" remember_env
undo restore_flag
undo restore_env
step "flags off in .env" env_flags_off
step "flag off, forced" step_flag_off
step "restart by hand-over" step_restart
step "cache cleared" step_clear_cache
step "health" step_verify_health
step "every session is there with its pid and offsets" step_verify_sessions live
step "terminals tested" step_test_terminals
