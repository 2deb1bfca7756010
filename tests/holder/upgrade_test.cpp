// The holder becomes another binary under live shells, or stays what it was.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "holder/holder_process.h"

namespace term::holder {
namespace {

namespace fs = std::filesystem;

std::string script(const HolderProcess& holder, const std::string& name, const std::string& text) {
  const std::string path = holder.file(name);
  std::ofstream(path) << text;
  ::chmod(path.c_str(), 0700);
  return path;
}

std::string exe_of(pid_t pid) {
  return fs::read_symlink("/proc/" + std::to_string(pid) + "/exe").string();
}

/// Waits until the holder has become `times` others.
bool became(HolderProcess& holder, int times) {
  return until([&] {
    const std::string log = holder.log();
    int found = -1;
    for (size_t at = 0; (at = log.find("holder.ready", at)) != std::string::npos; ++at) ++found;
    return found >= times;
  });
}

TEST(HolderUpgrade, EverythingGoesOnInTheNewBinary) {
  HolderProcess holder;
  const std::string binary = holder.file("new-holder");
  fs::copy_file(TERM_HOLDER, binary);
  std::vector<UniqueFd> ptys;
  std::vector<pid_t> pids;
  size_t descriptors = 0;
  {
    Peer peer(holder.dir());
    for (uint32_t slot = 0; slot < 20; ++slot) {
      Packet answer =
          peer.sh(slot * 3, "echo ready; read x; echo got-$x; exit " + std::to_string(slot));
      ASSERT_EQ(answer.type(), Type::spawned) << answer.text();
      pids.push_back(answer.as<Spawned>().pid);
      ptys.push_back(std::move(answer.fds[0]));
      read_until(ptys.back().get(), "ready");
    }
    ASSERT_EQ(peer.sh(1, "exit 44").type(), Type::spawned);
    ASSERT_TRUE(peer.exited());
    const UniqueFd arena(::memfd_create("arena", MFD_CLOEXEC));
    ASSERT_EQ(::write(arena.get(), "kept", 4), 4);
    ASSERT_EQ(peer.keep("arena", arena.get()).type(), Type::done);
    descriptors = holder.descriptors();
    ASSERT_EQ(peer.upgrade(binary).bytes, "") << "no answer: the connection ends";
    EXPECT_TRUE(peer.at_end());
  }
  Peer next(holder.dir(), false);  // The socket never went away.
  const auto welcome = next.hello().as<Welcome>();
  EXPECT_EQ(welcome.pid, holder.pid()) << "the same process";
  EXPECT_EQ(welcome.sessions, 21U);
  EXPECT_EQ(welcome.named, 1U);
  EXPECT_EQ(exe_of(holder.pid()), binary);
  EXPECT_EQ(holder.descriptors(), descriptors);
  const auto names = next.fetch();
  char text[8] = "";
  ASSERT_EQ(::pread(names.at(0).fd.get(), text, 4, 0), 4);
  EXPECT_STREQ(text, "kept");
  auto held = next.list();
  ASSERT_EQ(held.size(), 21U);
  EXPECT_EQ(held[1].held.slot, 1U);
  EXPECT_EQ(held[1].held.exit.code, 44);
  for (size_t i = 0; i < ptys.size(); ++i) {
    ASSERT_TRUE(type(ptys[i].get(), "x" + std::to_string(i) + "\n"));
    const std::string expected = "got-x" + std::to_string(i);
    EXPECT_NE(read_until(ptys[i].get(), expected).find(expected), std::string::npos);
    const auto news = next.exited();
    ASSERT_TRUE(news);
    EXPECT_EQ(news->slot, i * 3);
    EXPECT_EQ(news->pid, pids[i]);
    EXPECT_EQ(news->exit.known, 1U);
    EXPECT_EQ(news->exit.code, static_cast<int>(i)) << "they are still its children";
  }
  // A shell started now has none of what came through the exec.
  const Packet fresh = next.sh(100, "echo ready; read x");
  read_until(fresh.fds[0].get(), "ready");
  size_t count = 0;
  for ([[maybe_unused]] const auto& e :
       fs::directory_iterator("/proc/" + std::to_string(fresh.as<Spawned>().pid) + "/fd")) {
    ++count;
  }
  EXPECT_EQ(count, 3U);
}

TEST(HolderUpgrade, ManyInARowAndByTheBinaryOnDiskLoseNothing) {
  Directory binaries;
  const std::string binary = binaries.path("holder");
  fs::copy_file(TERM_HOLDER, binary);
  HolderProcess holder({"--idle-exit=0"}, {}, binary);
  UniqueFd pty;
  {
    Peer peer(holder.dir());
    Packet answer = peer.sh(0, "ulimit -n; echo ready; while read x; do echo got-$x; done");
    pty = std::move(answer.fds[0]);
    read_until(pty.get(), "ready");
  }
  for (int i = 1; i <= 10; ++i) {
    // Replaced as an installer does it: the old file is gone, its name is another's.
    fs::copy_file(TERM_HOLDER, binary + ".new", fs::copy_options::overwrite_existing);
    fs::rename(binary + ".new", binary);
    if (i % 2 == 0) {
      ::kill(holder.pid(), SIGUSR2);
    } else {
      Peer peer(holder.dir());
      EXPECT_EQ(peer.upgrade("").bytes, "");
    }
    ASSERT_TRUE(became(holder, i)) << holder.log();
    EXPECT_EQ(exe_of(holder.pid()), binary);
    ASSERT_TRUE(type(pty.get(), std::to_string(i) + "\n"));
    EXPECT_NE(read_until(pty.get(), "got-" + std::to_string(i)), "");
  }
  EXPECT_EQ(Peer(holder.dir()).list().size(), 1U);
  const std::string arguments = contents("/proc/" + std::to_string(holder.pid()) + "/cmdline");
  EXPECT_EQ(arguments.find("--resume-fd"), arguments.rfind("--resume-fd")) << "they do not add up";
}

TEST(HolderUpgrade, ABadBinaryIsRefusedAndTheOldOneGoesOn) {
  HolderProcess holder;
  Peer peer(holder.dir());
  Packet shell = peer.sh(0, "echo ready; read x; echo got-$x");
  read_until(shell.fds[0].get(), "ready");
  const size_t before = holder.descriptors();
  const std::string own = exe_of(holder.pid());
  EXPECT_EQ(peer.upgrade("/nowhere/holder").error(), ENOENT);
  EXPECT_EQ(peer.upgrade("/etc/passwd").error(), EACCES);
  EXPECT_EQ(peer.upgrade("relative").error(), EINVAL);
  const std::string not_terminated("\x0a\0\0\0\0\0\0\0/bin/true", 17);
  EXPECT_EQ(peer.ask(not_terminated).error(), EINVAL);
  EXPECT_EQ(peer.upgrade(script(holder, "no", "#!/bin/sh\nexit 1\n")).error(), EPROTO);
  EXPECT_EQ(peer.upgrade(script(holder, "crash", "#!/bin/sh\nkill -SEGV $$\n")).error(), EPROTO);
  const Packet hangs = peer.upgrade(script(holder, "hangs", "#!/bin/sh\nexec sleep 60\n"));
  EXPECT_EQ(hangs.error(), ETIMEDOUT);
  EXPECT_NE(hangs.text().find("no answer in 2 s"), std::string::npos) << hangs.text();
  // Passes the check, then cannot be run any more.
  const Packet vanishes =
      peer.upgrade(script(holder, "vanishes", "#!/bin/sh\nrm \"$0\"\nexit 0\n"));
  EXPECT_EQ(vanishes.error(), ENOENT) << vanishes.text();
  EXPECT_EQ(exe_of(holder.pid()), own);
  EXPECT_EQ(holder.descriptors(), before);
  ASSERT_TRUE(type(shell.fds[0].get(), "on\n"));
  EXPECT_NE(read_until(shell.fds[0].get(), "got-on").find("got-on"), std::string::npos);
  ASSERT_TRUE(peer.exited()) << "the same connection";
  // Descriptors are close-on-exec again.
  const Packet fresh = peer.sh(1, "ls /proc/self/fd | wc -w; read x");
  EXPECT_NE(fresh.fds.size(), 0U);
}

TEST(HolderUpgrade, AStateThatMakesNoSenseIsNotTaken) {
  const Directory directory;
  const std::string log = directory.path("log");
  const std::string state = directory.path("state");
  const std::vector<std::string> states{
      "", "x", std::string(64, '\0'), std::string("termhold") + std::string(56, '\x01'),
      std::string("termhold\x01\0\0\0\xff\xff\xff\xff", 16) + std::string(48, '\0')};
  for (const std::string& bytes : states) {
    std::ofstream(state, std::ios::trunc) << bytes;
    Process check = start_process({"/bin/sh", "-c", TERM_HOLDER " --check-state <" + state}, log);
    const auto status = check.wait();
    ASSERT_TRUE(status);
    EXPECT_EQ(*status, 256) << bytes.size() << contents(log);
  }
}

}  // namespace
}  // namespace term::holder
