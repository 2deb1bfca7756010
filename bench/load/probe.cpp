#include "load/probe.h"

#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "load/options.h"

namespace term::bench {

namespace {

std::string slurp(pid_t pid, const char* name) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/" + name);
  std::stringstream out;
  out << in.rdbuf();
  if (out.str().empty())
    throw Unable("--pid=" + std::to_string(pid) + ": /proc has no " + name + " of it");
  return out.str();
}

/// `Name:   123 kB`
long kib_of(const std::string& text, const std::string& name) {
  const auto at = text.find("\n" + name + ":");
  return at == std::string::npos ? 0 : std::stol(text.substr(at + name.size() + 2));
}

double cpu_seconds(pid_t pid) {
  const std::string stat = slurp(pid, "stat");
  std::istringstream fields(stat.substr(stat.rfind(')') + 2));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace

double cpu_seconds(const Pids& pids) {
  double sum = 0;
  for (const pid_t pid : pids) sum += cpu_seconds(pid);
  return sum;
}

long pss_kib(pid_t pid) { return kib_of(slurp(pid, "smaps_rollup"), "Pss"); }

long pss_kib(const Pids& pids) {
  long sum = 0;
  for (const pid_t pid : pids) sum += pss_kib(pid);
  return sum;
}

void reset_peak(const Pids& pids) {
  for (const pid_t pid : pids)
    std::ofstream("/proc/" + std::to_string(pid) + "/clear_refs") << "5\n";
}

long peak_kib(const Pids& pids) {
  long sum = 0;
  for (const pid_t pid : pids) sum += kib_of(slurp(pid, "status"), "VmHWM");
  return sum;
}

nlohmann::ordered_json pss_by_process(const Pids& pids) {
  nlohmann::ordered_json out;
  long sum = 0;
  for (const pid_t pid : pids) {
    std::string name = slurp(pid, "comm");
    name.pop_back();
    const long kib = pss_kib(pid);
    out[name + ":" + std::to_string(pid)] = kib;
    sum += kib;
  }
  out["total"] = sum;
  return out;
}

}  // namespace term::bench
