#include "server/redis_worker.h"

#include <hiredis/hiredis.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <csignal>
#include <utility>
#include <vector>

namespace term::server {

namespace {

constexpr std::size_t kBatch = 200;
constexpr std::chrono::milliseconds kFirstBackOff{100};
constexpr std::chrono::milliseconds kMaxBackOff{5000};

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;

timeval as_timeval(std::chrono::milliseconds time) {
  return {.tv_sec = time.count() / 1000,
          .tv_usec = static_cast<suseconds_t>(time.count() % 1000 * 1000)};
}

Reply command(redisContext* context, const std::vector<std::string>& words) {
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  for (const std::string& word : words) {
    texts.push_back(word.data());
    sizes.push_back(word.size());
  }
  return Reply(static_cast<redisReply*>(
      redisCommandArgv(context, static_cast<int>(words.size()), texts.data(), sizes.data())));
}

std::string problem(const redisContext* context) {
  return context->err != 0 ? std::string(context->errstr) : "no answer";
}

/// First word of an error reply: a server may repeat what it was told, and that may be a password.
std::string refusal(const redisReply& reply) {
  const std::string_view text(reply.str, reply.len);
  return std::string(text.substr(0, std::min<std::size_t>(text.find(' '), 32)));
}

bool is_ok(const redisReply& reply) {
  return reply.type == REDIS_REPLY_STATUS || reply.type == REDIS_REPLY_INTEGER;
}

}  // namespace

void RedisWorker::Close::operator()(redisContext* context) const { redisFree(context); }

RedisWorker::RedisWorker(RedisAddress address, Limits limits)
    : address_(std::move(address)), limits_(limits), thread_([this] { run(); }) {}

RedisWorker::~RedisWorker() { stop(); }

void RedisWorker::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (!thread_.joinable()) return;
  thread_.join();
  std::deque<Read> waiting;
  {
    const std::scoped_lock lock(mutex_);
    status_.connected = false;
    status_.detail = "stopped";
    waiting.swap(reads_);
  }
  for (Read& read : waiting) read.found(Error{Errc::store_unavailable, "the service stops"});
}

void RedisWorker::write(std::string key, std::optional<std::string> value) {
  {
    const std::scoped_lock lock(mutex_);
    if (writes_.size() >= limits_.writes && !writes_.contains(key)) {
      ++status_.dropped;
      return;
    }
    writes_.insert_or_assign(std::move(key), std::move(value));
    if (!status_.connected) return;  // The worker comes by itself.
  }
  wake_.notify_one();
}

void RedisWorker::get(std::string key, Found found) {
  std::string why;
  {
    const std::scoped_lock lock(mutex_);
    if (!status_.connected) {
      why = "not connected: " + status_.detail;
    } else if (reads_.size() >= limits_.reads) {
      why = "too many questions wait";
    } else {
      reads_.push_back({std::move(key), std::move(found)});
    }
  }
  if (!why.empty()) return found(Error{Errc::store_unavailable, why});
  wake_.notify_one();
}

RedisStatus RedisWorker::status() const {
  const std::scoped_lock lock(mutex_);
  RedisStatus status = status_;
  status.waiting = writes_.size();
  return status;
}

void RedisWorker::run() {
  // hiredis writes with write(2): a peer that is gone must not end the process.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  std::unique_lock lock(mutex_);
  while (!stop_) {
    if (context_) {
      work(lock);
      continue;
    }
    wake_.wait_until(lock, try_again_at_, [this] { return stop_; });
    if (stop_) break;
    lock.unlock();
    const auto failure = connect();
    lock.lock();
    if (failure) {
      broke(*failure);
      continue;
    }
    status_.connected = true;
    status_.detail.clear();
    ++status_.connects;
    back_off_ = {};
    spdlog::info("redis.connected address={}", address_.shown());
  }
}

