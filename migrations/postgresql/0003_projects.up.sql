CREATE TABLE IF NOT EXISTS terminal_projects (
  id text PRIMARY KEY,
  record json NOT NULL
);
