-- Takes the schema of a PostgreSQL database back to the one that legacy works with, before the data
-- is migrated:
--
--   pg_dump "$DATABASE_URL" > rollback-checkpoint.sql
--   psql "$DATABASE_URL" < migrations/rollback-terminal-v2.sql
--   tools/migrate-to-legacy --source=terminal_sessions_v2 --target=terminal_sessions
--
-- terminal_sessions_v2 keeps its rows and stays readable: the third line reads them. Migration 4 is
-- no longer in effect, so a service that knows it applies it again and loses nothing. All or
-- nothing; can be run twice.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
BEGIN;

-- As in postgresql/0001_sessions.up.sql; a database that never had legacy gets its table here.
CREATE TABLE IF NOT EXISTS terminal_sessions (
  id varchar(255) COLLATE "C" PRIMARY KEY,
  project_id text NOT NULL,
  user_id text,
  type text NOT NULL CHECK (type IN ('system', 'claude')),
  tab_name text NOT NULL,
  active boolean NOT NULL DEFAULT true,
  output jsonb NOT NULL DEFAULT '[]',
  current_path text NOT NULL,
  pid integer,
  metadata jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS terminal_sessions_project ON terminal_sessions (project_id);
CREATE INDEX IF NOT EXISTS terminal_sessions_user ON terminal_sessions (user_id);

DROP INDEX IF EXISTS terminal_sessions_v2_project;
DROP INDEX IF EXISTS terminal_sessions_v2_user;
DROP INDEX IF EXISTS terminal_sessions_v2_activity;

CREATE TABLE IF NOT EXISTS terminal_migrations (
  number integer PRIMARY KEY,
  name text NOT NULL
);
DELETE FROM terminal_migrations WHERE number >= 4;

COMMIT;
