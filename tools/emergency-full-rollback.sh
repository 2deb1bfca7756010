#!/usr/bin/env bash
# Phase 5, everything back: alert, maintenance, backup, last good program, smoke test, traffic by steps.
# shellcheck disable=SC2154
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/rollback/procedure.bash"
source "$rollback_dir/checks.bash"
source "$rollback_dir/service.bash"

procedure emergency-full-rollback "Goes back to the last good program in legacy mode and readmits traffic by steps.
  --last-good=PATH       the program to go back to (default: the one that runs)
  --traffic-pause=SECS   how long each share of traffic is watched (default 60)
  --max-error-rate=PCT   above it the traffic does not grow and the procedure fails (default 1)" "$@"
last_good="" traffic_pause=60 max_error_rate=1
for argument in ${arguments[@]+"${arguments[@]}"}; do
  case $argument in
    --last-good=/*) last_good=${argument#*=} ;;
    --traffic-pause=[0-9]*) traffic_pause=${argument#*=} ;;
    --max-error-rate=[0-9]*) max_error_rate=${argument#*=} ;;
    *) usage_error "unknown argument $argument" ;;
  esac
done
announce "full rollback" "60 minutes" "no new terminals meanwhile; shells stay"
step "remember every session" step_remember
step "remember the flag" remember_flag
step "remember .env" remember_env
undo restore_flag
undo restore_env
undo maintenance_off
step "maintenance on" maintenance_on "Rolling back to the last good version: your terminals stay" "60 minutes"
step "backup of the state" step_export
step "backup of the database" step_checkpoint
step "backup of the programs" step_backup_programs
step "flag off, forced" step_flag_off
step "legacy mode in .env" env_legacy_mode
step "start the last good program" step_restart "$last_good"
step "health" step_health_checks 3
step "every session is there with its pid and offsets" step_verify_sessions live
for share in 10 25 50 75 100; do
  step "traffic $share %" step_traffic "$share" "$traffic_pause" "$max_error_rate"
done
step "maintenance off" maintenance_off
step "terminals tested" step_test_terminals
