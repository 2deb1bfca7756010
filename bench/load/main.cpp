// bench-load: one invocation is one measurement.

#include <signal.h>
#include <sys/resource.h>

#include <array>
#include <iostream>
#include <nlohmann/json.hpp>

#include "load/works.h"

namespace term::bench {

namespace {

struct Work {
  const char* name;
  Json (*run)(const Options&);
};

constexpr std::array kWorks{
    Work{"bulk", bulk},
    Work{"echo", echo},
    Work{"paste", paste},
    Work{"create", create},
    Work{"attach", attach},
    Work{"idle", idle},
    Work{"interrupt", interrupt},
    Work{"flip", flip},
    Work{"handover", handover},
    Work{"recovery", recovery},
    Work{"frames", frames},
    Work{"limit-pty-read", limit_pty_read},
    Work{"limit-pty-tcp", limit_pty_tcp},
    Work{"limit-tcp-echo", limit_tcp_echo},
    Work{"limit-pty-echo", limit_pty_echo},
    Work{"limit-both-echo", limit_both_echo},
    Work{"limit-spawn", limit_spawn},
};

/// Thousands of connections.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int measure(const Options& options) {
  Json out{{"work", options.work}};
  if (!is_limit(options.work)) out["dialect"] = options.dialect;
  int status = 0;
  raise_file_limit();
  try {
    out.update(run_work(options));
    if (!out.value("exact", true)) status = 1;
  } catch (const Unable& error) {
    out["error"] = error.what();
    status = 3;
  }
  std::cout << out.dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
  return status;
}

}  // namespace

Json run_work(const Options& options) {
  for (const Work& work : kWorks) {
    if (options.work == work.name) return work.run(options);
  }
  throw Misused("\"" + options.work + "\" is none of: " + work_list());
}

bool is_limit(const std::string& work) { return work.starts_with("limit-"); }

std::string work_list() {
  std::string out;
  for (const Work& work : kWorks) out += (out.empty() ? "" : " ") + std::string(work.name);
  return out;
}

}  // namespace term::bench

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  try {
    return term::bench::measure(term::bench::read_options(argc, argv));
  } catch (const term::bench::Misused& error) {
    std::cerr << "bench-load: " << error.what() << "\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "bench-load: " << error.what() << "\n";
    return 3;
  }
}
