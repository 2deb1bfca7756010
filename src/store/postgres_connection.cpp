// PostgreSQL by libpqxx 6.4: the only file that sees it, and its exceptions.

#include <pqxx/pqxx>

#include "store/connection.h"
#include "store/database_url.h"
#include "store/watchdog.h"

namespace term::store {

namespace {

constexpr int kConnectSeconds = 3;
/// The server gives a statement up after this…
constexpr const char* kSetUp =
    "SET client_min_messages = error; SET synchronous_commit = on; SET statement_timeout = 20000; "
    "SET lock_timeout = 20000; "
    "SET idle_in_transaction_session_timeout = 60000; SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; "
    "SET client_encoding = 'UTF8'; SET standard_conforming_strings = on";
/// …and we the connection after this: then nobody is there.
constexpr std::chrono::seconds kAnswerLimit{25};
constexpr int kByteaType = 17;
constexpr std::int64_t kMigrationLock = 0x7465726d696e616c;  // "terminal"

std::string hex(const std::string& bytes) {
  constexpr const char* kHex = "0123456789abcdef";
  std::string out = "\\x";
  out.reserve(2 + 2 * bytes.size());
  for (const char c : bytes) {
    out += kHex[static_cast<unsigned char>(c) >> 4U];
    out += kHex[static_cast<unsigned char>(c) & 15U];
  }
  return out;
}

std::string from_hex(std::string_view text) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string out;
  for (std::size_t i = 2; i + 1 < text.size(); i += 2)
    out += static_cast<char>(digit(text[i]) * 16 + digit(text[i + 1]));
  return out;
}

/// Values as libpq takes them: texts that live as long as this, and null pointers.
class Parameters final {
 public:
  explicit Parameters(const std::vector<Value>& values) {
    texts_.reserve(values.size());  // c_str() of a moved short string would dangle.
    for (const Value& value : values) add(value);
  }
  const std::vector<const char*>& pointers() const { return pointers_; }

 private:
  void add(const Value& value) {
    if (std::holds_alternative<std::nullptr_t>(value)) {
      pointers_.push_back(nullptr);
      return;
    }
    if (const auto* number = std::get_if<std::int64_t>(&value))
      texts_.push_back(std::to_string(*number));
    else if (const auto* text = std::get_if<std::string>(&value))
      texts_.push_back(*text);
    else
      texts_.push_back(hex(std::get<Blob>(value).bytes));
    pointers_.push_back(texts_.back().c_str());
  }
  std::vector<std::string> texts_;
  std::vector<const char*> pointers_;
};

Rows rows_of(const pqxx::result& result) {
  Rows rows;
  for (const auto& found : result) {
    Row row;
    for (const auto& field : found) {
      if (field.is_null())
        row.emplace_back();
      else if (field.type() == kByteaType)
        row.emplace_back(from_hex({field.c_str(), field.size()}));
      else
        row.emplace_back(std::string(field.c_str(), field.size()));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

class PostgresConnection final : public Connection {
 public:
  explicit PostgresConnection(const std::string& url)
      : url_(with_connect_timeout(url, kConnectSeconds)), passwords_(passwords_of(url)) {}
  ~PostgresConnection() override { close(); }

  std::string_view database() const override { return "postgresql"; }

  /// Connects if there is no connection.
  Result<void> open() {
    if (connection_) return {};
    return guarded([&] {
      // libpq keeps the limit while it connects; after that there is a socket to watch.
      connection_ = std::make_unique<pqxx::connection>(url_);
      const Watchdog::Guard guard(watchdog_, connection_->sock(), kAnswerLimit);
      pqxx::nontransaction(*connection_).exec(kSetUp);
    });
  }

  Result<Rows> query(const std::string& sql, const std::vector<Value>& values) override {
    Rows rows;
    const auto run = [&](pqxx::transaction_base& work) {
      const Parameters parameters(values);
      rows =
          rows_of(work.exec_params(sql, pqxx::prepare::make_dynamic_params(parameters.pointers())));
    };
    if (auto done = in_transaction(run); !done) return done.error();
    return rows;
  }

  Result<void> script(const std::string& sql) override {
    return in_transaction([&](pqxx::transaction_base& work) { work.exec(sql); });
  }

  Result<void> begin() override {
    if (auto opened = open(); !opened) return opened;
    // A statement of the transaction sends BEGIN as well.
    return watched([&] { work_ = std::make_unique<pqxx::work>(*connection_); });
  }
  Result<void> commit() override {
    auto done = watched([&] { work_->commit(); });
    rollback();
    return done;
  }
  void rollback() override {
    if (work_) (void)watched([&] { work_.reset(); });
  }
  Result<void> lock_for_migration() override {
    auto locked = query("SELECT pg_advisory_xact_lock($1)", {kMigrationLock});
    if (!locked) return locked.error();
    return {};
  }

  void interrupt() override { watchdog_.bite(); }

 private:
  /// Within the transaction that is open, else in one of its own.
  template <class F>
  Result<void> in_transaction(const F& run) {
    if (work_) return watched([&] { run(*work_); });
    if (auto opened = open(); !opened) return opened;
    return watched([&] {
      pqxx::work work(*connection_);
      run(work);
      work.commit();
    });
  }

  template <class F>
  Result<void> watched(const F& run) {
    return guarded([&] {
      const Watchdog::Guard guard(watchdog_, connection_->sock(), kAnswerLimit);
      run();
    });
  }

  /// Turns what libpqxx throws into an error; a broken connection goes with it.
  template <class F>
  Result<void> guarded(const F& run) {
    try {
      run();
      return {};
    } catch (const pqxx::sql_error& e) {
      // Of this class, too, when the connection broke within a statement.
      const Error error = failure(e.what());
      if (!connection_ || !connection_->is_open()) close();
      return error;
    } catch (const std::exception& e) {
      close();
      return failure(e.what());
    }
  }

  Error failure(const char* what) const {
    return {Errc::store_unavailable, "postgresql: " + without_secrets(what, passwords_)};
  }

  void close() {
    work_.reset();
    connection_.reset();
  }

  const std::string url_;
  const std::vector<std::string> passwords_;
  Watchdog watchdog_;
  std::unique_ptr<pqxx::connection> connection_;
  std::unique_ptr<pqxx::work> work_;
};

}  // namespace

Result<std::unique_ptr<Connection>> open_postgres(const std::string& url) {
  auto connection = std::make_unique<PostgresConnection>(url);
  if (auto opened = connection->open(); !opened) return opened.error();
  return std::unique_ptr<Connection>(std::move(connection));
}

}  // namespace term::store
