// Who may connect, who is served, and what a bad or slow peer can do: nothing.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "holder/holder_process.h"

namespace term::holder {
namespace {

using std::chrono::milliseconds;

TEST(HolderConnections, TheFirstServiceIsWelcome) {
  HolderProcess holder;
  Peer peer(holder.dir(), false);
  const Packet answer = peer.hello();
  ASSERT_EQ(answer.type(), Type::welcome);
  const auto welcome = answer.as<Welcome>();
  EXPECT_EQ(welcome.version, kVersion);
  EXPECT_EQ(welcome.pid, holder.pid());
  EXPECT_EQ(welcome.sessions, 0U);
  EXPECT_EQ(welcome.named, 0U);
}

TEST(HolderConnections, AnotherVersionIsRefusedAndToldOurs) {
  HolderProcess holder;
  for (const uint32_t version : {0U, kVersion + 1, 0xFFFFFFFFU}) {
    Peer peer(holder.dir(), false);
    const Packet answer = peer.hello(false, version);
    ASSERT_EQ(answer.type(), Type::refused);
    EXPECT_EQ(answer.as<Refused>().version, kVersion);
    EXPECT_EQ(answer.as<Refused>().pid, 0);
    EXPECT_TRUE(peer.at_end());
  }
}

TEST(HolderConnections, WhoeverDoesNotBeginWithHelloIsRefused) {
  HolderProcess holder;
  const Header list{Type::list, 1};
  const Hello hello{{Type::hello, 1}, kVersion, 0};
  const std::string whole(reinterpret_cast<const char*>(&hello), sizeof hello);
  const std::string other(reinterpret_cast<const char*>(&list), sizeof list);
  for (const std::string& first : {other, std::string("x"), whole.substr(0, 12), whole + "more"}) {
    Peer peer(holder.dir(), false);
    ASSERT_TRUE(peer.send(first));
    const auto answer = peer.receive();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->type(), Type::refused);
    EXPECT_TRUE(peer.at_end());
  }
  Peer with_fd(holder.dir(), false);
  ASSERT_TRUE(with_fd.send(whole, {STDERR_FILENO}));
  EXPECT_EQ(with_fd.receive()->type(), Type::refused);
  Peer good(holder.dir());
}

TEST(HolderConnections, ASecondServiceIsRefusedWithThePidOfTheFirst) {
  HolderProcess holder;
  Peer first(holder.dir());
  Peer second(holder.dir(), false);
  const Packet answer = second.hello();
  ASSERT_EQ(answer.type(), Type::refused);
  EXPECT_EQ(answer.as<Refused>().pid, ::getpid());
  EXPECT_TRUE(second.at_end());
  EXPECT_EQ(first.sh(0, "exit 0").type(), Type::spawned) << "the first goes on";
  EXPECT_EQ(first.hello().error(), EINVAL) << "once is enough";
}

TEST(HolderConnections, AServiceThatTakesOverGetsEverythingAndTheFirstIsTold) {
  HolderProcess holder;
  Peer first(holder.dir());
  ASSERT_EQ(first.spawn(0, {"/bin/cat"}).type(), Type::spawned);
  Peer second(holder.dir(), true, true);
  const auto news = first.news();
  ASSERT_TRUE(news);
  EXPECT_EQ(news->type(), Type::taken_over);
  EXPECT_EQ(news->as<Taken>().pid, ::getpid());
  EXPECT_TRUE(first.at_end());
  EXPECT_EQ(second.list().size(), 1U);
  EXPECT_EQ(second.signal(0, SIGKILL).type(), Type::done);
  EXPECT_TRUE(second.exited());
}

TEST(HolderConnections, ANewServiceNeedNotTakeOverFromOneThatDied) {
  HolderProcess holder;
  for (int i = 0; i < 50; ++i) {
    Peer peer(holder.dir());
    ASSERT_EQ(peer.sh(static_cast<uint32_t>(i), "exit 0").type(), Type::spawned);
  }
  EXPECT_EQ(Peer(holder.dir()).list().size(), 50U);
}

TEST(HolderConnections, WhatADyingServiceAskedForIsDone) {
  HolderProcess holder;
  {
    Peer peer(holder.dir());
    for (uint32_t slot = 0; slot < 100; ++slot) {
      ASSERT_TRUE(peer.send(Peer::spawn_message(slot, {"/bin/cat"}, {}, "/")));
    }
    ASSERT_TRUE(peer.send_message(Slot{{Type::release, 1}, 5}));
  }  // Closed with all the answers unread.
  EXPECT_EQ(Peer(holder.dir()).list().size(), 99U);
}

TEST(HolderConnections, NineWithoutHelloAreOneTooManyAndFiveSecondsAreEnough) {
  HolderProcess holder;
  std::vector<Peer> silent;
  for (int i = 0; i < 8; ++i) silent.emplace_back(holder.dir(), false);
  const auto start = std::chrono::steady_clock::now();
  Peer ninth(holder.dir(), false);
  EXPECT_TRUE(ninth.at_end());
  EXPECT_TRUE(holder.logs("reason=half_open limit=8"));
  EXPECT_EQ(silent[0].hello().type(), Type::welcome) << "a place is free again";
  Peer late(holder.dir(), false);
  for (size_t i = 1; i < silent.size(); ++i) EXPECT_TRUE(silent[i].at_end());
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(4'500));
  EXPECT_TRUE(late.at_end());
  EXPECT_LE(std::chrono::steady_clock::now() - start, milliseconds(9'000)) << "whoever is served";
  EXPECT_EQ(silent[0].sh(0, "exit 0").type(), Type::spawned);
}

TEST(HolderConnections, TheDirectoryIsOursAloneAndOfOthersOnlyRootMayConnect) {
  HolderProcess holder;
  struct stat status{};
  ASSERT_EQ(::stat(holder.dir().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700U);
  ASSERT_EQ(::stat((holder.dir() + "/holder.sock").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
  if (::geteuid() != 0) GTEST_SKIP() << "becoming somebody else needs root";
  // Even where the modes would let them.
  ::chmod(holder.dir().c_str(), 0711);
  ::chmod((holder.dir() + "/holder.sock").c_str(), 0666);
  ::chmod(holder.file("").c_str(), 0711);
  ::chmod(std::filesystem::path(holder.dir()).parent_path().c_str(), 0711);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(3);
    Peer peer(holder.dir(), false);
    const Packet answer = peer.hello();
    ::_exit(answer.bytes.empty() && peer.at_end() ? 0 : 1);
  }
  int status_of_child = -1;
  ASSERT_EQ(::waitpid(child, &status_of_child, 0), child);
  EXPECT_EQ(status_of_child, 0);
  EXPECT_TRUE(holder.logs("reason=uid uid=65534"));
  Peer good(holder.dir());
}

TEST(HolderConnections, MalformedPacketsAreAnsweredAndChangeNothing) {
  HolderProcess holder;
  Peer peer(holder.dir());
  ASSERT_EQ(peer.spawn(0, {"/bin/cat"}).type(), Type::spawned);
  const size_t before = holder.descriptors();
  for (const uint32_t type : {0U, 12U, 64U, 65U, 74U, 0xFFFFFFFFU}) {
    EXPECT_EQ(peer.ask(Header{static_cast<Type>(type), 0}).text(), "no such message");
  }
  ASSERT_TRUE(peer.send("abc"));
  EXPECT_EQ(peer.receive()->error(), EINVAL);
  struct Longer {
    Slot slot;
    char more;
  };
  EXPECT_EQ(peer.ask(Longer{{{Type::release, 0}, 0}, 'x'}).error(), EINVAL);
  EXPECT_EQ(peer.ask(Header{Type::release, 0}).error(), EINVAL);
  EXPECT_EQ(peer.ask(Slot{{Type::release, 0}, 0}, {STDERR_FILENO}).error(), EINVAL);
  EXPECT_EQ(peer.ask(Slot{{Type::list, 0}, 0}).error(), EINVAL);
  EXPECT_EQ(peer.release(0xFFFFFFFF).error(), ENOENT);
  EXPECT_EQ(peer.ask(Slot{{Type::end, 0}, 0}).error(), EINVAL);
  EXPECT_EQ(peer.list().size(), 1U);
  EXPECT_EQ(holder.descriptors(), before);
}

TEST(HolderConnections, AnEmptyPacketIsTheEndOfTheConnection) {
  HolderProcess holder;
  Peer peer(holder.dir());
  const size_t before = holder.descriptors();
  ASSERT_TRUE(peer.send("", {STDERR_FILENO, STDIN_FILENO}));
  EXPECT_TRUE(peer.at_end());
  peer.close();
  EXPECT_TRUE(until([&] { return holder.descriptors() == before - 1; }));
}

TEST(HolderConnections, APacketOverTheLimitIsRefusedByItsLimit) {
  HolderProcess holder;
  Peer peer(holder.dir());
  const int size = 1 << 20;
  ASSERT_EQ(::setsockopt(peer.fd(), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size), 0);
  std::string large(kMaxPacket + 1, 'x');
  const Header header{Type::list, 0};
  std::memcpy(large.data(), &header, sizeof header);
  const Packet answer = peer.ask(large);
  EXPECT_EQ(answer.error(), EMSGSIZE);
  EXPECT_EQ(answer.text(), "a packet over 163840 bytes");
  EXPECT_EQ(peer.list().size(), 0U);
}

TEST(HolderConnections, AServiceThatReadsNothingHoldsNobodyUp) {
  HolderProcess holder;
  Peer stopped(holder.dir());
  ASSERT_EQ(stopped.sh(0, "echo ready; read x; exit 9").type(), Type::spawned);
  const int flags = ::fcntl(stopped.fd(), F_GETFL);
  ::fcntl(stopped.fd(), F_SETFL, flags | O_NONBLOCK);
  int asked = 0;
  while (stopped.send_message(Header{Type::list, 7}) && asked < 100'000) ++asked;
  ASSERT_LT(asked, 100'000) << "it stops reading when its answers are not read";
  // Shells go on, their ends are noticed, others may connect.
  const auto pid = [&] {
    Peer next(holder.dir(), false);
    EXPECT_EQ(next.hello().type(), Type::refused);
    return holder.pid();
  }();
  EXPECT_TRUE(is_alive(pid));
  Peer next(holder.dir(), true, true);
  const auto held = next.list();
  ASSERT_EQ(held.size(), 1U);
  ASSERT_TRUE(type(held[0].pty.get(), "\n"));
  const auto news = next.exited();
  ASSERT_TRUE(news);
  EXPECT_EQ(news->exit.code, 9);
}

TEST(HolderConnections, AServiceThatReadsLateGetsEveryAnswerAndEveryExit) {
  HolderProcess holder;
  Peer peer(holder.dir());
  constexpr uint32_t kShells = 200;
  for (uint32_t slot = 0; slot < kShells; ++slot) {
    ASSERT_EQ(peer.sh(slot, "exit 1").type(), Type::spawned);
  }
  const int flags = ::fcntl(peer.fd(), F_GETFL);
  ::fcntl(peer.fd(), F_SETFL, flags | O_NONBLOCK);
  uint32_t asked = 0;
  while (peer.send_message(Slot{{Type::release, 1'000 + asked}, 60'000})) ++asked;
  ::fcntl(peer.fd(), F_SETFL, flags);
  uint32_t answered = 0;
  uint32_t exits = 0;
  while (answered < asked || exits < kShells) {
    const auto packet = peer.news();
    ASSERT_TRUE(packet) << answered << " of " << asked << ", " << exits << " exits";
    if (packet->type() == Type::exited) {
      ++exits;
    } else {
      EXPECT_EQ(packet->request(), 1'000 + answered++) << "in order";
    }
  }
  EXPECT_EQ(exits, kShells);
}

}  // namespace
}  // namespace term::holder
