CREATE TABLE IF NOT EXISTS terminal_sessions (
  id TEXT PRIMARY KEY NOT NULL,
  project_id TEXT NOT NULL,
  user_id TEXT,
  type TEXT NOT NULL CHECK (type IN ('system', 'claude')),
  tab_name TEXT NOT NULL,
  active INTEGER NOT NULL CHECK (active IN (0, 1)),
  output TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(output)),
  current_path TEXT NOT NULL,
  pid INTEGER,
  metadata TEXT CHECK (json_valid(metadata)),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS terminal_sessions_project ON terminal_sessions (project_id);
CREATE INDEX IF NOT EXISTS terminal_sessions_user ON terminal_sessions (user_id);
