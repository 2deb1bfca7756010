// How a holder starts and ends: daemon, lock, idle, signals, init mode.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "holder/holder_process.h"

namespace term::holder {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::string run(const std::string& command, int* status) {
  std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  std::string output;
  char chunk[256];
  while (std::fgets(chunk, sizeof chunk, pipe) != nullptr) output += chunk;
  *status = WEXITSTATUS(::pclose(pipe));
  return output;
}

pid_t pid_in(const std::string& dir) { return std::atoi(contents(dir + "/holder.lock").c_str()); }

TEST(HolderLife, ItLinksNothingButLibc) {
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "a sanitizer brings more";
#endif
#endif
  int status = 0;
  const std::string libraries = run("ldd " TERM_HOLDER, &status);
  EXPECT_EQ(libraries.find("libstdc++"), std::string::npos) << libraries;
  EXPECT_EQ(std::count(libraries.begin(), libraries.end(), '\n'), 3) << "vdso, libc, loader:\n"
                                                                     << libraries;
}

TEST(HolderLife, WrongArgumentsAreRefusedWithTheUsage) {
  const Directory d;
  int status = 0;
  for (const std::string& arguments :
       {std::string(), std::string("--state-dir="), "--state-dir=" + d.path("s") + " --nonsense",
        "--state-dir=" + d.path("s") + " --idle-exit=soon",
        "--state-dir=" + d.path("s") + " --init", "--state-dir=" + d.path("s") + " -- /bin/true"}) {
    const std::string output = run(TERM_HOLDER " " + arguments, &status);
    EXPECT_EQ(status, 2) << arguments;
    EXPECT_NE(output.find("terminal-holder: "), std::string::npos) << output;
  }
  EXPECT_NE(run(TERM_HOLDER " --help", &status).find("Usage"), std::string::npos);
  EXPECT_EQ(status, 0);
}

TEST(HolderLife, ADirectoryThatIsNotItsOwnIsRefused) {
  const Directory d;
  int status = 0;
  ::mkdir(d.path("open").c_str(), 0700);
  ::chmod(d.path("open").c_str(), 0777);
  EXPECT_NE(run(TERM_HOLDER " --state-dir=" + d.path("open"), &status).find("others may write"),
            std::string::npos);
  EXPECT_EQ(status, 1);
  EXPECT_NE(run(TERM_HOLDER " --state-dir=/nowhere/at/all", &status).find("/nowhere/at/all"),
            std::string::npos);
  const std::string longest = d.path(std::string(100, 'x'));
  EXPECT_NE(run(TERM_HOLDER " --state-dir=" + longest, &status).find("longer than the 107 bytes"),
            std::string::npos);
  EXPECT_EQ(status, 1);
}

TEST(HolderLife, TwoInOneDirectoryCannotBe) {
  HolderProcess holder;
  int status = 0;
  const std::string output = run(TERM_HOLDER " --state-dir=" + holder.dir(), &status);
  EXPECT_EQ(status, 3);
  EXPECT_NE(
      output.find("runs in " + holder.dir() + " already: process " + std::to_string(holder.pid())),
      std::string::npos)
      << output;
  run(TERM_HOLDER " --daemon --state-dir=" + holder.dir(), &status);
  EXPECT_EQ(status, 1);
  Peer peer(holder.dir());
}

TEST(HolderLife, ADaemonListensBeforeItsStarterEndsAndIsNobodysChild) {
  const Directory d;
  int status = -1;
  const std::string state = d.path("state");
  EXPECT_EQ(run(TERM_HOLDER " --daemon --idle-exit=1 --state-dir=" + state, &status), "");
  ASSERT_EQ(status, 0);
  const pid_t pid = pid_in(state);
  ASSERT_GT(pid, 1);
  {
    Peer peer(state);
    EXPECT_EQ(peer.sh(0, "exit 0").type(), Type::spawned);
    ASSERT_TRUE(peer.exited());
    EXPECT_EQ(peer.release(0).type(), Type::done);
    EXPECT_EQ(std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/cwd"), "/");
    EXPECT_EQ(std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/fd/0"), "/dev/null");
    EXPECT_EQ(std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/fd/1"), "/dev/null");
    EXPECT_EQ(std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/fd/2"),
              state + "/holder.log");
    EXPECT_NE(::getsid(pid), ::getsid(0));
    EXPECT_NE(::getsid(pid), pid) << "not a leader: no controlling terminal";
  }
  struct stat log{};
  ASSERT_EQ(::stat((state + "/holder.log").c_str(), &log), 0);
  EXPECT_EQ(log.st_mode & 07777, 0600U);
  // Idle: no session, no service.
  EXPECT_TRUE(until([&] { return !is_alive(pid); }));
  EXPECT_FALSE(std::filesystem::exists(state + "/holder.sock"));
  EXPECT_NE(contents(state + "/holder.log").find("holder.idle seconds=1"), std::string::npos);
}

TEST(HolderLife, ItIsNotIdleWhileItHoldsASessionOrIsAskedNeverTo) {
  HolderProcess holder({"--idle-exit=1"});
  HolderProcess never({"--idle-exit=0"});
  UniqueFd pty;
  {
    Peer peer(holder.dir());
    pty = std::move(peer.spawn(0, {"/bin/cat"}).fds.at(0));
  }
  EXPECT_FALSE(holder.process().wait(milliseconds(1'600)));
  EXPECT_FALSE(never.process().ended());
  {
    Peer peer(holder.dir());
    EXPECT_EQ(peer.release(0).type(), Type::done);
  }
  const auto status = holder.process().wait();
  ASSERT_TRUE(status);
  EXPECT_EQ(*status, 0);
  EXPECT_FALSE(never.process().ended());
}

/// A shell that wants to be killed, and one that goes when it is told.
std::pair<pid_t, pid_t> stubborn_and_tame(Peer* peer) {
  const Packet tame = peer->sh(0, "echo ready; read x");
  const Packet stubborn = peer->sh(1, "trap '' HUP TERM; echo ready; while :; do sleep 0.05; done");
  read_until(tame.fds[0].get(), "ready");
  read_until(stubborn.fds[0].get(), "ready");
  return {stubborn.as<Spawned>().pid, tame.as<Spawned>().pid};
}

TEST(HolderLife, EndHangsUpThenKillsThenEnds) {
  HolderProcess holder;
  Peer peer(holder.dir());
  const auto [stubborn, tame] = stubborn_and_tame(&peer);
  const auto start = steady_clock::now();
  EXPECT_EQ(peer.end().type(), Type::done);
  auto news = peer.exited();
  ASSERT_TRUE(news);
  EXPECT_EQ(news->pid, tame);
  EXPECT_EQ(news->exit.signal, SIGHUP);
  EXPECT_EQ(peer.sh(5, "exit 0").error(), ECANCELED);
  EXPECT_EQ(peer.upgrade("").error(), ECANCELED);
  news = peer.exited();
  ASSERT_TRUE(news);
  EXPECT_EQ(news->pid, stubborn);
  EXPECT_EQ(news->exit.signal, SIGKILL);
  const auto status = holder.process().wait();
  ASSERT_TRUE(status);
  EXPECT_EQ(*status, 0);
  EXPECT_GE(steady_clock::now() - start, milliseconds(2'900));
  EXPECT_TRUE(peer.at_end());
  EXPECT_FALSE(std::filesystem::exists(holder.dir() + "/holder.sock"));
}

TEST(HolderLife, SigtermIsAnEndAndHangingUpIsNot) {
  HolderProcess holder;
  Peer peer(holder.dir());
  const Packet shell = peer.sh(0, "echo ready; read x");
  read_until(shell.fds[0].get(), "ready");
  ::kill(holder.pid(), SIGHUP);
  EXPECT_EQ(peer.list().size(), 1U);
  ::kill(holder.pid(), SIGTERM);
  const auto status = holder.process().wait();
  ASSERT_TRUE(status);
  EXPECT_EQ(*status, 0);
  EXPECT_FALSE(is_alive(shell.as<Spawned>().pid));
}

/// A service for init mode: says that it runs, and with which pid.
std::vector<std::string> service(const std::string& script) {
  return {"/bin/sh", "-c", "echo service-$$ >>$TEST_DIR/runs; " + script};
}
size_t runs(const HolderProcess& holder) {
  const std::string text = contents(holder.file("runs"));
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST(HolderInit, TheServiceIsRestartedWhenItFailsEverMoreSlowly) {
  HolderProcess holder({}, service("kill -KILL $$"));
  const auto start = steady_clock::now();
  ASSERT_TRUE(until([&] { return runs(holder) >= 3; }));
  EXPECT_GE(steady_clock::now() - start, milliseconds(550)) << "200 ms, then 400 ms";
  EXPECT_TRUE(holder.logs("status=137 restart_in_ms=800")) << holder.log();
}

TEST(HolderInit, AnEndOnPurposeAndARefusedConfigurationAreTheEndOfAll) {
  for (const int code : {0, 78}) {
    HolderProcess holder(
        {}, service("read x </dev/null; until [ -e $TEST_DIR/go ]; do sleep 0.02; done; exit " +
                    std::to_string(code)));
    Peer peer(holder.dir(), false);
    const int go = ::open(holder.file("go").c_str(), O_CREAT | O_WRONLY, 0600);
    ::close(go);
    const auto status = holder.process().wait();
    ASSERT_TRUE(status);
    EXPECT_EQ(WEXITSTATUS(*status), code);
    EXPECT_EQ(runs(holder), 1U);
  }
}

TEST(HolderInit, SigtermEndsTheServiceFirstThenTheSessionsThenItself) {
  // What the service is told is written down before the session ends.
  HolderProcess holder({}, service("trap 'echo told >>$TEST_DIR/order; exit 5' TERM; trap 'echo "
                                   "reload >>$TEST_DIR/order' HUP; "
                                   "echo up >>$TEST_DIR/order; while :; do sleep 0.02; done"));
  ASSERT_TRUE(until([&] { return contents(holder.file("order")) == "up\n"; }));
  {
    // Said by another process than the service; as soon as it is gone the service is started anew.
    const pid_t child = ::fork();
    if (child == 0) {
      Peer peer(holder.dir());
      const Packet answer = peer.sh(0, "trap 'echo hup >>" + holder.file("order") +
                                           "; exit' HUP; echo ready; while :; do sleep 0.02; done");
      read_until(answer.fds[0].get(), "ready");
      ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
  }
  // That one counted as the service; without it the next was started.
  ASSERT_TRUE(until([&] { return runs(holder) == 2; })) << holder.log();
  ASSERT_TRUE(until([&] { return contents(holder.file("order")) == "up\nup\n"; }));
  ::kill(holder.pid(), SIGHUP);
  ASSERT_TRUE(until([&] { return contents(holder.file("order")) == "up\nup\nreload\n"; }));
  ::kill(holder.pid(), SIGTERM);
  const auto status = holder.process().wait();
  ASSERT_TRUE(status) << holder.log();
  EXPECT_EQ(WEXITSTATUS(*status), 5) << "the service's";
  EXPECT_EQ(contents(holder.file("order")).substr(13), "told\nhup\n");
}

TEST(HolderInit, OrphansAreReaped) {
  HolderProcess holder(
      {},
      service("(sh -c 'echo $$ >$TEST_DIR/orphan; sleep 0.1' &) ; while :; do sleep 0.05; done"));
  ASSERT_TRUE(
      until([&] { return contents(holder.file("orphan")).find('\n') != std::string::npos; }));
  const pid_t orphan = std::atoi(contents(holder.file("orphan")).c_str());
  EXPECT_TRUE(until([&] { return status_of(orphan, "State").empty(); }));
}

TEST(HolderInit, AServiceThatIsNotThereIsStatus127) {
  const Directory d;
  int status = 0;
  const std::string output =
      run(TERM_HOLDER " --state-dir=" + d.path("state") + " --init -- /nowhere/service", &status);
  EXPECT_EQ(status, 127);
  EXPECT_NE(output.find("program=/nowhere/service"), std::string::npos) << output;
}

TEST(HolderInit, AnUpgradeKeepsTheService) {
  HolderProcess holder({}, service("while :; do sleep 0.02; done"));
  ASSERT_TRUE(until([&] { return runs(holder) == 1; }));
  ::kill(holder.pid(), SIGUSR2);
  ASSERT_TRUE(holder.logs("holder.upgrade"));
  ASSERT_TRUE(until([&] {
    return contents("/proc/" + std::to_string(holder.pid()) + "/cmdline").find("resume") !=
           std::string::npos;
  }));
  EXPECT_EQ(runs(holder), 1U);
  ::kill(std::atoi(contents(holder.file("runs")).c_str() + 8), SIGKILL);
  EXPECT_TRUE(until([&] { return runs(holder) == 2; })) << "and notices when it ends";
  ::kill(holder.pid(), SIGTERM);
  EXPECT_TRUE(holder.process().wait());
}

}  // namespace
}  // namespace term::holder
