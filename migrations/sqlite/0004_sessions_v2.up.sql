CREATE TABLE IF NOT EXISTS terminal_sessions_v2 (
  id TEXT PRIMARY KEY NOT NULL,
  project_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  state TEXT NOT NULL CHECK (json_valid(state)),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  last_activity TEXT NOT NULL,
  scrollback BLOB,
  scrollback_first INTEGER,
  scrollback_next INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS terminal_sessions_v2_project ON terminal_sessions_v2 (project_id);
CREATE INDEX IF NOT EXISTS terminal_sessions_v2_user ON terminal_sessions_v2 (user_id);
CREATE INDEX IF NOT EXISTS terminal_sessions_v2_activity ON terminal_sessions_v2 (last_activity);
