// terminal-ctl state: the export document, out of a service and into one (STATE.md 4).

#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>

#include "admin_client.h"
#include "offline.h"
#include "session/unique_fd.h"

namespace term::ctl {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kReadBytes = 256 * 1024;
constexpr off_t kWriteBackBytes = 8 * 1024 * 1024;
/// A document of 10,000 sessions goes in within minutes.
constexpr Millis kRestoreTime{30 * 60 * 1000};

struct ExportArguments {
  std::string project;
  std::string session;
  std::string reason;
  std::string file;
  bool live = false;
  bool offline = false;
};

struct RestoreArguments {
  std::string engine;
  std::string file = "-";
  bool offline = false;
  bool lines = false;
};

Error file_error(const char* what, const std::string& file) {
  return {Errc::os_error, std::string("cannot ") + what + " " + file + ": " +
                              std::generic_category().message(errno)};
}

/// Now and then, how far it is.
class Meter {
 public:
  Meter(const Context& context, const char* what) : context_(context), what_(what) {}
  void add(std::size_t bytes) {
    bytes_ += bytes;
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return;
    next_ = now + std::chrono::seconds(1);
    progress(context_, std::string(what_) + " " + std::to_string(bytes_ >> 20U) + " MiB ...");
  }
  std::uint64_t bytes() const { return bytes_; }

