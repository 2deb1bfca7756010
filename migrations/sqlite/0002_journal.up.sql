CREATE TABLE IF NOT EXISTS terminal_flags (
  key TEXT PRIMARY KEY NOT NULL,
  value TEXT NOT NULL CHECK (json_valid(value))
) STRICT;
CREATE TABLE IF NOT EXISTS terminal_flips (
  id TEXT PRIMARY KEY NOT NULL,
  started TEXT NOT NULL,
  entry TEXT NOT NULL CHECK (json_valid(entry))
) STRICT;
CREATE INDEX IF NOT EXISTS terminal_flips_started ON terminal_flips (started);
CREATE TABLE IF NOT EXISTS terminal_audit (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  key TEXT UNIQUE,
  at TEXT NOT NULL,
  who TEXT NOT NULL,
  caller TEXT NOT NULL,
  action TEXT NOT NULL,
  detail TEXT NOT NULL,
  result TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS terminal_commands (
  session_id TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  project_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  at TEXT NOT NULL,
  command TEXT NOT NULL,
  category TEXT NOT NULL,
  duration_ms INTEGER NOT NULL,
  failed INTEGER NOT NULL CHECK (failed IN (0, 1)),
  PRIMARY KEY (session_id, sequence)
) STRICT;
CREATE INDEX IF NOT EXISTS terminal_commands_at ON terminal_commands (at);
CREATE INDEX IF NOT EXISTS terminal_commands_project ON terminal_commands (project_id, at);
CREATE INDEX IF NOT EXISTS terminal_commands_user ON terminal_commands (user_id, at);
