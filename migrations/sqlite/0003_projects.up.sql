CREATE TABLE IF NOT EXISTS terminal_projects (
  id TEXT PRIMARY KEY NOT NULL,
  record TEXT NOT NULL CHECK (json_valid(record))
) STRICT;
