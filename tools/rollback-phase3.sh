#!/usr/bin/env bash
# Phase 3: maintenance, export, flag off, restore to legacy, restart, ten health checks.
# shellcheck disable=SC2154
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/rollback/procedure.bash"
source "$rollback_dir/checks.bash"
source "$rollback_dir/service.bash"

procedure rollback-phase3 "Rolls back with the state exported first and restored for legacy; shells live on." "$@"
((${#arguments[@]} == 0)) || usage_error "unknown argument ${arguments[0]}"
announce "phase 3" "15 minutes" "no new terminals meanwhile; shells stay"
step "remember every session" step_remember
step "remember the flag" remember_flag
undo restore_flag
undo maintenance_off
step "maintenance on" maintenance_on "Rolling back, phase 3: your terminals stay" "15 minutes"
step "export" step_export
step "flag off, forced" step_flag_off
step "restore to legacy" step_restore_legacy
step "restart by hand-over" step_restart
step "ten health checks" step_health_checks 10
step "every session is there with its pid and offsets" step_verify_sessions live
step "maintenance off" maintenance_off
step "terminals tested" step_test_terminals
