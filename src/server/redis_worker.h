#pragma once
// A Redis server as a cache, on a thread of its own: nobody waits for it.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "session/types.h"

struct redisContext;

namespace term::server {

/// `redis://[user[:password]@]host[:port][/number]` or `unix:///path[?db=number]`, taken apart.
struct RedisAddress {
  std::string host;
  std::uint16_t port = 6379;
  std::string path;  ///< Of a UNIX socket; then host and port mean nothing.
  std::string user;
  std::string password;
  unsigned database = 0;

  std::string shown() const;  ///< For logs and pages: never with the password.
};
/// Errors: bad_argument with a sentence that does not repeat the URL.
Result<RedisAddress> parse_redis_url(std::string_view url);

struct RedisStatus {
  bool connected = false;
  std::string detail;  ///< Why not, or since which error.
  std::uint64_t errors = 0;
  std::uint64_t connects = 0;
  std::uint64_t written = 0;
  std::uint64_t dropped = 0;  ///< Writes given up for the bound.
  std::size_t waiting = 0;
};

/// Keys with values that expire, newest value of a key first. Writes wait in a bounded queue while
/// there is no connection; reads fail at once then. A connection that breaks, times out or answers
/// nonsense is closed, and made again with back-off (100 ms doubling to 5 s).
///
/// Thread: any. Nothing here waits for Redis but stop() and the destructor.
class RedisWorker {
 public:
  struct Limits {
    std::chrono::milliseconds connect{1000};
    std::chrono::milliseconds command{500};
    std::chrono::seconds expiry{600};
    std::size_t writes = 20'000;
    std::size_t reads = 1'000;
  };
  /// The value, nothing, or why it cannot be known. Called once, on the worker's thread or, when
  /// there is no connection, at once.
  using Found = std::function<void(Result<std::optional<std::string>>)>;

  RedisWorker(RedisAddress address, Limits limits);
  ~RedisWorker();
  RedisWorker(const RedisWorker&) = delete;
  RedisWorker& operator=(const RedisWorker&) = delete;

  void set(std::string key, std::string value) { write(std::move(key), std::move(value)); }
  void erase(std::string key) { write(std::move(key), std::nullopt); }
  void get(std::string key, Found found);
  /// Ends the thread, which takes at most one command; questions that wait are answered with an
  /// error, writes are given up.
  void stop();
  RedisStatus status() const;

 private:
  using Writes = std::map<std::string, std::optional<std::string>>;
  struct Read {
    std::string key;
    Found found;
  };
  void write(std::string key, std::optional<std::string> value);
  void run();
  std::optional<std::string> connect();
  std::optional<std::string> greet();
  std::optional<std::string> put(const Writes& batch);
  std::optional<std::string> answer(Read& read);
  void work(std::unique_lock<std::mutex>& lock);
  void broke(const std::string& why);

  const RedisAddress address_;
  const Limits limits_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  Writes writes_;
  std::deque<Read> reads_;
  RedisStatus status_;
  std::chrono::steady_clock::time_point try_again_at_{};
  std::chrono::milliseconds back_off_{0};
  struct Close {
    void operator()(redisContext* context) const;
  };
  std::unique_ptr<redisContext, Close> context_;  ///< The worker's thread only.
  std::thread thread_;
};

}  // namespace term::server
