DROP TABLE IF EXISTS terminal_sessions_v2;