 private:
  const Context& context_;
  const char* what_;
  std::uint64_t bytes_ = 0;
  std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now();
};

/// stdout, or a file of mode 0600 that appears under its name once it is complete.
class Output {
 public:
  static Result<Output> open(const std::string& file) {
    Output output;
    output.file_ = file;
    if (file.empty()) return output;
    output.part_ = file + ".part";
    output.fd_.reset(::open(output.part_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                            0600));  // NOLINT: variadic by POSIX
    if (!output.fd_) return file_error("write", output.part_);
    return output;
  }
  bool put(std::string_view bytes) {
    const int fd = fd_ ? fd_.get() : STDOUT_FILENO;
    while (!bytes.empty()) {
      const auto n = ::write(fd, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
      written_ += n;
    }
    if (fd_ && written_ - sent_ >= kWriteBackBytes) {  // The disk begins now, not with fsync().
      (void)::sync_file_range(fd, sent_, written_ - sent_, SYNC_FILE_RANGE_WRITE);
      sent_ = written_;
    }
    return true;
  }
  Result<void> complete() {
    if (!fd_) return {};
    if (::fsync(fd_.get()) != 0) return file_error("write", part_);
    if (::rename(part_.c_str(), file_.c_str()) != 0) return file_error("write", file_);
    part_.clear();
    return {};
  }
  void give_up() const {
    if (fd_ && !part_.empty()) (void)::unlink(part_.c_str());
  }

 private:
  std::string file_;
  std::string part_;
  UniqueFd fd_;
  off_t written_ = 0;
  off_t sent_ = 0;  ///< To the disk, or on its way there.
};

/// Ids have none of the characters that mean something in a query; a reason may.
std::string escaped(const std::string& text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-' || c == '.';
    if (plain)
      out += c;
    else
      out += {'%', kDigits[byte >> 4U], kDigits[byte & 15U]};
  }
  return out;
}

std::string export_target(const ExportArguments& arguments) {
  std::string target = std::string("/api/admin/state?live=") + (arguments.live ? "true" : "false");
  if (!arguments.project.empty()) target += "&project=" + escaped(arguments.project);
  if (!arguments.session.empty()) target += "&session=" + escaped(arguments.session);
  if (!arguments.reason.empty()) target += "&reason=" + escaped(arguments.reason);
  return target;
}

Result<void> export_to(const Context& context, const ExportArguments& arguments,
                       const AdminClient::Take& take) {
  if (arguments.offline)
    return offline_export(context, {arguments.project, arguments.session, arguments.reason}, take);
  const auto service = find_service(context);
  if (!service) return service.error();
  const auto answer = AdminClient(*service).download(export_target(arguments), take);
  if (!answer) return answer.error();
  if (answer->status != 200) return Error{Errc::os_error, "no export: " + answer->error()};
  return {};
}

Result<int> export_state(const Context& context, const ExportArguments& arguments) {
  auto output = Output::open(arguments.file);
  if (!output) return output.error();
  Meter meter(context, "exported");
  int failure = 0;
  const AdminClient::Take take = [&](std::string_view bytes) {
    meter.add(bytes.size());
    if (output->put(bytes)) return true;
    failure = errno;
    return false;
  };
  auto done = export_to(context, arguments, take);
  if (done) done = output->complete();
  if (!done) output->give_up();
  errno = failure;
  if (failure != 0) return file_error("write", arguments.file.empty() ? "stdout" : arguments.file);
  if (!done) return done.error();
  if (!arguments.file.empty() && context.json)
    print({{"success", true}, {"file", arguments.file}, {"bytes", meter.bytes()}});
  progress(context, "exported " + std::to_string(meter.bytes()) + " bytes");
  return kDone;
}

Result<Json> restore_from(const Context& context, const RestoreArguments& arguments,
                          const AdminClient::Give& give) {
  if (arguments.offline) return offline_restore(context, arguments.engine, give);
  const auto service = find_service(context);
  if (!service) return service.error();
  std::string target = "/api/admin/state?each=true";
  if (!arguments.engine.empty()) target += "&engine=" + arguments.engine;
  const auto answer = AdminClient(*service).upload(target, give, kRestoreTime);
  if (!answer) return answer.error();
  if (answer->status != 200)
    return Error{Errc::bad_snapshot, "nothing was restored: " + answer->error()};
  return answer->json();
}

int report(const Context& context, const RestoreArguments& arguments, const Json& report) {
  const Json failed = report.value("failed", Json::array());
  if (context.json) {
    print(report);
  } else {
    std::map<std::string, std::string> why;
    for (const auto& one : failed) why[text_of(one, "id")] = text_of(one, "error");
    if (arguments.lines)
      for (const auto& one : report.value("sessions", Json::array())) {
        const auto id = text_of(one, "id");
        const auto reason = why.find(id);
        std::printf("%s %s%s\n", text_of(one, "result").c_str(), id.c_str(),
                    reason == why.end() ? "" : (": " + reason->second).c_str());
      }
    else
      for (const auto& [id, reason] : why)
        std::fprintf(stderr, "terminal-ctl: session %s: %s\n", id.c_str(), reason.c_str());
    std::printf(
        "restored %s, adopted %s (live already), skipped %s (the same already), failed %zu\n",
        text_of(report, "restored").c_str(), text_of(report, "adopted").c_str(),
        text_of(report, "skipped").c_str(), failed.size());
  }
  if (failed.empty()) return kDone;
  const auto done = [&](const char* name) { return report.value(name, std::size_t{0}); };
  return done("restored") + done("adopted") + done("skipped") > 0 ? kPartlyDone : kFailed;
}

Result<int> restore_state(const Context& context, const RestoreArguments& arguments) {
  UniqueFd file;
  if (arguments.file != "-") {
    file.reset(::open(arguments.file.c_str(), O_RDONLY | O_CLOEXEC));  // NOLINT
    if (!file) return file_error("read", arguments.file);
  }
  const int fd = file ? file.get() : STDIN_FILENO;
  Meter meter(context, "sent");
  const AdminClient::Give give = [&]() -> Result<std::string> {
    std::string bytes(kReadBytes, '\0');
    ssize_t n = 0;
    do n = ::read(fd, bytes.data(), bytes.size());
    while (n < 0 && errno == EINTR);
    if (n < 0) return file_error("read", arguments.file == "-" ? "stdin" : arguments.file);
    bytes.resize(static_cast<std::size_t>(n));
    meter.add(bytes.size());
    return bytes;
  };
  const auto answer = restore_from(context, arguments, give);
  if (!answer) return answer.error();
  return report(context, arguments, *answer);
}

void add_export(CLI::App& state, Context& context) {
  auto* command = state.add_subcommand("export", "The document to stdout: JSON and nothing else");
  auto arguments = std::make_shared<ExportArguments>();
  command->add_option("--project", arguments->project, "Only this one's sessions")->type_name("ID");
  command->add_option("--session", arguments->session, "Only this one")->type_name("ID");
  command->add_option("--reason", arguments->reason, "Is put into the document")->type_name("TEXT");
  command->add_option("-o,--output", arguments->file, "Into this file, once it is complete")
      ->type_name("FILE");
  auto* live = command->add_flag("--live", arguments->live, "Without what is only stored");
  command->add_flag("--offline", arguments->offline, "From the store, without a service")
      ->excludes(live);
  command->callback([&context, arguments] {
    context.run = [&context, arguments] { return export_state(context, *arguments); };
  });
}

void add_restore(CLI::App& state, Context& context) {
  auto* command = state.add_subcommand("restore", "A document back into the store");
  command->description(
      "Checks the whole document before it changes anything. Live sessions are never touched; the\n"
      "others are stored, and get a new shell behind their output when someone opens them.\n"
      "Exit status 3: some sessions failed, 1: all did, or the document was refused.");
  auto arguments = std::make_shared<RestoreArguments>();
  command
      ->add_option("--engine", arguments->engine, "Who is to own them; default: as the flags say")
      ->check(CLI::IsMember({"legacy", "refactored"}));
  command->add_flag("--offline", arguments->offline, "Into the store, while no service runs");
  command->add_flag("--lines", arguments->lines, "One line for each session");
  command->add_option("file", arguments->file, "The document; - or none: stdin")->type_name("FILE");
  command->callback([&context, arguments] {
    context.run = [&context, arguments] { return restore_state(context, *arguments); };
  });
}

}  // namespace

void add_state(CLI::App& app, Context& context) {
  auto* state =
      app.add_subcommand("state", "Export all sessions with their output, or restore them");
  state->require_subcommand(1);
  state->fallthrough();
  add_export(*state, context);
  add_restore(*state, context);
}

}  // namespace term::ctl
