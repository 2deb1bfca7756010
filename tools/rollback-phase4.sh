#!/usr/bin/env bash
# Phase 4: checkpoint of the database, schema back, data to legacy, legacy mode, validate, monitor.
# Options of its own: --monitor=SECONDS (default 900; 0 = none).
# shellcheck disable=SC2154
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/rollback/procedure.bash"
source "$rollback_dir/checks.bash"
source "$rollback_dir/service.bash"

procedure rollback-phase4 "Brings the database back to the legacy schema and the service into legacy mode.
  --monitor=SECONDS  how long to watch afterwards (default 900, 0 = not)" "$@"
monitor_seconds=900
for argument in ${arguments[@]+"${arguments[@]}"}; do
  [[ $argument =~ ^--monitor=([0-9]+)$ ]] || usage_error "unknown argument $argument"
  monitor_seconds=${BASH_REMATCH[1]}
done
announce "phase 4" "30 minutes" "no new terminals meanwhile; shells stay"
step "remember every session" step_remember
step "remember the flag" remember_flag
step "remember .env" remember_env
undo restore_flag
undo restore_env
undo maintenance_off
step "maintenance on" maintenance_on "Rolling back, phase 4: your terminals stay" "30 minutes"
step "checkpoint of the database" step_checkpoint
step "flag off, forced" step_flag_off
step "schema back" step_schema_back
step "data to legacy" step_migrate_to_legacy
step "legacy mode in .env" env_legacy_mode
step "start in legacy mode" step_restart
step "all seven modules" step_validate_seven
step "every session is there with its pid and offsets" step_verify_sessions live
step "maintenance off" maintenance_off
step "terminals tested" step_test_terminals
step "monitoring for $monitor_seconds s" step_monitor "$monitor_seconds"
