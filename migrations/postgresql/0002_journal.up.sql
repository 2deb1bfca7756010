-- json, not jsonb: what is read is the text that was written.
CREATE TABLE IF NOT EXISTS terminal_flags (
  key text PRIMARY KEY,
  value json NOT NULL
);
CREATE TABLE IF NOT EXISTS terminal_flips (
  id text PRIMARY KEY,
  started timestamptz NOT NULL,
  entry json NOT NULL
);
CREATE INDEX IF NOT EXISTS terminal_flips_started ON terminal_flips (started);
CREATE TABLE IF NOT EXISTS terminal_audit (
  sequence bigserial PRIMARY KEY,
  key text UNIQUE,
  at timestamptz NOT NULL,
  who text NOT NULL,
  caller text NOT NULL,
  action text NOT NULL,
  detail text NOT NULL,
  result text NOT NULL
);
CREATE TABLE IF NOT EXISTS terminal_commands (
  session_id varchar(255) COLLATE "C" NOT NULL,
  sequence bigint NOT NULL,
  project_id text NOT NULL,
  user_id text NOT NULL,
  at timestamptz NOT NULL,
  command text NOT NULL,
  category text NOT NULL,
  duration_ms bigint NOT NULL,
  failed boolean NOT NULL,
  PRIMARY KEY (session_id, sequence)
);
CREATE INDEX IF NOT EXISTS terminal_commands_at ON terminal_commands (at);
CREATE INDEX IF NOT EXISTS terminal_commands_project ON terminal_commands (project_id, at);
CREATE INDEX IF NOT EXISTS terminal_commands_user ON terminal_commands (user_id, at);
