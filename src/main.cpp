// terminal-service: configuration, logging, limits, the service, signals; in this order.

#include <fcntl.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "server/config.h"
#include "server/config_cli.h"
#include "server/logging.h"
#include "server/service.h"
#include "server/stop_command.h"
#include "session/shell.h"
#include "web/assets.h"

namespace {

constexpr int kRefusedConfiguration = 78;  // EX_CONFIG of sysexits.h.

/// A session and a connection take a descriptor each. Returns the soft limit there was.
std::uint64_t raise_open_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const std::uint64_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0)
    spdlog::warn("service.limit cannot raise open files");
  return before;
}

/// Waits for SIGTERM or SIGINT; SIGHUP reads the configuration again.
void serve_until_told(term::server::Service& service, const sigset_t& signals,
                      const std::map<std::string, std::string>& flags) {
  for (;;) {
    int signal = 0;
    if (::sigwait(&signals, &signal) != 0) continue;
    if (signal != SIGHUP) return;
    term::server::reopen_logs();
    auto config = term::server::load_config(flags, term::process_environment(), ".env");
    if (!config) {
      spdlog::error("service.reload ERROR {}", config.error().detail);
      continue;
    }
    term::server::set_log_level(config->log_level);
    service.reload(*config);
    spdlog::info("service.reloaded");
  }
}

using term::server::HandoverChannel;

/// What the process that hands over to us was started with.
struct Begin {
  std::map<std::string, std::string> flags;
  std::uint64_t soft_open_files = 0;  ///< Ours is the one that it raised.
};

term::Result<Begin> begin_of(HandoverChannel& channel) {
  auto message = channel.expect("begin", std::chrono::seconds(5));
  if (!message) return message.error();
  Begin begin;
  const auto json = nlohmann::json::parse(message->text, nullptr, /*allow_exceptions=*/false);
  const auto flags = json.find("flags");
  if (flags != json.end() && flags->is_object())
    for (const auto& [name, value] : flags->items())
      if (value.is_string()) begin.flags[name] = value.get<std::string>();
  const auto progress = json.find("progress");
  channel.tell_progress = progress != json.end() && *progress == true;
  const auto limit = json.find("soft_open_files");
  if (limit != json.end() && limit->is_number_unsigned())
    begin.soft_open_files = limit->get<std::uint64_t>();
  return begin;
}

std::string own_program() {
  std::error_code ec;
  return std::filesystem::read_symlink("/proc/self/exe", ec).string();
}

}  // namespace

int main(int argc, char** argv) {
  const auto command = term::server::parse_command_line(argc, argv, TERM_VERSION);
  using Action = term::server::CommandLine::Action;
  if (command.action == Action::print_and_exit) {
    std::fputs(command.text.c_str(), stdout);
    return 0;
  }
  if (command.action == Action::refuse) {
    std::fputs(command.text.c_str(), stderr);
    return kRefusedConfiguration;
  }
  std::map<std::string, std::string> flags = command.flags;
  std::uint64_t soft_open_files = 0;
  std::optional<HandoverChannel> channel;
  if (command.action == Action::take_over) {
    ::fcntl(command.handover_fd, F_SETFD, FD_CLOEXEC);  // NOLINT: variadic by POSIX
    channel.emplace(term::UniqueFd(command.handover_fd));
    auto handed = begin_of(*channel);
    if (!handed) {
      std::fprintf(stderr, "terminal-service: --handover-fd: %s\n", handed.error().detail.c_str());
      return kRefusedConfiguration;
    }
    flags = std::move(handed->flags);
    soft_open_files = handed->soft_open_files;
  }
  auto config = term::server::load_config(flags, term::process_environment(), ".env");
  if (!config) {
    std::fprintf(stderr, "terminal-service: %s\n", config.error().detail.c_str());
    return kRefusedConfiguration;
  }
  if (command.action == Action::print_state_dir) {
    std::printf("%s\n", config->state_dir.c_str());
    return 0;
  }
  if (command.action == Action::stop)
    return term::server::stop_service(*config, command.end_sessions);
  config->flags = flags;
  config->program = own_program();
  if (auto logging = term::server::set_up_logging(*config); !logging) {
    std::fprintf(stderr, "terminal-service: the log: %s\n", logging.error().detail.c_str());
    return kRefusedConfiguration;
  }
  for (const auto& warning : config->warnings) spdlog::warn("config {}", warning);
  config->soft_open_files = raise_open_file_limit();
  if (soft_open_files > 0) config->soft_open_files = soft_open_files;

  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  std::vector<term::server::Page> pages;
  for (const auto& asset : term::web::assets())
    pages.push_back({asset.path, asset.content_type, asset.body});
  term::server::Service service(std::move(*config), {.pages = pages, .version = TERM_VERSION});
  if (channel) {
    if (auto taken = service.take_over(*channel); !taken) {
      spdlog::error("service.take_over ERROR {}", taken.error().detail);
      spdlog::shutdown();
      ::_exit(1);  // Nothing of what we have is ours to take down.
    }
    channel.reset();
  } else if (auto started = service.start(); !started) {
    spdlog::error("service.start ERROR {}", started.error().detail);
    // Of what may be otherwise in a moment a service manager tries again.
    const auto code = started.error().code;
    const bool may_pass = code == term::Errc::os_error || code == term::Errc::busy;
    return may_pass ? 1 : kRefusedConfiguration;
  }
  serve_until_told(service, signals, flags);
  if (service.handover().has_left()) ::_exit(0);
  service.stop();
  return 0;
}
