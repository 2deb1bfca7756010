#include "offline.h"

#include <unistd.h>

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "adapter/engines.h"
#include "server/config.h"
#include "server/flips.h"
#include "server/store_location.h"
#include "session/shell.h"
#include "store/pending_file.h"
#include "store/restore.h"

namespace term::ctl {

namespace {

constexpr std::size_t kBatchRows = 500;
constexpr std::size_t kBatchBytes = 16 * 1024 * 1024;

Result<server::Config> configuration(const Context& context) {
  std::map<std::string, std::string> flags;
  if (!context.state_dir.empty()) flags["TERMINAL_STATE_DIR"] = context.state_dir.string();
  return server::load_config(flags, process_environment(), ".env");
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : "unknown";
}

bool wanted(const OfflineFilter& filter, const SessionRecord& record) {
  return (filter.project.empty() || record.project_id == filter.project) &&
         (filter.session.empty() || record.id == filter.session) &&
         record.status != SessionState::closed;
}

Result<store::CheckedDocument> check(const Context& context, const AdminClient::Give& give) {
  auto spool = store::Spool::open(state_dir(context));
  if (!spool) return spool.error();
  store::DocumentReader reader(std::move(*spool));
  for (;;) {
    const auto piece = give();
    if (!piece) return piece.error();
    if (piece->empty()) return reader.finish();
    if (auto fed = reader.feed(*piece); !fed) return fed.error();
  }
}

}  // namespace

Result<std::unique_ptr<store::Store>> open_offline(const Context& context, bool migrate) {
  const auto config = configuration(context);
  if (!config) return config.error();
  if (migrate) {  // A machine of which no service has run yet.
    std::error_code ec;
    if (std::filesystem::create_directories(config->state_dir, ec))
      std::filesystem::permissions(config->state_dir, std::filesystem::perms::owner_all, ec);
    if (ec)
      return Error{Errc::os_error,
                   "TERMINAL_STATE_DIR " + config->state_dir.string() + ": " + ec.message()};
  }
  return store::open_store(server::store_location(*config), migrate);
}

Result<void> write_left(const Context& context, store::Store& store) {
  if (look_up(state_dir(context))) return {};
  const auto config = configuration(context);
  if (!config) return config.error();
  store::PendingFiles files(config->state_dir, store::shown(server::store_location(*config)));
  for (store::Pending left = files.load(); !left.empty();)
    if (auto written = store.write(left.take(kBatchRows, kBatchBytes)); !written) return written;
  files.discard();
  return {};
}

Result<void> check_no_service(const Context& context, const std::string& what) {
  const auto service = look_up(state_dir(context));
  if (!service) return {};
  return Error{Errc::busy, "process " + std::to_string(service->pid) +
                               " serves with the state in " + service->state_dir.string() +
                               ": stop it before " + what};
}

Result<void> offline_export(const Context& context, const OfflineFilter& filter,
                            const AdminClient::Take& take) {
  const auto opened = open_offline(context, /*migrate=*/false);
  if (!opened) return opened.error();
  store::Store& store = **opened;
  if (auto left = write_left(context, store); !left) return left.error();
  const auto projects = store.projects();
  if (!projects) return projects.error();
  const auto now = std::chrono::floor<Millis>(std::chrono::system_clock::now());
  store::DocumentWriter writer({.at = now,
                                .service = TERM_VERSION,
                                .host = host_name(),
                                .pid = ::getpid(),
                                .mode = "offline",
                                .reason = filter.reason});
  const Error stopped{Errc::os_error, "the output cannot be written"};
  if (!take(writer.begin())) return stopped;
  for (const auto& project : *projects)
    if (filter.session.empty() && (filter.project.empty() || filter.project == project.id))
      if (!take(writer.project(project))) return stopped;
  for (store::StoredCursor cursor; !cursor.over;) {
    const auto page = store::next_stored(store, cursor, 8, /*scrollback=*/true);
    if (!page) return page.error();
    for (const auto& row : *page)
      if (wanted(filter, row.snapshot.session) && !take(writer.session(row.snapshot)))
        return stopped;
  }
  if (!filter.session.empty() && writer.sessions() == 0) return no_such_session(filter.session);
  return take(writer.end()) ? Result<void>{} : stopped;
}

Result<nlohmann::json> offline_restore(const Context& context, const std::string& engine,
                                       const AdminClient::Give& give) {
  if (auto alone = check_no_service(context, "restoring behind its back, or leave --offline out");
      !alone)
    return alone.error();
  const auto config = configuration(context);
  if (!config) return config.error();
  const auto opened = open_offline(context, /*migrate=*/true);
  if (!opened) return opened.error();
  if (auto left = write_left(context, **opened); !left) return left.error();
  const auto document = check(context, give);
  if (!document) return document.error();
  adapter::Flags flags;
  flags.environment = server::environment_flags(*config);
  if (auto done = store::restore_projects(**opened, *document); !done) return done.error();
  store::RestoreReport report;
  for (std::size_t first = 0; first < document->sessions.size();) {
    const std::size_t end = store::batch_end(*document, first);
    store::RestoreBatch batch;
    for (; first < end; ++first) {
      auto session = document->session(first);
      if (!session) return session.error();
      const SessionRecord& record = session->snapshot.session;
      batch.owners.push_back(
          engine.empty() ? flags.choose(record.project_id, record.id)
                         : adapter::all(engine == "legacy" ? Engine::legacy : Engine::refactored));
      batch.sessions.push_back(std::move(*session));
    }
    report.add(store::restore_batch(**opened, std::move(batch)));
    progress(context, "restored " + std::to_string(first) + " of " +
                          std::to_string(document->sessions.size()));
  }
  return store::to_json(report, /*each=*/true);
}

}  // namespace term::ctl
