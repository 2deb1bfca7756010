-- Legacy's own table may be there already. "C": pages of ids must be in the same order everywhere.
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
