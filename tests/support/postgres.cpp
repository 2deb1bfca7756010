#include "support/postgres.h"

#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <pqxx/pqxx>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace term::test {

namespace fs = std::filesystem;

namespace {

/// The newest of Debian's.
fs::path installed_programs() {
  std::vector<fs::path> all;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", none))
    if (fs::exists(entry.path() / "bin" / "initdb")) all.push_back(entry.path() / "bin");
  if (all.empty()) throw std::runtime_error("no PostgreSQL: apt-get install postgresql");
  return *std::ranges::max_element(all);
}

/// What can be read of it: a process of /proc may end meanwhile, which an iterator would throw.
std::string content(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// Small, and careless about the power: a killed server still has what it confirmed.
constexpr const char* kSettings = R"(
listen_addresses=''
fsync=off
full_page_writes=off
wal_level=minimal
max_wal_senders=0
shared_buffers=32MB
max_connections=50
autovacuum=off
jit=off
)";

}  // namespace

Postgres::Postgres() : programs_(installed_programs()) {
  std::string path = (fs::temp_directory_path() / "term-pg-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("mkdtemp " + path);
  directory_ = path;
  if (::geteuid() == 0) {
    const passwd* user = ::getpwnam("postgres");
    if (user == nullptr || ::chown(path.c_str(), user->pw_uid, user->pw_gid) != 0)
      throw std::runtime_error("no user postgres");
  }
  const std::string data = (directory_ / "data").string();
  const int made = as_postgres("'" + (programs_ / "initdb").string() + "' -D '" + data +
                               "' -A trust -U postgres -E UTF8 --locale=C.UTF-8 --no-sync "
                               "--no-instructions");
  if (made != 0) throw std::runtime_error("initdb: " + content(directory_ / "out"));
  std::ofstream(directory_ / "data" / "postgresql.conf", std::ios::app)
      << kSettings << "unix_socket_directories='" << directory_.string() << "'\n";
  std::ofstream(directory_ / "data" / "pg_hba.conf")
      << "local all asked scram-sha-256\nlocal all all trust\n";
  start();
  run("postgres", "CREATE ROLE asked LOGIN SUPERUSER PASSWORD 'right'");
}

Postgres::~Postgres() {
  thaw();
  kill();
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

Postgres& Postgres::shared() {
  static Postgres one;
  return one;
}

int Postgres::as_postgres(const std::string& command) const {
  const std::string drop =
      ::geteuid() == 0 ? "setpriv --reuid=postgres --regid=postgres --init-groups " : "";
  const std::string line = "cd / && " + drop +
                           "env -i PATH=/usr/bin:/bin LC_ALL=C.UTF-8 HOME=/tmp " + command + " >'" +
                           (directory_ / "out").string() + "' 2>&1 </dev/null";
  const int status = ::system(line.c_str());  // NOLINT: our own words
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void Postgres::start() {
  const std::string data = (directory_ / "data").string();
  std::error_code ignored;  // What one that was killed leaves; init may not have waited for it yet.
  fs::remove(directory_ / "data" / "postmaster.pid", ignored);
  fs::remove(directory_ / ".s.PGSQL.5432.lock", ignored);
  const int started = as_postgres("'" + (programs_ / "pg_ctl").string() + "' -D '" + data +
                                  "' -l '" + data + "/log' -w -t 60 start");
  if (started != 0)
    throw std::runtime_error("pg_ctl start: " + content(directory_ / "out") +
                             content(directory_ / "data" / "log"));
}

void Postgres::stop() {
  (void)as_postgres("'" + (programs_ / "pg_ctl").string() + "' -D '" +
                    (directory_ / "data").string() + "' -m immediate -w stop");
}

std::vector<pid_t> Postgres::processes() const {
  std::ifstream file(directory_ / "data" / "postmaster.pid");
  pid_t postmaster = 0;
  if (!(file >> postmaster)) return {};
  std::vector<pid_t> all{postmaster};
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator("/proc", gone)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string stat = content(entry.path() / "stat");
    const auto paren = stat.rfind(')');
    if (paren == std::string::npos) continue;
    std::istringstream fields(stat.substr(paren + 1));
    std::string state;
    pid_t parent = 0;
    if (fields >> state >> parent && parent == postmaster) all.push_back(std::stoi(name));
  }
  return all;
}

void Postgres::signal_all(int number) const {
  for (const pid_t pid : processes()) ::kill(pid, number);
}

void Postgres::freeze() { signal_all(SIGSTOP); }
void Postgres::thaw() { signal_all(SIGCONT); }

void Postgres::kill() {
  const auto all = processes();
  for (const pid_t pid : all) ::kill(pid, SIGKILL);
  // Its children are not ours to wait for; the next start needs them gone.
  for (const pid_t pid : all)
    for (int i = 0;
         i < 1000 && ::kill(pid, 0) == 0 &&
         content("/proc/" + std::to_string(pid) + "/stat").find(") Z") == std::string::npos;
         ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

std::string Postgres::create_database() {
  const std::string name = "test" + std::to_string(++databases_);
  run("postgres", "CREATE DATABASE " + name);
  return name;
}

std::string Postgres::url(const std::string& database) const {
  return "postgresql:///" + database + "?host=" + directory_.string() + "&user=postgres";
}

std::string Postgres::url_with_password(const std::string& database,
                                        const std::string& password) const {
  return "postgresql://asked:" + password + "@/" + database + "?host=" + directory_.string();
}

std::vector<std::vector<std::string>> Postgres::run(const std::string& database,
                                                    const std::string& sql) {
  pqxx::connection connection(url(database));
  pqxx::nontransaction work(connection);
  std::vector<std::vector<std::string>> rows;
  for (const auto& found : work.exec(sql)) {
    rows.emplace_back();
    for (const auto& field : found) rows.back().push_back(field.is_null() ? "NULL" : field.c_str());
  }
  return rows;
}

std::pair<int, std::string> Postgres::psql(const std::string& database, const fs::path& file) {
  const fs::path copy = directory_ / "script.sql";  // Where user postgres may read it.
  fs::copy_file(file, copy, fs::copy_options::overwrite_existing);
  fs::permissions(copy, fs::perms::others_read | fs::perms::group_read | fs::perms::owner_read,
                  fs::perm_options::add);
  const int status = as_postgres("'" + (programs_ / "psql").string() + "' -X -d '" + url(database) +
                                 "' -f '" + copy.string() + "'");
  return {status, content(directory_ / "out")};
}

}  // namespace term::test
