#include "load/options.h"

#include <CLI/CLI.hpp>
#include <filesystem>

#include "load/works.h"

namespace term::bench {

namespace {

/// scheme://127.0.0.1:PORT[/path]; no other host.
Url parse_url(const std::string& text, const std::string& scheme) {
  const std::string start = scheme + "://127.0.0.1:";
  std::size_t digits = 0;
  unsigned long port = 0;
  try {
    if (text.starts_with(start)) port = std::stoul(text.substr(start.size()), &digits);
  } catch (const std::exception&) {
    port = 0;
  }
  if (port == 0 || port > 65535) throw Misused("\"" + text + "\" is not " + start + "PORT[/path]");
  std::string path = text.substr(start.size() + digits);
  if (path == "/") path.clear();
  return {.port = static_cast<unsigned short>(port), .path = std::move(path)};
}

void check(const Options& options) {
  if (!is_limit(options.work) && options.work != "frames" && !options.url)
    throw Misused(options.work + " needs --url=ws://127.0.0.1:PORT[/path]");
  if (options.content == Content::binary && carries_text_only(options.dialect))
    throw Misused("--content=binary: the dialect " + options.dialect + " carries text only");
  if (!options.engine.empty() && !is_ours(options.dialect))
    throw Misused("--engine: only our own service has engines");
  if (!options.engine.empty() && options.dialect != "native" && !options.http)
    throw Misused("--engine with --dialect=" + options.dialect + " needs --http to choose it");
}

void add_options(CLI::App& app, Options& o, std::string& url, std::string& http, std::string& pty,
                 std::string& echo) {
  app.add_option("work", o.work, work_list())->required();
  app.add_option("--dialect", o.dialect, "native raw legacy node ttyd terminado websocketd wetty");
  app.add_option("--url", url, "ws://127.0.0.1:PORT[/path]; {id} and {project} are filled in");
  app.add_option("--http", http, "http://127.0.0.1:PORT, the operator's port of ours");
  app.add_option("--admin-token", o.admin_token, "for --http");
  app.add_option("--pid", o.pids, "Processes whose CPU time and memory are measured");
  app.add_option("--engine", o.engine, "legacy or refactored")
      ->check(CLI::IsMember({"legacy", "refactored"}));
  app.add_option("--project", o.project, "Project of the sessions");
  app.add_option("--session-prefix", o.session_prefix, "How session names begin");
  app.add_option("--mib", o.mib, "MiB for each session");
  app.add_option("--content", o.content_name, "plain colour binary long-lines cjk")
      ->check(CLI::IsMember({"plain", "colour", "binary", "long-lines", "cjk"}));
  app.add_option("--seed", o.seed, "Of the content");
  app.add_option("--pty", pty, "raw or cooked")->check(CLI::IsMember({"raw", "cooked"}));
  app.add_option("--sessions", o.sessions, "Parallel sessions");
  app.add_option("--attached", o.attached, "idle: of the sessions, the rest without a viewer");
  app.add_option("--count", o.count, "Keystrokes, creations, attaches, interrupts, flips");
  app.add_option("--parallel", o.parallel, "create: so many at once");
  app.add_option("--floods", o.floods, "echo: flooding sessions beside it");
  app.add_option("--echo", echo, "program or tty")->check(CLI::IsMember({"program", "tty"}));
  app.add_option("--seconds", o.seconds, "idle: how long its CPU time is watched");
  app.add_option("--tick-ms", o.tick_ms,
                 "flip, handover, recovery: a line of each session every; default by their number");
  app.add_option("--frame-bytes", o.frame_bytes, "frames: payload of each");
  app.add_option("--patience", o.patience_s, "Seconds without progress that are the end");
  app.add_option("--shell", o.shell, "limit-spawn: what is started");
  app.add_option("--restart-command", o.restart_command,
                 "recovery: run by sh after the kill, starts the service again");
}

}  // namespace

Options read_options(int argc, char** argv) {
  Options options;
  std::string url, http, pty = "raw", echo = "program";
  CLI::App app(
      "One measurement of a terminal server, one JSON object on stdout.\n"
      "exit: 0 measured and exact, 1 wrong bytes, 2 usage, 3 the server could not do it");
  add_options(app, options, url, http, pty, echo);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error, std::cerr, std::cerr) == 0 ? 0 : 2);
  }
  if (!url.empty()) options.url = parse_url(url, "ws");
  if (!http.empty()) options.http = parse_url(http, "http");
  options.content = *content_named(options.content_name);
  options.cooked = pty == "cooked" && !without_tty(options.dialect);
  options.tty_echo = echo == "tty";
  if (options.session_prefix.empty()) options.session_prefix = "bench-" + options.work;
  if (options.project.empty())
    options.project = options.engine.empty() ? "bench" : "bench-" + options.engine;
  check(options);
  return options;
}

std::string source_path() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "bench-source";
}

}  // namespace term::bench
