# shellcheck shell=bash disable=SC2154
# Steps that touch more than the flag: .env, the process, the state, the database, admission. Sourced
# after procedure.bash and checks.bash.

service_pid() { jq -r .pid "$state_dir/service.json"; }
# The .env that the service reads: in its own working directory.
env_file() { printf '%s/.env' "$(readlink "/proc/$(service_pid)/cwd")"; }
# env_of KEY: as the service got it, from its environment or its .env. Not for show: may be a secret.
env_of() {
  local value
  value=$(tr '\0' '\n' <"/proc/$(service_pid)/environ" | sed -n "s/^$1=//p" | tail -n 1)
  [[ -n $value || ! -r $(env_file) ]] || value=$(sed -n "s/^[[:space:]]*$1=//p" "$(env_file)" | tail -n 1)
  value=${value#[\"\']}
  printf '%s' "${value%[\"\']}"
}

# On the database of the service, whatever this shell's environment and .env say; empty = SQLite.
ctl_db() { DATABASE_URL=$(env_of DATABASE_URL) ctl db "$@"; }

remember_env() {
  local file
  file=$(env_file)
  printf '%s' "$file" >"$scratch/env.path"
  if [[ -e $file ]]; then cp -p "$file" "$scratch/env.saved"; fi
  note file "$(jq -n --arg file "$file" '$file')"
}
restore_env() {
  local file
  file=$(<"$scratch/env.path")
  if [[ -e $scratch/env.saved ]]; then
    cp -p "$scratch/env.saved" "$file.rollback" && mv "$file.rollback" "$file"
  else
    rm -f "$file"
  fi
  # Read again; a service that is not there reads it when it starts.
  kill -HUP "$(service_pid)" 2>/dev/null || true
}
# set_env KEY=VALUE...: the last occurrence of a key wins, so they go to the end; once, however often
# the procedure runs. Replaced as a whole: a service that starts now reads the old or the new one.
set_env() {
  local file assignment
  file=$(<"$scratch/env.path")
  : >"$scratch/env.next"
  [[ ! -e $file ]] || cp -p "$file" "$scratch/env.next"
  # A last line without its end would swallow ours.
  [[ ! -s $scratch/env.next || -z $(tail -c 1 "$scratch/env.next") ]] || echo >>"$scratch/env.next"
  for assignment in "$@"; do
    sed -i "/^[[:space:]]*${assignment%%=*}=/d" "$scratch/env.next"
    printf '%s\n' "$assignment" >>"$scratch/env.next"
  done
  cp -p "$scratch/env.next" "$file.rollback"
  mv "$file.rollback" "$file"
  note set "$(jq -nc '$ARGS.positional' --args "$@")"
}
env_flags_off() { set_env TERMINAL_REFACTOR_ENABLED=false TERMINAL_DUAL_WRITE=false; }
env_legacy_mode() {
  set_env TERMINAL_LEGACY_MODE=true TERMINAL_REFACTOR_ENABLED=false TERMINAL_DUAL_WRITE=false
}

# step_restart [PROGRAM]: hand-over to a new process, which reads .env anew. No service at all (it was
# killed in between): it is started; its shells are with the holder.
step_restart() {
  local answer
  if ! kill -0 "$(service_pid)" 2>/dev/null; then fail "no service runs; start it, then run this again"; fi
  answer=$(ctl restart ${1:+"--binary=$1"}) || fail "no hand-over: ${answer:0:300}"
  note restart "$(jq -c '{from, to, sessions, connections, pause_ms}' <<<"$answer")"
}

step_clear_cache() {
  local url
  url=$(env_of REDIS_URL)
  if [[ -z $url ]]; then
    note cache '"in the process: began anew with it"'
    return
  fi
  command -v redis-cli >/dev/null || fail "needs redis-cli (Debian package redis-tools)"
  # Not as an argument: it may hold a password.
  redis_flush "$url" || fail "redis-cli FLUSHDB failed"
  note cache '"FLUSHDB"'
}
redis_flush() {
  local url=$1 password="" rest
  if [[ $url == unix:* || $url == /* ]]; then
    redis-cli -s "${url#unix:}" FLUSHDB
    return
  fi
  rest=${url#redis://}
  if [[ $rest == *@* ]]; then
    password=${rest%@*} rest=${rest##*@}
    password=${password#*:}
  fi
  REDISCLI_AUTH=$password redis-cli -u "redis://$rest" FLUSHDB
}

# The export stays beside the report: it is what a cold restore starts from.
step_export() {
  local file=${report_file%.json}.state.json
  mkdir -p "$(dirname "$file")"
  (umask 077 && "$control" --state-dir="$state_dir" state export >"$file.new") || fail "the export failed"
  mv "$file.new" "$file"
  printf '%s' "$file" >"$scratch/export.path"
  note file "$(jq -n --arg file "$file" '$file')"
  note bytes "$(stat -c %s "$file")"
}
step_restore_legacy() {
  local answer status=0
  answer=$(ctl state restore --engine=legacy "$(<"$scratch/export.path")") || status=$?
  note restore "$(jq -c '{restored, adopted, skipped, failed}' <<<"$answer" || echo null)"
  ((status == 0)) || fail "the restore failed: ${answer:0:300}"
}

step_checkpoint() {
  local file url
  file=${report_file%.json}.checkpoint
  mkdir -p "$(dirname "$file")"
  url=$(env_of DATABASE_URL)
  if [[ -n $url ]]; then
    command -v pg_dump >/dev/null || fail "needs pg_dump (Debian package postgresql-client)"
    file=$file.sql
    # By the environment: an argument would show the password.
    (umask 077 && with_database "$url" pg_dump >"$file.new") || fail "pg_dump failed"
  else
    file=$file.db
    rm -f "$file.new"
    (umask 077 && ctl_db backup "$file.new") || fail "the copy of the database failed"
  fi
  mv "$file.new" "$file"
  note file "$(jq -n --arg file "$file" '$file')"
  note bytes "$(stat -c %s "$file")"
}
# with_database URL PROGRAM ARGUMENTS...: connected by a service file, so that no argument and no
# environment of another process shows the password.
with_database() {
  local url=$1
  shift
  PGDATABASE=$url bash -c '"$@" -d "$PGDATABASE"' _ "$@"
}
step_schema_back() {
  local url
  url=$(env_of DATABASE_URL)
  if [[ -z $url ]]; then
    ctl_db rollback-v2 >/dev/null || fail "the schema did not go back"
  else
    with_database "$url" psql -v ON_ERROR_STOP=1 -q -f "$project_root/migrations/rollback-terminal-v2.sql" ||
      fail "rollback-terminal-v2.sql failed"
  fi
}
step_migrate_to_legacy() {
  local answer status=0
  answer=$(ctl_db migrate-to-legacy --source=terminal_sessions_v2 --target=terminal_sessions \
    --beside-service) || status=$?
  note migrated "$(jq -c . <<<"$answer" || echo null)"
  ((status == 0)) || fail "the data did not move: ${answer:0:300}"
}

# The programs and which source they were built from.
step_backup_programs() {
  local file=${report_file%.json}.programs.tar.gz exe
  mkdir -p "$(dirname "$file")"
  exe=$(readlink -f "/proc/$(service_pid)/exe")
  # Quickly rather than small: users wait in maintenance meanwhile.
  (umask 077 && tar -I "gzip -1" -cf "$file.new" -C "$(dirname "$exe")" "$(basename "$exe")" \
    -C "$(dirname "$control")" "$(basename "$control")") || fail "the programs could not be saved"
  mv "$file.new" "$file"
  note file "$(jq -n --arg file "$file" '$file')"
  note commit "$(git -C "$project_root" rev-parse HEAD 2>/dev/null | jq -R . || echo null)"
}

step_validate_seven() {
  local health
  health=$(api GET /api/health/terminal) || fail "health does not answer"
  note modules "$(jq -c .legacy <<<"$health")"
  jq -e '.legacy | length == 7 and all(.healthy)' <<<"$health" >/dev/null ||
    fail "not all seven legacy modules are well"
  jq -e '[.sessions[] | .engine[] | select(. != "legacy")] == []' <<<"$(sessions_now)" >/dev/null ||
    fail "some sessions are not with legacy"
}

# Watches until the time is over; the first threshold that is crossed fails it.
step_monitor() {
  (($1 > 0)) || return 0
  "$control" --state-dir="$state_dir" monitor "--duration=$1" >>"$scratch/log" || fail "a threshold was crossed; see the bundle's procedure.log"
}

# step_traffic SHARE SECONDS MAX-ERROR-RATE
step_traffic() {
  local end rate
  api POST /api/admin/traffic "{\"percentage\": $1}" >/dev/null || fail "the share was not set"
  end=$((SECONDS + $2))
  while :; do
    rate=$(api GET /api/metrics/errors | jq .rate) || fail "no error rate"
    note error_rate "$rate"
    jq -en --argjson rate "$rate" --argjson max "$3" '$rate <= $max' >/dev/null || fail "error rate $rate % is above $3 %"
    step_verify_health
    ((SECONDS < end)) || return 0
    sleep 1
  done
}
