#pragma once
// The measurements; each returns its JSON, with `value`, `unit` and `exact`.

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "load/dialect.h"
#include "load/options.h"

namespace term::bench {

using Json = nlohmann::ordered_json;

Json bulk(const Options& options);
Json echo(const Options& options);
Json paste(const Options& options);
Json create(const Options& options);
Json attach(const Options& options);
Json idle(const Options& options);
Json interrupt(const Options& options);
Json flip(const Options& options);
Json handover(const Options& options);
Json recovery(const Options& options);
Json frames(const Options& options);

Json limit_pty_read(const Options& options);
Json limit_pty_tcp(const Options& options);
Json limit_tcp_echo(const Options& options);
Json limit_pty_echo(const Options& options);
Json limit_both_echo(const Options& options);
Json limit_spawn(const Options& options);

/// Throws Misused for a name that is none.
Json run_work(const Options& options);
bool is_limit(const std::string& work);
std::string work_list();

}  // namespace term::bench
