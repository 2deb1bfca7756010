#pragma once
// What a measurement costs the server: CPU time and memory of processes, from /proc.

#include <sys/types.h>

#include <nlohmann/json_fwd.hpp>
#include <vector>

namespace term::bench {

using Pids = std::vector<pid_t>;

/// User and system time of all threads, those that ended too. Errors: Unable, if one is gone.
double cpu_seconds(const Pids& pids);
/// Proportional set size, KiB: shared pages are shared out.
long pss_kib(pid_t pid);
long pss_kib(const Pids& pids);
/// Forgets the peak so far.
void reset_peak(const Pids& pids);
/// The largest resident size since then, KiB.
long peak_kib(const Pids& pids);
/// {"name:pid": KiB, …, "total": KiB}
nlohmann::ordered_json pss_by_process(const Pids& pids);

}  // namespace term::bench
