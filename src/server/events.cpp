#include "server/events.h"

#include <algorithm>
#include <deque>
#include <nlohmann/json.hpp>

namespace term::server {

namespace {
using Json = nlohmann::json;

constexpr auto kSilence = std::chrono::seconds(15);

std::string text_of(std::string_view type, const Json& data, std::uint64_t id) {
  return "id: " + std::to_string(id) + "\nevent: " + std::string(type) +
         "\ndata: " + data.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n\n";
}
}  // namespace

class Events::Listener final : public Pieces {
 public:
  explicit Listener(const net::any_io_executor& executor) : arrived_(executor) {}

  /// How many older ones had to go for it.
  std::uint64_t put(const std::string& event) {
    const bool full = waiting_.size() >= kMaxWaiting;
    if (full) waiting_.pop_front();
    waiting_.push_back(event);
    if (full) ++missed_;
    arrived_.notify_all();
    return full ? 1 : 0;
  }

  net::awaitable<Result<std::string>> next() override {
    if (!greeted_) {  // The receiver has its answer's head with it, and knows when to come back.
      greeted_ = true;
      co_return std::string("retry: 2000\n\n");
    }
    const auto deadline = std::chrono::steady_clock::now() + kSilence;
    while (waiting_.empty() && !stopped_) {
      if (std::chrono::steady_clock::now() >= deadline) co_return std::string(":\n\n");
      co_await arrived_.wait_until(deadline);
    }
    if (stopped_) co_return std::string{};
    std::string text;
    if (missed_ > 0) text = "event: missed\ndata: {\"events\":" + std::to_string(missed_) + "}\n\n";
    missed_ = 0;
    for (const std::string& event : waiting_) text += event;
    waiting_.clear();
    co_return text;
  }
  bool endless() const override { return true; }
  void stop() override {
    stopped_ = true;
    arrived_.notify_all();
  }

 private:
  std::deque<std::string> waiting_;
  Signal arrived_;
  std::uint64_t missed_ = 0;
  bool greeted_ = false;
  bool stopped_ = false;
};

void Events::publish(std::string_view type, const Json& data) {
  const std::string text = text_of(type, data, next_id_++);
  for (auto it = listeners_.begin(); it != listeners_.end();) {
    if (const auto listener = it->lock()) {
      missed_ += listener->put(text);
      ++it;
    } else {
      it = listeners_.erase(it);
    }
  }
}

Result<std::shared_ptr<Pieces>> Events::listen() {
  std::erase_if(listeners_, [](const auto& listener) { return listener.expired(); });
  if (listeners_.size() >= kMaxListeners)
    return Error{Errc::limit_reached,
                 std::to_string(kMaxListeners) + " listen to the events already; close one"};
  auto listener = std::make_shared<Listener>(executor_);
  listeners_.push_back(listener);
  return std::shared_ptr<Pieces>(std::move(listener));
}

std::size_t Events::listeners() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(listeners_, [](const auto& listener) { return !listener.expired(); }));
}

}  // namespace term::server
