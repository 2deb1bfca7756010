#pragma once
// Which shell, where, and with which environment (reference/origin.md 1.4 and 1.5, DESIGN.md 10).

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "session/types.h"

namespace term {

struct Shell {
  std::string path;
  std::vector<std::string> args;  ///< `-l` for bash and zsh.
};

/// First that exists and may be executed: $SHELL, /bin/bash, /usr/bin/bash, /bin/sh, /usr/bin/sh,
/// /bin/dash, /bin/ash. Nothing is typed into it; a $SHELL that refuses logins (nologin, false),
/// as system users have it, is passed over. Errors: no_shell, naming what was tried.
Result<Shell> choose_shell(const std::map<std::string, std::string>& environment);
/// The same with candidates of the caller's.
Result<Shell> first_shell(const std::vector<std::string>& candidates);

/// `requested` if it is a directory; its parent if it is a file; else $HOME, else `/`. A relative
/// path says nothing here: the client's working directory is not ours.
std::string choose_directory(const std::string& requested,
                             const std::map<std::string, std::string>& environment);

/// What the shell gets: the service's environment without the service's own and secret variables
/// (every key of the configuration table, TERMINAL_*, *TOKEN*, *SECRET*, *PASSWORD* and kin) and
/// without what belongs to the terminal or build it was started from (LINES, TMUX, MAKEFLAGS, …),
/// plus `additions`, both without hooks (LD_*, BASH_ENV, ENV, NOTIFY_SOCKET, LISTEN_* and kin) and
/// with names `[A-Za-z_][A-Za-z0-9_]*` only; plus TERM=xterm-256color, COLORTERM=truecolor, LANG
/// (kept, else C.UTF-8), SHELL, PWD, TERMINAL_SESSION_ID, TERMINAL_PROJECT_ID. As `NAME=value`,
/// sorted by name.
std::vector<std::string> shell_environment(const std::map<std::string, std::string>& service,
                                           const std::map<std::string, std::string>& additions,
                                           const Shell& shell, const std::string& directory,
                                           const SessionId& id, const ProjectId& project);

/// The calling process's environment as a map.
std::map<std::string, std::string> process_environment();

}  // namespace term
