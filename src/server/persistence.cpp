#include "server/persistence.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <future>
#include <nlohmann/json.hpp>
#include <system_error>

#include "server/flip_json.h"
#include "server/store_location.h"
#include "server/store_lock.h"

namespace term::server {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kJournal = 1000;    ///< As many flips as the journal keeps.
constexpr std::size_t kMaxDetail = 2048;  ///< Of an audit entry, bytes.

/// Opens the store once nobody else has the directory's lock.
class Opener {
 public:
  explicit Opener(const Config& config)
      : lock_path_(config.state_dir / "store.lock"), place_(store_location(config)) {}

  Result<std::unique_ptr<store::Store>> open() {
    if (!lock_) {
      UniqueFd lock(::open(lock_path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));  // NOLINT
      if (!lock)
        return Error{Errc::store_unavailable, "cannot open " + lock_path_.string() + ": " +
                                                  std::generic_category().message(errno)};
      if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
        return Error{Errc::busy, std::string(kStillWrites)};
      lock_ = std::move(lock);
    }
    return store::open_store(place_);
  }

 private:
  std::filesystem::path lock_path_;
  store::Location place_;
  UniqueFd lock_;  ///< Kept as long as we may write.
};

store::Writer::Setup setup_of(const Config& config, Clock clock) {
  auto opener = std::make_shared<Opener>(config);
  return {.open = [opener] { return opener->open(); },
          .clock = std::move(clock),
          .keep_in = config.state_dir,
          .database = shown(store_location(config))};
}

Result<LeftBehind> read(store::Store& store) {
  LeftBehind left;
  auto flags = store.setting("flags");
  if (!flags) return flags.error();
  left.flags = flags->value_or("");
  auto flips = store.flips(kJournal);
  if (!flips) return flips.error();
  for (const auto& row : *flips)
    if (auto entry = flip_from_json(Json::parse(row.entry, nullptr, false)))
      left.flips.push_back(std::move(*entry));
  std::ranges::reverse(left.flips);
  auto projects = store.projects();
  if (!projects) return projects.error();
  left.projects = std::move(*projects);
  return left;
}

bool is_secret(const std::string& name) {
  for (const char* word : {"token", "secret", "password", "environment", "env", "webhook", "url"})
    if (name.find(word) != std::string::npos) return true;
  return false;
}

}  // namespace

Persistence::Persistence(const Config& config, Clock clock)
    : clock_(clock), writer_(setup_of(config, std::move(clock))) {}

adapter::Storing Persistence::storing() {
  return {.on_books =
              [this](const Books& books, bool dual) {
                writer_.put(store::StoredSession{books.owners, books.snapshot}, dual);
              },
          .on_gone = [this](const SessionId& id) { writer_.ended(id); },
          .on_project =
              [this](const ProjectId& id, std::optional<ProjectRecord> record) {
                if (record)
                  writer_.put(std::move(*record));
                else
                  writer_.ended_project(id);
              },
          .wants_output = [this] { return writer_.wants_scrollback(); }};
}

void Persistence::flip(const adapter::FlipEntry& entry) {
  writer_.flip({entry.id, entry.started,
                flip_json(entry).dump(-1, ' ', false, Json::error_handler_t::replace)});
}

void Persistence::audit(std::string who, std::string from, std::string action, std::string detail,
                        std::string result) {
  store::AuditRow row{.at = clock_()};
  row.who = std::move(who);
  row.from = std::move(from);
  row.action = std::move(action);
  row.detail = std::move(detail);
  row.result = std::move(result);
  writer_.audit(std::move(row));
}

std::optional<LeftBehind> Persistence::load(Millis limit) {
  auto promise = std::make_shared<std::promise<std::optional<LeftBehind>>>();
  auto answer = promise->get_future();
  load_later([promise](std::optional<LeftBehind> left) { promise->set_value(std::move(left)); });
  if (answer.wait_for(limit) != std::future_status::ready) return std::nullopt;
  return answer.get();
}

void Persistence::load_later(std::function<void(std::optional<LeftBehind>)> take) {
  writer_.ask([take = std::move(take)](Result<store::Store*> store) {
    auto left = store ? read(**store) : Result<LeftBehind>(store.error());
    take(left ? std::optional(std::move(*left)) : std::nullopt);
  });
}

std::string audit_detail(std::string_view path, std::string_view body) {
  // A session's own routes carry paths and environments, a state document whole screens.
  if (body.empty() || !path.starts_with("/api/admin/") || path.starts_with("/api/admin/state"))
    return body.empty() ? "" : std::to_string(body.size()) + " bytes";
  if (body.size() > kMaxDetail) return std::to_string(body.size()) + " bytes";
  Json json = Json::parse(body, nullptr, false);
  if (!json.is_object()) return std::to_string(body.size()) + " bytes";
  for (auto& [name, value] : json.items())
    if (is_secret(name)) value = "***";
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace term::server
