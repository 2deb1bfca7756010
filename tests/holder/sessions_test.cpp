// Starting, listing, signalling, releasing and ending: a real holder, real shells.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <set>

#include "holder/holder_process.h"

namespace term::holder {
namespace {

const std::string kWaits = "echo ready; read x";

std::set<std::string> descriptors_of(pid_t pid) {
  std::set<std::string> names;
  for (const auto& e : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd"))
    names.insert(e.path().filename());
  return names;
}

TEST(HolderSessions, AShellIsStartedOnAPtyOfItsOwn) {
  HolderProcess holder;
  Peer peer(holder.dir());
  const Packet answer = peer.sh(7, "stty size; test -t 2 && echo terminal; read x");
  ASSERT_EQ(answer.type(), Type::spawned) << answer.text();
  ASSERT_EQ(answer.fds.size(), 1U);
  const auto spawned = answer.as<Spawned>();
  EXPECT_EQ(spawned.slot, 7U);
  const int pty = answer.fds[0].get();
  const std::string seen = read_until(pty, "terminal");
  EXPECT_NE(seen.find("24 80"), std::string::npos) << seen;
  EXPECT_NE(seen.find("terminal"), std::string::npos) << seen;
  EXPECT_EQ(::getsid(spawned.pid), spawned.pid);
  EXPECT_EQ(status_of(spawned.pid, "PPid"), std::to_string(holder.pid()));
  int number = -1;
  ASSERT_EQ(::ioctl(pty, TIOCGPTN, &number), 0);
  EXPECT_EQ(number, spawned.pts);
  EXPECT_TRUE(::fcntl(pty, F_GETFL) & O_NONBLOCK);
}

TEST(HolderSessions, AShellHasThreeDescriptorsNoSignalBlockedOrIgnoredAndTheEnvironmentGiven) {
  HolderProcess holder;
  Peer peer(holder.dir());
  ASSERT_EQ(peer.keep("kept", STDERR_FILENO).type(), Type::done);
  for (uint32_t slot = 0; slot < 3; ++slot) {
    const Packet answer = peer.sh(slot, kWaits);
    ASSERT_EQ(answer.type(), Type::spawned) << answer.text();
    EXPECT_NE(read_until(answer.fds[0].get(), "ready"), "");
    const pid_t pid = answer.as<Spawned>().pid;
    EXPECT_EQ(descriptors_of(pid), (std::set<std::string>{"0", "1", "2"}));
    EXPECT_EQ(status_of(pid, "SigBlk"), "0000000000000000");
    EXPECT_EQ(status_of(pid, "SigIgn"), "0000000000000000");
  }
  const Packet env = peer.spawn(10, {"/usr/bin/env"}, {"A=1", "B=two words", "EMPTY="}, "/");
  EXPECT_EQ(read_until(env.fds[0].get(), "EMPTY="), "A=1\r\nB=two words\r\nEMPTY=\r\n");
  const Packet none = peer.spawn(
      11, {"/bin/sh", "-c", "/usr/bin/env -u PWD -u OLDPWD -u _ -u SHLVL; echo ."}, {}, "/usr");
  EXPECT_EQ(read_until(none.fds[0].get(), "."), ".\r\n");
  const Packet pwd = peer.spawn(12, {"/bin/pwd"}, {}, "/usr");
  EXPECT_EQ(read_until(pwd.fds[0].get(), "\n"), "/usr\r\n");
}

TEST(HolderSessions, AShellHasTheLimitOfFilesThatTheHolderWasGivenAndNoProtection) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit low = before;
  low.rlim_cur = 700;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  HolderProcess holder;
  ::setrlimit(RLIMIT_NOFILE, &before);
  Peer peer(holder.dir());
  const Packet answer =
      peer.sh(0, "echo $(ulimit -n) $(cat /proc/self/oom_score_adj) over; read x");
  ASSERT_EQ(answer.type(), Type::spawned);
  EXPECT_NE(read_until(answer.fds[0].get(), "over").find("700 0 over"), std::string::npos);
  rlimit raised{};
  ASSERT_EQ(::prlimit(holder.pid(), RLIMIT_NOFILE, nullptr, &raised), 0);
  EXPECT_EQ(raised.rlim_cur, before.rlim_max);
  const std::string own = contents("/proc/" + std::to_string(holder.pid()) + "/oom_score_adj");
  if (::geteuid() == 0) EXPECT_TRUE(own == "-900\n" || own == "0\n") << own;
}

TEST(HolderSessions, ExitCodesAndSignalsAreToldAndKeptUntilTheRelease) {
  HolderProcess holder;
  Peer peer(holder.dir());
  const int64_t before_ms = ::time(nullptr) * 1000LL;
  std::map<uint32_t, pid_t> pids;
  const std::map<uint32_t, std::string> scripts{
      {0, "exit 0"}, {1, "exit 37"}, {2, "kill -KILL $$"}, {3, "kill -TERM $$"}, {4, "exit 255"}};
  for (const auto& [slot, script] : scripts) {
    const Packet answer = peer.sh(slot, script);
    ASSERT_EQ(answer.type(), Type::spawned) << answer.text();
    pids[slot] = answer.as<Spawned>().pid;
  }
  std::map<uint32_t, Exit> told;
  while (told.size() < scripts.size()) {
    const auto news = peer.exited();
    ASSERT_TRUE(news);
    EXPECT_EQ(news->pid, pids[news->slot]);
    EXPECT_TRUE(told.emplace(news->slot, news->exit).second) << "told twice";
  }
  const std::map<uint32_t, std::pair<int, int>> expected{
      {0, {0, 0}}, {1, {37, 0}}, {2, {-1, SIGKILL}}, {3, {-1, SIGTERM}}, {4, {255, 0}}};
  const auto check = [&](uint32_t slot, const Exit& exit) {
    EXPECT_EQ(exit.ended, 1U);
    EXPECT_EQ(exit.known, 1U);
    EXPECT_EQ(std::pair(exit.code, exit.signal), expected.at(slot)) << slot;
    EXPECT_GE(exit.at_ms, before_ms);
    EXPECT_LE(exit.at_ms, (::time(nullptr) + 1) * 1000LL);
  };
  for (const auto& [slot, exit] : told) check(slot, exit);
  const auto held = peer.list();
  ASSERT_EQ(held.size(), scripts.size());
  for (const auto& h : held) {
    check(h.held.slot, h.held.exit);
    EXPECT_FALSE(is_alive(h.held.pid));
    EXPECT_STREQ(h.held.tag, ("session_" + std::to_string(h.held.slot)).c_str());
  }
  for (const auto& [slot, script] : scripts) EXPECT_EQ(peer.release(slot).type(), Type::done);
  EXPECT_TRUE(peer.list().empty());
}

TEST(HolderSessions, WhatEndsWhileNobodyIsConnectedIsInTheNextListing) {
  HolderProcess holder;
  UniqueFd pty;
  pid_t pid = 0;
  {
    Peer peer(holder.dir());
    Packet answer = peer.sh(3, "echo ready; read x; exit 12");
    ASSERT_EQ(answer.type(), Type::spawned);
    pid = answer.as<Spawned>().pid;
    pty = std::move(answer.fds[0]);
    read_until(pty.get(), "ready");
  }
  EXPECT_TRUE(is_alive(pid)) << "the service ended, the shell did not";
  ASSERT_TRUE(type(pty.get(), "\n"));
  ASSERT_TRUE(until([&] { return status_of(pid, "State").empty(); })) << "reaped";
  Peer next(holder.dir());
  const auto held = next.list();
  ASSERT_EQ(held.size(), 1U);
  EXPECT_EQ(held[0].held.exit.ended, 1U);
  EXPECT_EQ(held[0].held.exit.code, 12);
  EXPECT_FALSE(next.receive(std::chrono::milliseconds(200))) << "not told once more";
}

TEST(HolderSessions, TheNextServiceGetsTheSamePtyAndMissesNoByte) {
  HolderProcess holder;
  pid_t pid = 0;
  {
    Peer peer(holder.dir());
    const Packet answer = peer.sh(0, "read x; echo got-$x; read y; echo and-$y");
    pid = answer.as<Spawned>().pid;
    ASSERT_TRUE(type(answer.fds[0].get(), "one\n"));
  }
  Peer next(holder.dir());
  const auto held = next.list();
  ASSERT_EQ(held.size(), 1U);
  EXPECT_EQ(held[0].held.pid, pid);
  EXPECT_EQ(held[0].held.exit.ended, 0U);
  EXPECT_NE(read_until(held[0].pty.get(), "got-one").find("got-one"), std::string::npos);
  ASSERT_TRUE(type(held[0].pty.get(), "two\n"));
  EXPECT_NE(read_until(held[0].pty.get(), "and-two").find("and-two"), std::string::npos);
}

TEST(HolderSessions, ASignalReachesTheChildsGroupUnlessItHasEnded) {
  HolderProcess holder;
  Peer peer(holder.dir());
  const Packet answer =
      peer.sh(0, "trap 'echo usr1; exit 3' USR1; echo ready; while :; do sleep 0.05; done");
  read_until(answer.fds[0].get(), "ready");
  EXPECT_EQ(peer.signal(0, 0).error(), EINVAL);
  EXPECT_EQ(peer.signal(0, 65).error(), EINVAL);
  EXPECT_EQ(peer.signal(1, SIGTERM).error(), ENOENT);
  ASSERT_EQ(peer.signal(0, SIGUSR1).type(), Type::done);
  const auto news = peer.exited();
  ASSERT_TRUE(news);
  EXPECT_EQ(news->exit.signal == SIGUSR1 ? 3 : news->exit.code, 3);
  EXPECT_EQ(peer.signal(0, SIGKILL).error(), ESRCH) << "its pid may be another's";
}

TEST(HolderSessions, AReleasedShellIsHungUpAndStillReaped) {
  HolderProcess holder;
  Peer peer(holder.dir());
  Packet answer = peer.spawn(0, {"/bin/cat"});
  const pid_t pid = answer.as<Spawned>().pid;
  ASSERT_EQ(peer.release(0).type(), Type::done);
  EXPECT_TRUE(peer.list().empty());
  EXPECT_EQ(peer.release(0).error(), ENOENT);
  EXPECT_TRUE(is_alive(pid)) << "our own descriptor of the pty keeps it";
  answer.fds.clear();
  EXPECT_TRUE(until([&] { return status_of(pid, "State").empty(); })) << "ended and reaped";
  EXPECT_FALSE(peer.receive(std::chrono::milliseconds(200))) << "of a released one nothing is told";
  EXPECT_EQ(peer.spawn(0, {"/bin/cat"}).type(), Type::spawned) << "the slot is free";
}

TEST(HolderSessions, WhatCannotBeStartedIsNamedAndLeavesNothing) {
  HolderProcess holder;
  Peer peer(holder.dir());
  const size_t before = holder.descriptors();
  const Packet program = peer.spawn(0, {"/nowhere/bash"});
  EXPECT_EQ(program.error(), ENOENT);
  EXPECT_EQ(program.text(), "cannot run /nowhere/bash");
  EXPECT_EQ(peer.spawn(0, {"/etc/passwd"}).text(), "cannot run /etc/passwd");
  EXPECT_EQ(peer.spawn(0, {"/etc/passwd"}).error(), EACCES);
  const Packet directory = peer.spawn(0, {"/bin/sh"}, {}, "/nowhere/at/all");
  EXPECT_EQ(directory.error(), ENOENT);
  EXPECT_EQ(directory.text(), "start /bin/sh in directory /nowhere/at/all");
  EXPECT_EQ(peer.spawn(0, {"/bin/sh"}, {}, "/etc/passwd").error(), ENOTDIR);
  EXPECT_TRUE(peer.list().empty());
  EXPECT_EQ(holder.descriptors(), before);
}

TEST(HolderSessions, AStartThatMakesNoSenseIsRefusedByName) {
  HolderProcess holder;
  Peer peer(holder.dir());
  ASSERT_EQ(peer.spawn(4, {"/bin/cat"}).type(), Type::spawned);
  const Packet taken = peer.spawn(4, {"/bin/cat"});
  EXPECT_EQ(taken.error(), EEXIST);
  EXPECT_EQ(taken.text(), "slot 4 is taken by session_4");
  const Packet beyond = peer.spawn(65536, {"/bin/cat"});
  EXPECT_EQ(beyond.error(), EINVAL);
  EXPECT_EQ(beyond.text(), "slot 65536, the last of 65536 is 65535");
  EXPECT_EQ(peer.spawn(65535, {"/bin/cat"}).type(), Type::spawned);
  const Packet large = peer.spawn(5, {"/bin/cat"}, {"A=" + std::string(kMaxStrings, 'x')});
  EXPECT_EQ(large.error(), E2BIG);
  EXPECT_NE(large.text().find("at most 131072"), std::string::npos) << large.text();
  EXPECT_EQ(peer.spawn(5, {}).error(), EINVAL) << "no program";

  const std::string good = Peer::spawn_message(5, {"/bin/cat"}, {"A=1"}, "/");
  for (const int change : {-1, 1}) {
    std::string counts = good;
    Spawn message;
    std::memcpy(&message, counts.data(), sizeof message);
    message.envc += static_cast<uint32_t>(change);
    std::memcpy(counts.data(), &message, sizeof message);
    EXPECT_EQ(peer.ask(counts).error(), EINVAL);
    message.argc = 0xFFFFFFFF;
    message.envc = 1;
    std::memcpy(counts.data(), &message, sizeof message);
    EXPECT_EQ(peer.ask(counts).error(), EINVAL);
  }
  EXPECT_EQ(peer.ask(good.substr(0, good.size() - 1)).error(), EINVAL) << "not terminated";
  EXPECT_EQ(peer.ask(good.substr(0, sizeof(Spawn))).error(), EINVAL);
  EXPECT_EQ(peer.ask(good.substr(0, sizeof(Spawn) - 1)).error(), EINVAL);
  EXPECT_EQ(peer.ask(good, {STDERR_FILENO}).error(), EINVAL) << "with a descriptor";
  std::string tag = good;
  std::memset(tag.data() + offsetof(Spawn, tag), 'x', kMaxTag + 1);
  EXPECT_EQ(peer.ask(tag).text(), "a tag over 128 bytes");
  EXPECT_EQ(peer.ask(good).type(), Type::spawned) << "and it was free all the time";
}

TEST(HolderSessions, StringsUpToTheLimitArrive) {
  HolderProcess holder;
  Peer peer(holder.dir());
  std::vector<std::string> env;
  for (int i = 0; i < 12; ++i)
    env.push_back("V" + std::to_string(i) + "=" + std::string(10'000, 'x'));
  env.push_back("PATH=/usr/bin:/bin");
  const Packet answer = peer.spawn(0, {"/bin/sh", "-c", "echo ${#V0} ${#V11}"}, env);
  ASSERT_EQ(answer.type(), Type::spawned) << answer.text();
  EXPECT_EQ(read_until(answer.fds[0].get(), "\n"), "10000 10000\r\n");
}

TEST(HolderSessions, TheLastDescriptorsAreKeptForConnections) {
  const HolderProcess holder;
  std::vector<std::string> argv{
      "/bin/sh", "-c", "ulimit -n 100; exec " TERM_HOLDER " --state-dir=" + holder.file("low")};
  Process small = start_process(argv, holder.file("low.log"));
  ASSERT_TRUE(
      until([&] { return contents(holder.file("low.log")).find("ready") != std::string::npos; }));
  Peer peer(holder.file("low"));
  Packet refused;
  uint32_t started = 0;
  for (; started < 100; ++started) {
    Packet answer = peer.spawn(started, {"/bin/cat"});
    if (answer.type() != Type::spawned) {
      refused = std::move(answer);
      break;
    }
  }
  EXPECT_EQ(refused.error(), EMFILE);
  EXPECT_EQ(refused.text(), "the holder may have 100 files open, 64 are spare");
  EXPECT_GT(started, 10U);
  EXPECT_EQ(peer.keep("one", STDERR_FILENO).error(), EMFILE);
  Peer next(holder.file("low"), true, true);
  EXPECT_EQ(next.list().size(), started);
  ::kill(small.pid, SIGKILL);
  small.wait();
}

}  // namespace
}  // namespace term::holder
