// A thousand sessions, and a peer that sends nonsense.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <set>

#include "holder/holder_process.h"

namespace term::holder {
namespace {

int number_in(const std::string& path) { return std::atoi(contents(path).c_str()); }

/// How many sessions this machine lets us try, a thousand at most.
uint32_t possible_sessions() {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  const int ptys =
      number_in("/proc/sys/kernel/pty/max") - number_in("/proc/sys/kernel/pty/nr") - 100;
  // Twice as many here: those of the spawn and those of the listing.
  const auto descriptors = static_cast<int>(std::min<rlim_t>(files.rlim_max, 100'000) / 2) - 200;
  return static_cast<uint32_t>(std::clamp(std::min(ptys, descriptors), 1, 1'000));
}

TEST(HolderLoad, AThousandSessionsAreListedInFullPackets) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit raised{.rlim_cur = before.rlim_max, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &raised), 0);
  const uint32_t count = possible_sessions();
  HolderProcess holder;
  std::set<int> pts;
  {
    Peer peer(holder.dir());
    for (uint32_t slot = 0; slot < count; ++slot) {
      const Packet answer = peer.spawn(slot, {"/bin/cat"}, {});
      ASSERT_EQ(answer.type(), Type::spawned) << answer.text();
      EXPECT_TRUE(pts.insert(answer.as<Spawned>().pts).second);
    }
  }
  Peer next(holder.dir());
  const auto held = next.list();
  ASSERT_EQ(held.size(), count);
  for (uint32_t slot = 0; slot < count; ++slot) {
    EXPECT_EQ(held[slot].held.slot, slot);
    EXPECT_EQ(pts.count(held[slot].held.pts), 1U);
  }
  // All of them, through an upgrade.
  EXPECT_EQ(next.upgrade("").bytes, "");
  Peer last(holder.dir());
  EXPECT_EQ(last.list().size(), count);
  EXPECT_EQ(last.end().type(), Type::done);
  for (uint32_t i = 0; i < count; ++i) {
    const auto news = last.exited();
    ASSERT_TRUE(news) << i;
    EXPECT_EQ(news->exit.signal, SIGHUP);
  }
  const auto status = holder.process().wait();
  ASSERT_TRUE(status);
  EXPECT_EQ(*status, 0);
  ::setrlimit(RLIMIT_NOFILE, &before);
}

/// Random and mutated packets, the same in every run.
class Mutator {
 public:
  explicit Mutator(unsigned seed) : random_(seed) {}

  uint32_t below(uint32_t limit) {
    return std::uniform_int_distribution<uint32_t>(0, limit - 1)(random_);
  }

  std::string packet() {
    std::string bytes = below(8) == 0 ? noise() : sound();
    if (below(3) == 0) return bytes;
    for (uint32_t i = below(4); i > 0 && !bytes.empty(); --i) {
      bytes[below(static_cast<uint32_t>(bytes.size()))] = static_cast<char>(below(256));
    }
    if (below(4) == 0) bytes.resize(below(static_cast<uint32_t>(bytes.size()) + 1));
    if (below(8) == 0) bytes += noise();
    if (bytes.empty()) bytes = "x";  // An empty one ends the connection.
    // Not these: they end the holder, or make it another program. Their own tests are elsewhere.
    uint32_t type = 0;
    std::memcpy(&type, bytes.data(), std::min(sizeof type, bytes.size()));
    if (type == static_cast<uint32_t>(Type::upgrade) || type == static_cast<uint32_t>(Type::end)) {
      bytes[0] = static_cast<char>(Type::list);
    }
    return bytes;
  }

 private:
  std::string noise() {
    std::string bytes(1 + below(400), '\0');
    for (char& byte : bytes) byte = static_cast<char>(below(256));
    return bytes;
  }
  template <class Message>
  static std::string bytes_of(const Message& message) {
    return {reinterpret_cast<const char*>(&message), sizeof message};
  }
  std::string sound() {
    const uint32_t slot = below(6) == 0 ? below(0xFFFFFFFF) : below(20);
    const std::string name = "n" + std::to_string(below(300));
    switch (below(14)) {
      case 0:
        return Peer::spawn_message(slot, {below(2) == 0 ? "/bin/true" : "/nowhere"}, {"A=1"}, "/");
      case 1:
        return bytes_of(Header{Type::list, below(100)});
      case 2:
        return bytes_of(Slot{{Type::release, 1}, slot});
      case 3:
        return bytes_of(Signal{{Type::signal, 1}, slot, static_cast<int32_t>(below(70))});
      case 4:
        return bytes_of(Peer::named(Type::keep, name));
      case 5:
        return bytes_of(Peer::named(Type::drop, name));
      case 6:
        return bytes_of(Header{Type::fetch, 1});
      case 7:
        return bytes_of(Adopt{{Type::adopt, 1},
                              slot,
                              static_cast<int32_t>(below(100'000)),
                              static_cast<int32_t>(below(50)),
                              "tag"});
      default:
        return bytes_of(Hello{{Type::hello, 1}, 1, below(2)});
    }
  }

  std::mt19937 random_;
};

TEST(HolderLoad, TwentyThousandPacketsOfNonsenseDoNoHarmAndLeakNothing) {
  HolderProcess holder({"--idle-exit=0"});
  const size_t before = holder.descriptors();
  UniqueFd witness;
  pid_t witness_pid = 0;
  Mutator mutator(20'261'123);
  int unused_pty = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  const std::vector<int> descriptors{STDERR_FILENO, STDIN_FILENO, unused_pty};
  {
    Peer peer(holder.dir());
    Packet answer = peer.sh(50'000, "echo ready; read x; echo got-$x; read y");
    ASSERT_EQ(answer.type(), Type::spawned) << answer.text();
    witness = std::move(answer.fds[0]);
    witness_pid = answer.as<Spawned>().pid;
  }
  for (int sent = 0; sent < 20'000;) {
    // Now and then a stranger, which begins with anything.
    const bool hello = mutator.below(4) != 0;
    Peer peer(holder.dir(), hello, hello);
    for (int i = 0; i < 500 && sent < 20'000; ++i, ++sent) {
      std::vector<int> fds;
      for (uint32_t n = mutator.below(6) == 0 ? mutator.below(250) : mutator.below(3); n > 0; --n) {
        fds.push_back(descriptors[mutator.below(3)]);
      }
      if (!peer.send(mutator.packet(), fds)) break;  // It was refused.
      while (peer.receive(std::chrono::milliseconds(0))) {
      }
    }
  }
  ::close(unused_pty);
  ASSERT_FALSE(holder.process().ended()) << holder.log();
  Peer peer(holder.dir(), true, true);
  bool found = false;
  for (const auto& h : peer.list()) {
    if (h.held.slot == 50'000) {
      found = h.held.exit.ended == 0;
    } else {
      EXPECT_EQ(peer.release(h.held.slot).type(), Type::done);
    }
  }
  // The mutator may have hit its slot, but only with a message that says so.
  if (found) {
    EXPECT_TRUE(is_alive(witness_pid));
    EXPECT_EQ(peer.release(50'000).type(), Type::done);
  }
  for (const auto& n : peer.fetch()) EXPECT_EQ(peer.drop(n.name).type(), Type::done);
  EXPECT_EQ(peer.sh(0, "exit 3").type(), Type::spawned) << "it still serves";
  while (const auto packet = peer.news()) {
    if (packet->type() == Type::exited && packet->as<Exited>().exit.code == 3) break;
  }
  EXPECT_EQ(peer.release(0).type(), Type::done);
  peer.close();
  EXPECT_TRUE(until([&] { return holder.descriptors() == before; }))
      << holder.descriptors() << " descriptors, before it were " << before;
}

}  // namespace
}  // namespace term::holder
