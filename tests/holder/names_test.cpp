// Descriptors kept by name, and sessions adopted from a holder that is gone.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "holder/holder_process.h"

namespace term::holder {
namespace {

UniqueFd memory(const std::string& text) {
  UniqueFd fd(::memfd_create("test", MFD_CLOEXEC));
  EXPECT_EQ(::write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  return fd;
}
std::string text_in(int fd) {
  char text[64] = "";
  return ::pread(fd, text, sizeof text - 1, 0) > 0 ? text : "";
}

TEST(HolderNames, ADescriptorIsKeptForTheNextServiceUntilItIsDropped) {
  HolderProcess holder;
  {
    Peer peer(holder.dir());
    EXPECT_EQ(peer.keep("arena", memory("one").get()).type(), Type::done);
    EXPECT_EQ(peer.keep("other", memory("two").get()).type(), Type::done);
    EXPECT_EQ(peer.keep("arena", memory("three").get()).type(), Type::done) << "replaced";
  }
  Peer next(holder.dir(), false);
  EXPECT_EQ(next.hello().as<Welcome>().named, 2U);
  const auto names = next.fetch();
  ASSERT_EQ(names.size(), 2U);
  EXPECT_EQ(names[0].name, "arena");
  EXPECT_EQ(text_in(names[0].fd.get()), "three");
  EXPECT_EQ(text_in(names[1].fd.get()), "two");
  EXPECT_EQ(next.drop("arena").type(), Type::done);
  EXPECT_EQ(next.drop("arena").error(), ENOENT);
  EXPECT_EQ(next.fetch().size(), 1U);
}

TEST(HolderNames, NamesAreRefusedByTheirLimits) {
  HolderProcess holder;
  Peer peer(holder.dir());
  EXPECT_EQ(peer.keep("", STDERR_FILENO).text(), "a name has 1 to 31 bytes");
  Named long_name{};
  long_name.header.type = Type::keep;
  std::memset(long_name.name.name, 'x', sizeof long_name.name.name);
  EXPECT_EQ(peer.ask(long_name, {STDERR_FILENO}).error(), EINVAL);
  EXPECT_EQ(peer.ask(Peer::named(Type::keep, "none")).error(), EINVAL) << "no descriptor";
  EXPECT_EQ(peer.ask(Peer::named(Type::keep, "two"), {1, 2}).error(), EINVAL);
  EXPECT_EQ(peer.ask(Peer::named(Type::drop, "with"), {1}).error(), EINVAL);
  for (size_t i = 0; i < kMaxNamed; ++i) {
    ASSERT_EQ(peer.keep("n" + std::to_string(i), STDERR_FILENO).type(), Type::done) << i;
  }
  const Packet full = peer.keep("one more", STDERR_FILENO);
  EXPECT_EQ(full.error(), ENOSPC);
  EXPECT_EQ(full.text(), "256 names are kept already");
  EXPECT_EQ(peer.keep("n0", STDIN_FILENO).type(), Type::done) << "replacing needs no room";
  EXPECT_EQ(peer.fetch().size(), kMaxNamed) << "more than one packet";
  for (size_t i = 0; i < kMaxNamed; ++i) {
    ASSERT_EQ(peer.drop("n" + std::to_string(i)).type(), Type::done) << i;
  }
}

/// Does the kernel tell how a process ended to those who are not its parent? Since 6.15.
bool kernel_tells() {
  utsname name{};
  ::uname(&name);
  int major = 0;
  int minor = 0;
  return std::sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
         (major > 6 || (major == 6 && minor >= 15));
}

/// A shell of a holder that was killed; the pty lives on here.
struct Orphan {
  UniqueFd pty;
  pid_t pid = 0;
  int pts = -1;

  Orphan(HolderProcess& holder, const std::string& script) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // So that it is ours to reap, like init's.
    Peer peer(holder.dir());
    Packet answer = peer.sh(0, script);
    if (answer.type() != Type::spawned) {
      ADD_FAILURE() << answer.text();
      return;
    }
    pid = answer.as<Spawned>().pid;
    pts = answer.as<Spawned>().pts;
    pty = std::move(answer.fds[0]);
    read_until(pty.get(), "ready");
    ::kill(holder.pid(), SIGKILL);
    holder.process().wait();
  }
  ~Orphan() {
    ::kill(pid, SIGKILL);
    reap();
    ::prctl(PR_SET_CHILD_SUBREAPER, 0);
  }
  Orphan(const Orphan&) = delete;
  Orphan& operator=(const Orphan&) = delete;
  void reap() const { ::waitpid(pid, nullptr, 0); }
  Adopt message(uint32_t slot) const {
    Adopt adopt{{Type::adopt, 0}, slot, pid, pts, "adopted"};
    return adopt;
  }
};

TEST(HolderAdopts, TheShellsOfAHolderThatWasKilled) {
  HolderProcess holder;
  Orphan orphan(holder, "echo ready; read x; echo got-$x; exit 21");
  EXPECT_TRUE(is_alive(orphan.pid)) << "its pty is open here";
  holder.start();
  Peer peer(holder.dir());
  ASSERT_EQ(peer.ask(orphan.message(9), {orphan.pty.get()}).type(), Type::done);
  auto held = peer.list();
  ASSERT_EQ(held.size(), 1U);
  EXPECT_EQ(held[0].held.slot, 9U);
  EXPECT_STREQ(held[0].held.tag, "adopted");
  EXPECT_EQ(held[0].held.exit.ended, 0U);
  EXPECT_EQ(peer.ask(orphan.message(10), {orphan.pty.get()}).error(), EEXIST) << "twice";
  ASSERT_TRUE(type(held[0].pty.get(), "it\n"));
  EXPECT_NE(read_until(held[0].pty.get(), "got-it").find("got-it"), std::string::npos);
  orphan.reap();
  const auto news = peer.exited();
  ASSERT_TRUE(news);
  EXPECT_EQ(news->slot, 9U);
  EXPECT_EQ(news->exit.ended, 1U);
  EXPECT_EQ(news->exit.known, kernel_tells() ? 1U : 0U);
  EXPECT_EQ(news->exit.code, kernel_tells() ? 21 : -1);
  EXPECT_EQ(peer.signal(9, SIGTERM).error(), ESRCH);
  EXPECT_EQ(peer.release(9).type(), Type::done);
}

TEST(HolderAdopts, ASignalReachesAnAdoptedShell) {
  HolderProcess holder;
  Orphan orphan(holder, "echo ready; read x");
  holder.start();
  Peer peer(holder.dir());
  ASSERT_EQ(peer.ask(orphan.message(0), {orphan.pty.get()}).type(), Type::done);
  ASSERT_EQ(peer.signal(0, SIGKILL).type(), Type::done);
  orphan.reap();
  const auto news = peer.exited();
  ASSERT_TRUE(news);
  EXPECT_EQ(news->exit.signal, kernel_tells() ? SIGKILL : 0);
}

TEST(HolderAdopts, AnEndThatNobodyTellsIsUnknownAndNotAwaitedForEver) {
  HolderProcess holder;
  Orphan orphan(holder, "echo ready; read x; exit 3");
  holder.start();
  Peer peer(holder.dir());
  ASSERT_EQ(peer.ask(orphan.message(0), {orphan.pty.get()}).type(), Type::done);
  ASSERT_TRUE(type(orphan.pty.get(), "\n"));
  const auto news = peer.exited();  // Its parent, this process, does not reap it.
  ASSERT_TRUE(news);
  EXPECT_EQ(news->exit.known, 0U);
  EXPECT_EQ(news->exit.code, -1);
  EXPECT_EQ(news->exit.signal, 0);
}

TEST(HolderAdopts, NothingThatIsNotThere) {
  HolderProcess holder;
  Orphan orphan(holder, "echo ready; read x");
  holder.start();
  Peer peer(holder.dir());
  const size_t before = holder.descriptors();
  EXPECT_EQ(peer.ask(orphan.message(0)).error(), EINVAL) << "no pty";
  EXPECT_EQ(peer.ask(orphan.message(0), {STDERR_FILENO}).error(), EINVAL) << "not a pty";
  Adopt wrong = orphan.message(0);
  wrong.pts += 1;
  EXPECT_EQ(peer.ask(wrong, {orphan.pty.get()}).error(), EINVAL) << "another pty";
  for (const pid_t pid : {1, 0, -1}) {
    wrong = orphan.message(0);
    wrong.pid = pid;
    EXPECT_NE(peer.ask(wrong, {orphan.pty.get()}).error(), 0) << pid;
  }
  wrong = orphan.message(0);
  wrong.pid = ::getpid();
  EXPECT_EQ(peer.ask(wrong, {orphan.pty.get()}).error(), ESRCH) << "a pid used again";
  EXPECT_EQ(peer.ask(orphan.message(65536), {orphan.pty.get()}).error(), EINVAL);
  ::kill(orphan.pid, SIGKILL);
  ASSERT_TRUE(until([&] { return !is_alive(orphan.pid); }));
  EXPECT_EQ(peer.ask(orphan.message(0), {orphan.pty.get()}).error(), ESRCH) << "gone";
  EXPECT_TRUE(peer.list().empty());
  EXPECT_EQ(holder.descriptors(), before);
}

}  // namespace
}  // namespace term::holder
