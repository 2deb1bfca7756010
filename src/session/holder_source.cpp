#include "session/holder_source.h"

#include <boost/asio/post.hpp>
#include <csignal>
#include <cstring>
#include <utility>

namespace term {

namespace {

using holder::Type;

Result<std::vector<char>> spawn_message(const PtyRequest& request) {
  std::vector<const std::string*> strings{&request.command.directory};
  for (const auto& argument : request.command.argv) strings.push_back(&argument);
  for (const auto& variable : request.command.env) strings.push_back(&variable);
  std::size_t size = 0;
  for (const auto* text : strings) size += text->size() + 1;
  if (size > holder::kMaxStrings)
    return Error{Errc::os_error, "arguments and environment of " + std::to_string(size) +
                                     " bytes; the holder takes " +
                                     std::to_string(holder::kMaxStrings)};
  holder::Spawn head{};
  head.header = {Type::spawn, 0};
  head.slot = request.slot;
  head.rows = request.size.rows;
  head.cols = request.size.cols;
  head.argc = static_cast<std::uint32_t>(request.command.argv.size());
  head.envc = static_cast<std::uint32_t>(request.command.env.size());
  request.id.copy(head.tag, holder::kMaxTag);
  std::vector<char> message(sizeof head);
  std::memcpy(message.data(), &head, sizeof head);
  for (const auto* text : strings) {
    message.insert(message.end(), text->begin(), text->end());
    message.push_back('\0');
  }
  return message;
}

Result<Pty> to_pty(Result<HolderPacket> answer) {
  if (!answer) return answer.error();
  const auto* spawned = answer->as<holder::Spawned>();
  if (answer->header()->type != Type::spawned || spawned == nullptr || answer->fds.size() != 1)
    return Error{Errc::os_error, "the holder sent no pty"};
  Pty pty;
  pty.fd = std::move(answer->fds.front());
  pty.pid = spawned->pid;
  pty.slot = spawned->slot;
  return pty;
}

}  // namespace

void HolderPtySource::use(std::shared_ptr<HolderLink> link) {
  const std::lock_guard lock(mutex_);
  link_ = std::move(link);
}

void HolderPtySource::close() {
  std::map<std::uint32_t, Child> children;  // Ended outside of the lock: a session calls us back.
  const std::lock_guard lock(mutex_);
  link_.reset();
  children.swap(children_);
}

std::shared_ptr<HolderLink> HolderPtySource::link() const {
  const std::lock_guard lock(mutex_);
  return link_;
}

void HolderPtySource::spawn(PtyRequest request, Started done) {
  auto message = spawn_message(request);
  const auto to = link();
  if (!message) return done(message.error());
  if (!to) return done(Error{Errc::os_error, "there is no holder"});
  to->request(std::move(*message), [done = std::move(done)](Result<HolderPacket> answer) {
    done(to_pty(std::move(answer)));
  });
}

void HolderPtySource::on_end(const Pty& pty, const boost::asio::any_io_executor& executor,
                             Ended ended) {
  const std::lock_guard lock(mutex_);
  Child& child = children_[pty.slot];
  if (child.exit) {
    boost::asio::post(executor, [ended = std::move(ended), exit = *child.exit] { ended(exit); });
    return;
  }
  child.executor = executor;
  child.ended = std::move(ended);
}

void HolderPtySource::ended(std::uint32_t slot, const ExitStatus& status) {
  const std::lock_guard lock(mutex_);
  Child& child = children_[slot];
  if (child.exit) return;
  child.exit = status;
  if (child.ended)
    boost::asio::post(child.executor,
                      [ended = std::exchange(child.ended, nullptr), status] { ended(status); });
}

void HolderPtySource::signal(const Pty& pty, int signal) {
  if (const auto to = link()) to->request(signal_message(pty.slot, signal), nullptr);
  signal_foreground(pty, signal);
}

void HolderPtySource::release(Pty pty) {
  pty.fd.reset();
  {
    const std::lock_guard lock(mutex_);
    children_.erase(pty.slot);
  }
  if (const auto to = link()) to->request(release_message(pty.slot), nullptr);
}

}  // namespace term
