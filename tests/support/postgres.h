#pragma once
// A private PostgreSQL: a cluster in a temporary directory, on a UNIX socket alone.

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace term::test {

/// Starts with the constructor and ends, directory and all, with the destructor; throws
/// runtime_error when there is none to start. As root it runs as user postgres. One per test
/// program is enough (shared()): databases are cheap. Thread: one.
class Postgres {
 public:
  Postgres();
  ~Postgres();
  Postgres(const Postgres&) = delete;
  Postgres& operator=(const Postgres&) = delete;

  /// The program's own, started with the first call. Not for tests that stop it: others use it.
  static Postgres& shared();

  /// A new, empty database.
  std::string create_database();
  /// As DATABASE_URL, of the superuser, who needs no password.
  std::string url(const std::string& database) const;
  /// Of the user `asked`, whose password is `right`.
  std::string url_with_password(const std::string& database, const std::string& password) const;

  /// Rows as text, NULL as "NULL"; throws when it fails. A connection of its own.
  std::vector<std::vector<std::string>> run(const std::string& database, const std::string& sql);
  /// psql < file; its exit status, and what it said.
  std::pair<int, std::string> psql(const std::string& database, const std::filesystem::path& file);

  void start();
  void stop();    ///< Connections break.
  void kill();    ///< kill -9 of all its processes.
  void freeze();  ///< SIGSTOP to all its processes: they keep their connections and say nothing.
  void thaw();

 private:
  std::vector<pid_t> processes() const;
  void signal_all(int number) const;
  int as_postgres(const std::string& command) const;

  std::filesystem::path programs_;
  std::filesystem::path directory_;
  int databases_ = 0;
};

}  // namespace term::test
