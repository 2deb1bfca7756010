#pragma once
// What one invocation measures.

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "content.h"

namespace term::bench {

/// The server could not do it, or did it wrong in a way that leaves nothing to measure. Exit 3.
struct Unable : std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// The command line asks for something that cannot be. Exit 2.
struct Misused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Url {
  unsigned short port = 0;
  std::string path;  ///< With the query; empty: the dialect's own.
};

struct Options {
  std::string work;
  std::string dialect = "native";
  std::optional<Url> url;
  std::optional<Url> http;  ///< The operator's port of ours.
  std::string admin_token;
  std::vector<pid_t> pids;
  std::string engine;  ///< legacy, refactored, or empty: as the service decides.
  std::string session_prefix;
  std::string project;  ///< Sessions chosen an engine for are in one of their own.

  std::optional<double> mib;
  std::string content_name = "plain";
  Content content = Content::plain;
  bool cooked = false;
  std::uint64_t seed = 1;
  std::optional<unsigned> sessions;
  std::optional<unsigned> attached;
  std::optional<unsigned> count;
  unsigned parallel = 1;
  unsigned floods = 0;
  bool tty_echo = false;
  unsigned seconds = 5;
  std::optional<unsigned> tick_ms;
  unsigned frame_bytes = 8192;
  unsigned patience_s = 30;  ///< Without any progress.
  std::string shell = "/bin/sh";
  std::string restart_command;

  double mib_or(double otherwise) const { return mib.value_or(otherwise); }
  unsigned count_or(unsigned otherwise) const { return count.value_or(otherwise); }
  unsigned sessions_or(unsigned otherwise) const { return sessions.value_or(otherwise); }
};

/// Ends the process for --help (0) and for what cannot be understood (2).
Options read_options(int argc, char** argv);
/// The program that runs in sessions, beside this one.
std::string source_path();

}  // namespace term::bench
