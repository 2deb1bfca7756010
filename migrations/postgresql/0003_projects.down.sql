DROP TABLE IF EXISTS terminal_projects;
