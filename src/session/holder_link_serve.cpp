// The link once the service runs: answers and events on its executor.

#include <boost/asio/post.hpp>
#include <cerrno>
#include <utility>

#include "session/holder_link.h"
#include "session/signal.h"

namespace term {

using holder::Type;

namespace {
constexpr auto kRequestTime = std::chrono::seconds(10);
constexpr std::size_t kMaxUnsent = 4096;
}  // namespace

void HolderLink::serve(const net::any_io_executor& executor, Events events) {
  executor_ = executor;
  events_ = std::move(events);
  ready_ = std::make_unique<net::posix::stream_descriptor>(executor, socket_.get());
  timer_ = std::make_unique<net::steady_timer>(executor);
  wait_readable();
  expire();
}

void HolderLink::close() {
  closed_ = true;
  if (ready_ && ready_->is_open()) ready_->release();  // The descriptor is socket_'s.
  if (timer_) timer_->cancel();
}

void HolderLink::wait_readable() {
  ready_->async_wait(net::posix::stream_descriptor::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& ec) {
                       if (!ec && !self->closed_) self->read_all();
                     });
}

void HolderLink::read_all() {
  for (;;) {
    auto packet = receive(0);
    if (packet) {
      take(std::move(*packet));
      if (closed_) return;
      continue;
    }
    if (packet.error().code == Errc::busy) return wait_readable();
    const std::string why = packet.error().detail;
    close();
    fail_all(why);
    if (events_.lost) events_.lost(why);
    return;
  }
}

void HolderLink::take(HolderPacket packet) {
  const holder::Header header = *packet.header();
  if (header.request == 0) {
    if (const auto* exited = packet.as<holder::Exited>(); header.type == Type::exited && exited) {
      if (auto status = exit_status(exited->exit); status && events_.exited)
        events_.exited(exited->slot, exited->pid, *status);
    } else if (const auto* taken = packet.as<holder::Taken>();
               header.type == Type::taken_over && taken) {
      close();
      fail_all("another service has taken over");
      if (events_.taken_over) events_.taken_over(taken->pid);
    }
    return;
  }
  Answer answer;
  {
    const std::lock_guard lock(mutex_);
    const auto it = waiting_.find(header.request);
    if (it != waiting_.end()) {
      answer = std::move(it->second.answer);
      waiting_.erase(it);
    }
  }
  // A shell that came when its time was over is nobody's.
  if (const auto* late = packet.as<holder::Spawned>();
      !answer && header.type == Type::spawned && late)
    request(release_message(late->slot), nullptr);
  if (answer) answer(judge(std::move(packet)));
}

void HolderLink::request(std::vector<char> message, Answer answer) {
  std::string why;
  {
    const std::lock_guard lock(mutex_);
    const std::uint32_t number = next_request_++;
    if (next_request_ == 0) next_request_ = 1;
    reinterpret_cast<holder::Header*>(message.data())->request = number;
    if (gone_) {
      why = "the holder is gone; a new one is being started";
    } else if (unsent_.size() >= kMaxUnsent) {
      why = "the holder takes no messages; is it stopped?";
    } else {
      waiting_[number] = {answer, std::chrono::steady_clock::now() + kRequestTime};
      if (!unsent_.empty() || !send_now(message, -1)) {
        unsent_.push_back(std::move(message));
        if (unsent_.size() == 1)
          net::post(executor_, [self = shared_from_this()] { self->wait_writable(); });
      }
    }
  }
  if (!why.empty() && answer)
    net::post(executor_, [answer, why] { answer(Error{Errc::os_error, why}); });
}

void HolderLink::wait_writable() {
  if (closed_) return;
  ready_->async_wait(net::posix::stream_descriptor::wait_write,
                     [self = shared_from_this()](const boost::system::error_code& ec) {
                       if (ec || self->closed_) return;
                       const std::lock_guard lock(self->mutex_);
                       while (!self->unsent_.empty() && self->send_now(self->unsent_.front(), -1))
                         self->unsent_.pop_front();
                       if (!self->unsent_.empty())
                         net::post(self->executor_, [self] { self->wait_writable(); });
                     });
}

void HolderLink::fail_all(const std::string& why) {
  std::map<std::uint32_t, Waiting> all;
  {
    const std::lock_guard lock(mutex_);
    gone_ = true;
    all.swap(waiting_);
    unsent_.clear();
  }
  for (auto& [number, waiting] : all)
    if (waiting.answer) waiting.answer(Error{Errc::os_error, why});
}

void HolderLink::expire() {
  std::vector<Answer> late;
  {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      if (it->second.deadline > now) {
        ++it;
        continue;
      }
      late.push_back(std::move(it->second.answer));
      it = waiting_.erase(it);
    }
  }
  for (const auto& answer : late)
    if (answer) answer(Error{Errc::os_error, "the holder does not answer; is it stopped?"});
  timer_->expires_after(std::chrono::seconds(1));
  timer_->async_wait([weak = weak_from_this()](const boost::system::error_code& ec) {
    if (const auto self = weak.lock(); self && !ec && !self->closed_) self->expire();
  });
}

}  // namespace term
