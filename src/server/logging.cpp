#include "server/logging.h"

#include <fcntl.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <mutex>
#include <system_error>

#include "session/unique_fd.h"

namespace term::server {

namespace {

constexpr const char* kPattern = "%Y-%m-%dT%H:%M:%S.%e%z %l %v";
/// The monitor counts lines with this word (OPERATIONS.md 1).
constexpr const char* kErrorPattern = "%Y-%m-%dT%H:%M:%S.%e%z ERROR %v";

std::string reason(int error) { return std::generic_category().message(error); }

Result<UniqueFd> open_to_append(const std::filesystem::path& path) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));  // NOLINT
  if (!fd) return Error{Errc::os_error, "cannot open " + path.string() + ": " + reason(errno)};
  return fd;
}

/// A file of lines. Whoever else appends to it finds our lines whole.
class LogFile final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  LogFile(std::filesystem::path path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  Result<void> reopen() {
    auto fresh = open_to_append(path_);
    if (!fresh) return fresh.error();
    const std::lock_guard lock(mutex_);
    fd_ = std::move(*fresh);
    return {};
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    if (lost_ > 0) line.append(std::string_view(lost_line()));
    formatter_->format(message, line);
    ssize_t written = 0;
    do {
      written = ::write(fd_.get(), line.data(), line.size());
    } while (written < 0 && errno == EINTR);
    lost_ = written == static_cast<ssize_t>(line.size()) ? 0 : lost_ + 1;
  }
  void flush_() override {}
  std::string lost_line() const {
    return std::to_string(lost_) + " lines before this one could not be written: log.lost ERROR\n";
  }

  const std::filesystem::path path_;
  UniqueFd fd_;
  std::uint64_t lost_ = 0;  ///< Lines since the last that was written.
};

Result<spdlog::sink_ptr> make_file(const std::filesystem::path& path) {
  auto fd = open_to_append(path);
  if (!fd) return fd.error();
  return spdlog::sink_ptr(std::make_shared<LogFile>(path, std::move(*fd)));
}

}  // namespace

Result<void> set_up_logging(const Config& config) {
  std::vector<spdlog::sink_ptr> sinks;
  if (config.log_dir) {
    std::error_code ec;
    std::filesystem::create_directories(*config.log_dir, ec);
    auto file = make_file(*config.log_dir / "terminal-service.log");
    if (!file) return file.error();
    sinks.push_back(std::move(*file));
  } else {
    sinks.push_back(std::make_shared<spdlog::sinks::stderr_sink_mt>());
  }
  sinks.front()->set_pattern(kPattern);
  if (config.error_log) {
    auto errors = make_file(*config.error_log);
    if (!errors) return errors.error();
    (*errors)->set_level(spdlog::level::err);
    (*errors)->set_pattern(kErrorPattern);
    sinks.push_back(std::move(*errors));
  }
  auto logger = std::make_shared<spdlog::logger>("", sinks.begin(), sinks.end());
  logger->set_level(spdlog::level::from_str(config.log_level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
  return {};
}

void reopen_logs() {
  std::vector<Error> failed;
  for (const auto& sink : spdlog::default_logger()->sinks()) {
    auto* file = dynamic_cast<LogFile*>(sink.get());
    if (file == nullptr) continue;
    if (auto reopened = file->reopen(); !reopened) failed.push_back(reopened.error());
  }
  for (const Error& error : failed)
    spdlog::error("log.reopen ERROR {}; the old file is written on", error.detail);
}

void set_log_level(const std::string& level) {
  spdlog::default_logger()->set_level(spdlog::level::from_str(level));
}

}  // namespace term::server
