DROP TABLE IF EXISTS terminal_commands;
DROP TABLE IF EXISTS terminal_audit;
DROP TABLE IF EXISTS terminal_flips;
DROP TABLE IF EXISTS terminal_flags;
