#include "server/engine_cache.h"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include "session/ids.h"
#include "session/signal.h"

namespace term::server {

namespace {

constexpr std::string_view kVersion = "1 ";
constexpr std::size_t kMaxInstance = 300;
constexpr auto kPatience = std::chrono::milliseconds(25);

std::string key_of(const SessionId& id) { return "terminal:engine:" + id; }

char letter(Engine engine) { return engine == Engine::legacy ? 'L' : 'R'; }

/// What somebody waits for, and its answer. Thread: the waiting one's, but for the answer's way.
struct Waiting {
  explicit Waiting(const net::any_io_executor& executor) : timer(executor, kPatience) {}
  net::steady_timer timer;
  std::optional<EngineCache::Lookup> answer;
};

}  // namespace

std::string to_text(const CachedRoute& route) {
  std::string text(kVersion);
  for (const Engine engine : {route.owners.sessions, route.owners.streams, route.owners.telemetry})
    text += letter(engine);
  return text + " " + route.instance;
}

std::optional<CachedRoute> route_from_text(std::string_view text) {
  if (!text.starts_with(kVersion)) return std::nullopt;
  text.remove_prefix(kVersion.size());
  if (text.size() < 5 || text.size() > 4 + kMaxInstance || text[3] != ' ') return std::nullopt;
  CachedRoute route;
  Engine* const ports[] = {&route.owners.sessions, &route.owners.streams, &route.owners.telemetry};
  for (std::size_t i = 0; i < 3; ++i) {
    if (text[i] != 'L' && text[i] != 'R') return std::nullopt;
    *ports[i] = text[i] == 'L' ? Engine::legacy : Engine::refactored;
  }
  route.instance = text.substr(4);
  for (const char c : route.instance)
    if (c <= ' ' || c > '~') return std::nullopt;
  return route;
}

EngineCache::EngineCache(std::optional<RedisAddress> redis) {
  if (!redis) return;
  address_ = redis->shown();
  redis_ = std::make_unique<RedisWorker>(std::move(*redis), RedisWorker::Limits{});
}

void EngineCache::serve_as(std::string instance) {
  const std::scoped_lock lock(mutex_);
  instance_ = std::move(instance);
}

std::string EngineCache::instance() const {
  const std::scoped_lock lock(mutex_);
  return instance_;
}

void EngineCache::put(const SessionId& id, const Owners& owners) {
  const std::string name = instance();
  if (name.empty()) return;
  std::string text = to_text({owners, name});
  if (redis_) return redis_->set(key_of(id), std::move(text));
  const std::scoped_lock lock(mutex_);
  if (entries_.size() >= kMaxEntries && !entries_.contains(id)) {
    ++counts_.dropped;
    return;
  }
  ++counts_.written;
  entries_.insert_or_assign(id, std::move(text));
}

void EngineCache::erase(const SessionId& id) {
  if (redis_) return redis_->erase(key_of(id));
  const std::scoped_lock lock(mutex_);
  entries_.erase(id);
}

net::awaitable<EngineCache::Lookup> EngineCache::find(SessionId id) {
  if (!redis_) {
    const std::scoped_lock lock(mutex_);
    const auto it = entries_.find(id);
    Lookup lookup;
    if (it != entries_.end()) lookup.text = it->second;
    co_return lookup;
  }
  const auto executor = co_await net::this_coro::executor;
  const auto waiting = std::make_shared<Waiting>(executor);
  redis_->get(key_of(id), [waiting, executor](Result<std::optional<std::string>> found) {
    Lookup answer{.failed = !found, .text = {}};
    if (found) answer.text = std::move(*found);
    net::post(executor, [waiting, answer = std::move(answer)] {
      waiting->answer = answer;
      waiting->timer.cancel();
    });
  });
  co_await waiting->timer.async_wait(kNoThrow);
  if (waiting->answer) co_return *waiting->answer;
  co_return Lookup{.failed = true, .text = {}};
}

void EngineCache::count(Verdict verdict) {
  const std::scoped_lock lock(mutex_);
  switch (verdict) {
    case Verdict::hit:
      ++counts_.hits;
      break;
    case Verdict::miss:
      ++counts_.misses;
      break;
    case Verdict::wrong:
      ++counts_.wrong;
      break;
    case Verdict::error:
      ++counts_.errors;
      break;
  }
}

CacheStatistics EngineCache::statistics() const {
  CacheStatistics all;
  {
    const std::scoped_lock lock(mutex_);
    all = counts_;
    all.backend = "process";
    all.entries = entries_.size();
  }
  if (!redis_) return all;
  const RedisStatus redis = redis_->status();
  all.backend = address_;
  all.available = redis.connected;
  all.detail = redis.detail;
  all.errors += redis.errors;
  all.written = redis.written;
  all.dropped = redis.dropped;
  all.entries = redis.waiting;
  return all;
}

}  // namespace term::server