void RedisWorker::work(std::unique_lock<std::mutex>& lock) {
  wake_.wait(lock, [this] { return stop_ || !reads_.empty() || !writes_.empty(); });
  if (stop_) return;
  std::optional<std::string> failure;
  if (!reads_.empty()) {  // Somebody waits for these.
    Read read = std::move(reads_.front());
    reads_.pop_front();
    lock.unlock();
    failure = answer(read);
    lock.lock();
  } else {
    Writes batch;
    while (!writes_.empty() && batch.size() < kBatch)
      batch.insert(writes_.extract(writes_.begin()));
    lock.unlock();
    failure = put(batch);
    lock.lock();
    if (failure)
      writes_.merge(batch);  // What came since is newer and stays.
    else
      status_.written += batch.size();
  }
  if (failure) broke(*failure);
}

void RedisWorker::broke(const std::string& why) {
  context_.reset();
  ++status_.errors;
  if (status_.connected || status_.detail.empty())
    spdlog::warn("redis.lost address={} reason=\"{}\"", address_.shown(), why);
  status_.connected = false;
  status_.detail = why;
  back_off_ = back_off_.count() == 0 ? kFirstBackOff : std::min(back_off_ * 2, kMaxBackOff);
  try_again_at_ = std::chrono::steady_clock::now() + back_off_;
  for (Read& read : std::exchange(reads_, {}))
    read.found(Error{Errc::store_unavailable, "connection lost: " + why});
}

std::optional<std::string> RedisWorker::connect() {
  const timeval limit = as_timeval(limits_.connect);
  context_.reset(address_.path.empty()
                     ? redisConnectWithTimeout(address_.host.c_str(), address_.port, limit)
                     : redisConnectUnixWithTimeout(address_.path.c_str(), limit));
  if (!context_) return "out of memory";
  if (context_->err != 0) return problem(context_.get());
  redisSetTimeout(context_.get(), as_timeval(limits_.command));
  return greet();
}

std::optional<std::string> RedisWorker::greet() {
  std::vector<std::vector<std::string>> greetings;
  if (!address_.password.empty() && address_.user.empty())
    greetings.push_back({"AUTH", address_.password});
  if (!address_.user.empty()) greetings.push_back({"AUTH", address_.user, address_.password});
  if (address_.database != 0) greetings.push_back({"SELECT", std::to_string(address_.database)});
  greetings.push_back({"PING"});
  for (const auto& greeting : greetings) {
    const Reply reply = command(context_.get(), greeting);
    if (!reply) return problem(context_.get());
    if (reply->type == REDIS_REPLY_ERROR) return greeting.front() + " refused: " + refusal(*reply);
    if (!is_ok(*reply)) return greeting.front() + " was answered with nonsense";
  }
  return std::nullopt;
}

std::optional<std::string> RedisWorker::put(const Writes& batch) {
  const std::string seconds = std::to_string(limits_.expiry.count());
  for (const auto& [key, value] : batch) {
    if (value) {
      redisAppendCommand(context_.get(), "SET %b %b EX %s", key.data(), key.size(), value->data(),
                         value->size(), seconds.c_str());
    } else {
      redisAppendCommand(context_.get(), "DEL %b", key.data(), key.size());
    }
  }
  for (std::size_t i = 0; i < batch.size(); ++i) {
    void* raw = nullptr;
    if (redisGetReply(context_.get(), &raw) != REDIS_OK) return problem(context_.get());
    const Reply reply(static_cast<redisReply*>(raw));
    if (!reply) return "no answer";
    if (reply->type == REDIS_REPLY_ERROR) return "write refused: " + refusal(*reply);
    if (!is_ok(*reply)) return "a write was answered with nonsense";
  }
  return std::nullopt;
}

std::optional<std::string> RedisWorker::answer(Read& read) {
  const Reply reply = command(context_.get(), {"GET", read.key});
  std::optional<std::string> failure;
  if (!reply) {
    failure = problem(context_.get());
  } else if (reply->type == REDIS_REPLY_ERROR) {
    failure = "read refused: " + refusal(*reply);
  } else if (reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_NIL) {
    failure = "a read was answered with nonsense";
  }
  if (failure) {
    read.found(Error{Errc::store_unavailable, *failure});
  } else if (reply->type == REDIS_REPLY_NIL) {
    read.found(std::optional<std::string>{});
  } else {
    read.found(std::optional<std::string>(std::string(reply->str, reply->len)));
  }
  return failure;
}

}  // namespace term::server
