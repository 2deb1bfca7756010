CREATE TABLE IF NOT EXISTS terminal_sessions_v2 (
  id varchar(255) COLLATE "C" PRIMARY KEY,
  project_id text NOT NULL,
  user_id text NOT NULL,
  state jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  last_activity timestamptz NOT NULL DEFAULT now(),
  scrollback bytea,
  scrollback_first bigint,
  scrollback_next bigint
);
CREATE INDEX IF NOT EXISTS terminal_sessions_v2_project ON terminal_sessions_v2 (project_id);
CREATE INDEX IF NOT EXISTS terminal_sessions_v2_user ON terminal_sessions_v2 (user_id);
CREATE INDEX IF NOT EXISTS terminal_sessions_v2_activity ON terminal_sessions_v2 (last_activity);
