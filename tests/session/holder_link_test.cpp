// The service's end of the holder's socket, with the real holder at the other.

#include "session/holder_link.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <set>
#include <thread>

#include "session/holder_source.h"
#include "support/state_dir.h"

namespace term::test {
namespace {

namespace net = boost::asio;

/// An event loop on a thread of its own.
class Loop {
 public:
  ~Loop() { stop(); }
  void stop() {
    guard_.reset();
    io_.stop();
    if (thread_.joinable()) thread_.join();
  }
  net::io_context& io() { return io_; }
  bool is_here() { return io_.get_executor().running_in_this_thread(); }
  /// Runs `act` on the loop's thread and waits for it.
  void run(const std::function<void()>& act) {
    std::promise<void> done;
    net::post(io_, [&] {
      act();
      done.set_value();
    });
    done.get_future().get();
  }

 private:
  net::io_context io_{1};
  net::executor_work_guard<net::io_context::executor_type> guard_{io_.get_executor()};
  std::thread thread_{[this] { io_.run(); }};
};

/// What came over a served link, in order. Every call must come on the loop.
struct Witness {
  explicit Witness(Loop& on) : loop(on) {}
  HolderLink::Events events() {
    return {.exited =
                [this](std::uint32_t slot, pid_t pid, ExitStatus status) {
                  note("exited " + std::to_string(slot) + " " + std::to_string(pid) + " " +
                       (status.code ? std::to_string(*status.code) : status.signal));
                },
            .taken_over = [this](pid_t by) { note("taken over by " + std::to_string(by)); },
            .lost = [this](const std::string&) { note("lost"); }};
  }
  HolderLink::Answer answer(const std::string& name) {
    return [this, name](const Result<HolderPacket>& packet) {
      const std::string why = packet ? "" : packet.error().detail;
      note(name + (packet ? " done" : " error"));
      if (why.find("does not answer") != std::string::npos) note("late");
    };
  }
  void note(const std::string& what) {
    if (!loop.is_here()) off_loop = true;
    const std::lock_guard lock(mutex);
    all.push_back(what);
  }
  std::vector<std::string> seen() {
    const std::lock_guard lock(mutex);
    return all;
  }
  bool sees(const std::string& what) {
    return until([&] { return std::ranges::count(seen(), what) > 0; });
  }

  Loop& loop;
  std::atomic<bool> off_loop = false;
  std::mutex mutex;
  std::vector<std::string> all;
};

/// A message that every holder answers with no: nobody has this slot.
std::vector<char> pointless() { return signal_message(60'000, 0); }

ino_t inode(int fd) {
  struct stat status{};
  return ::fstat(fd, &status) == 0 ? status.st_ino : 0;
}

PtyRequest shell(std::uint32_t slot, const std::string& script) {
  PtyRequest request;
  request.command = {
      .argv = {"/bin/sh", "-c", script}, .env = {"PATH=/bin:/usr/bin"}, .directory = "/"};
  request.id = "session-" + std::to_string(slot);
  request.slot = slot;
  return request;
}

std::string read_until(int pty, const std::string& text) {
  std::string got;
  std::array<char, 512> part{};
  while (got.find(text) == std::string::npos) {
    pollfd ready{.fd = pty, .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, 20'000) != 1) break;
    const ssize_t n = ::read(pty, part.data(), part.size());
    if (n <= 0) break;
    got.append(part.data(), static_cast<std::size_t>(n));
  }
  return got;
}

class HolderLinkTest : public testing::Test {
 protected:
  void TearDown() override { loop_.stop(); }
  std::shared_ptr<HolderLink> open() { return HolderLink::open(dir_.place()).value(); }
  Pty spawn(HolderPtySource& source, PtyRequest request) {
    std::promise<Result<Pty>> started;
    source.spawn(std::move(request), [&](Result<Pty> pty) { started.set_value(std::move(pty)); });
    auto pty = started.get_future().get();
    return std::move(pty.value());
  }

  StateDir dir_;
  Loop loop_;
  Witness witness_{loop_};
};

TEST_F(HolderLinkTest, StartsAHolderWhenThereIsNone) {
  auto place = dir_.place();
  place.start = false;
  const auto none = HolderLink::open(place);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::os_error);

  pid_t pid = 0;
  {
    const auto link = open();
    pid = link->holder_pid();
    EXPECT_TRUE(is_alive(pid));
    EXPECT_TRUE(link->list().value().empty());
    const auto second = HolderLink::open(dir_.place());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::busy);
    EXPECT_NE(second.error().detail.find(std::to_string(::getpid())), std::string::npos)
        << second.error().detail;
  }
  // The holder learns by the end of the connection that its service is gone.
  EXPECT_TRUE(until([&] { return bool(HolderLink::open(dir_.place())); }));
  EXPECT_TRUE(is_alive(pid)) << "another holder was started";
}

TEST_F(HolderLinkTest, SaysWhyThereCanBeNoHolder) {
  auto place = dir_.place();
  place.program = "/nowhere/terminal-holder";
  const auto no_program = HolderLink::open(place);
  ASSERT_FALSE(no_program);
  EXPECT_NE(no_program.error().detail.find("/nowhere/terminal-holder"), std::string::npos);
  place.state_dir = dir_.path() / std::string(120, 'd');
  const auto too_long = HolderLink::open(place);
  ASSERT_FALSE(too_long);
  EXPECT_NE(too_long.error().detail.find("TERMINAL_STATE_DIR"), std::string::npos);
}

TEST_F(HolderLinkTest, KeepsDescriptorsForTheNextService) {
  const UniqueFd memory(::memfd_create("kept", MFD_CLOEXEC));
  const UniqueFd other(::memfd_create("newer", MFD_CLOEXEC));
  {
    const auto link = open();
    EXPECT_TRUE(link->fetch().value().empty());
    for (int i = 0; i < 130; ++i)
      ASSERT_TRUE(link->ask(keep_message("pipe" + std::to_string(i)), memory.get()));
    ASSERT_TRUE(link->ask(keep_message("arena"), memory.get()));
    ASSERT_TRUE(link->ask(keep_message("arena"), other.get()));
  }
  const auto kept = dir_.take_over().value()->fetch().value();
  EXPECT_EQ(kept.size(), 131U);
  EXPECT_EQ(inode(kept.at("arena").get()), inode(other.get()));
  EXPECT_EQ(inode(kept.at("pipe129").get()), inode(memory.get()));
  for (const auto& [name, fd] : kept)
    EXPECT_NE(::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0) << name;  // NOLINT: variadic by POSIX
}

TEST_F(HolderLinkTest, AShellGoesOnForTheNextServiceAndItsEndIsTold) {
  pid_t pid = 0;
  {
    const auto link = open();
    HolderPtySource source;
    source.use(link);
    link->serve(loop_.io().get_executor(), witness_.events());
    const Pty pty = spawn(source, shell(7, "stty -echo; echo up; read x; echo got $x; exit 9"));
    pid = pty.pid;
    EXPECT_EQ(pty.slot, 7U);
    EXPECT_NE(read_until(pty.fd.get(), "up").find("up"), std::string::npos);
    loop_.run([&] { link->close(); });
  }
  const auto link = dir_.take_over().value();
  auto held = link->list().value();
  ASSERT_EQ(held.size(), 1U);
  EXPECT_EQ(held[0].slot, 7U);
  EXPECT_EQ(held[0].pid, pid);
  EXPECT_EQ(held[0].id, "session-7");
  EXPECT_FALSE(held[0].exit);
  link->serve(loop_.io().get_executor(), witness_.events());
  ASSERT_EQ(::write(held[0].pty.get(), "word\n", 5), 5);
  EXPECT_NE(read_until(held[0].pty.get(), "got word").find("got word"), std::string::npos);
  EXPECT_TRUE(witness_.sees("exited 7 " + std::to_string(pid) + " 9"));
  loop_.run([&] { link->close(); });

  // Held until it is released, with how it ended.
  const auto last = dir_.take_over().value();
  held = last->list().value();
  ASSERT_EQ(held.size(), 1U);
  ASSERT_TRUE(held[0].exit);
  EXPECT_EQ(held[0].exit->code, 9);
  ASSERT_TRUE(last->ask(release_message(7)));
  EXPECT_TRUE(last->list().value().empty());
  EXPECT_FALSE(witness_.off_loop);
}

TEST_F(HolderLinkTest, MoreSessionsThanFitIntoAPacketAreListedWithTheirPtys) {
  constexpr std::uint32_t kSessions = 300;  // More than descriptors fit into one packet.
  {
    const auto link = open();
    HolderPtySource source;
    source.use(link);
    link->serve(loop_.io().get_executor(), {});
    for (std::uint32_t i = 0; i < kSessions; ++i) (void)spawn(source, shell(i, "exec sleep 1000"));
    loop_.run([&] { link->close(); });
  }
  const auto held = dir_.take_over().value()->list().value();
  ASSERT_EQ(held.size(), kSessions);
  std::set<ino_t> pids;
  for (const auto& session : held) {
    EXPECT_EQ(session.id, "session-" + std::to_string(session.slot));
    Pty pty;
    pty.fd.reset(::dup(session.pty.get()));
    EXPECT_EQ(pty_number(pty), session.pts) << "the pty of another session";
    pids.insert(static_cast<ino_t>(session.pid));
  }
  EXPECT_EQ(pids.size(), kSessions);
}

TEST_F(HolderLinkTest, AnswersComeOnTheExecutorInTheOrderOfTheRequestsAcrossThreads) {
  const auto link = open();
  link->serve(loop_.io().get_executor(), witness_.events());
  std::mutex order;
  std::vector<std::string> given;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < 100; ++i) {
          const std::string name = std::to_string(t) + "/" + std::to_string(i);
          const std::lock_guard lock(order);
          link->request(pointless(), witness_.answer(name));
          given.push_back(name + " error");
        }
      });
  }
  EXPECT_TRUE(until([&] { return witness_.seen().size() == given.size(); }));
  EXPECT_EQ(witness_.seen(), given);
  EXPECT_FALSE(witness_.off_loop);
  link->request(pointless(), nullptr);
  loop_.run([&] { link->close(); });
}

TEST_F(HolderLinkTest, AHolderThatStandsStillTakesWhatItCanAndAnswersAllOfThatInOrder) {
  const auto link = open();
  link->serve(loop_.io().get_executor(), witness_.events());
  ASSERT_EQ(::kill(link->holder_pid(), SIGSTOP), 0);
  std::size_t given = 0;
  std::atomic<bool> full = false;
  std::atomic<std::size_t> answered = 0;
  std::atomic<bool> in_order = true;
  std::atomic<std::size_t> refused = 0;
  while (!full && given < 100'000) {
    const std::size_t number = given++;
    link->request(pointless(), [&, number](const Result<HolderPacket>& packet) {
      EXPECT_FALSE(packet);
      if (packet.error().detail.find("takes no messages") != std::string::npos) {
        full = true;
        ++refused;
      } else if (answered++ != number) {
        in_order = false;
      }
    });
  }
  EXPECT_TRUE(full);
  ASSERT_EQ(::kill(link->holder_pid(), SIGCONT), 0);
  EXPECT_TRUE(until([&] { return answered + refused == given; }));
  EXPECT_TRUE(in_order);
  EXPECT_GT(answered, 4096U);
  loop_.run([&] { link->close(); });
}

TEST_F(HolderLinkTest, WhenTheHolderIsKilledRequestsUnderWayFailBeforeTheLossIsTold) {
  const auto link = open();
  const pid_t pid = link->holder_pid();
  link->serve(loop_.io().get_executor(), witness_.events());
  ASSERT_EQ(::kill(pid, SIGSTOP), 0);
  std::vector<std::string> expected;
  for (int i = 0; i < 20; ++i) {
    link->request(pointless(), witness_.answer(std::to_string(i)));
    expected.push_back(std::to_string(i) + " error");
  }
  ASSERT_EQ(::kill(pid, SIGKILL), 0);
  ASSERT_TRUE(witness_.sees("lost"));
  expected.emplace_back("lost");
  EXPECT_EQ(witness_.seen(), expected);
  link->request(pointless(), witness_.answer("after"));
  EXPECT_TRUE(witness_.sees("after error"));
  EXPECT_EQ(std::ranges::count(witness_.seen(), "lost"), 1);
  EXPECT_FALSE(witness_.off_loop);
  // A new one starts in the same directory.
  const auto next = HolderLink::open(dir_.place());
  ASSERT_TRUE(next);
  EXPECT_NE((*next)->holder_pid(), pid);
}

TEST_F(HolderLinkTest, WhoeverIsReplacedIsToldByWhomAndItsRequestsFail) {
  const auto link = open();
  link->serve(loop_.io().get_executor(), witness_.events());
  const auto next = dir_.take_over();
  ASSERT_TRUE(next);
  EXPECT_TRUE(witness_.sees("taken over by " + std::to_string(::getpid())));
  link->request(pointless(), witness_.answer("after"));
  EXPECT_TRUE(witness_.sees("after error"));
  EXPECT_EQ(std::ranges::count(witness_.seen(), "lost"), 0);
  EXPECT_TRUE((*next)->list());
}

TEST_F(HolderLinkTest, NothingIsCalledOnceItIsClosed) {
  const auto link = open();
  const pid_t pid = link->holder_pid();
  link->serve(loop_.io().get_executor(), witness_.events());
  loop_.run([&] { link->close(); });
  ASSERT_EQ(::kill(pid, SIGKILL), 0);
  EXPECT_TRUE(until([&] { return !is_alive(pid); }));
  loop_.run([] {});
  EXPECT_TRUE(witness_.seen().empty());
}

TEST_F(HolderLinkTest, AnEndIsToldOnceWhetherItCameBeforeOrAfterSomebodyAsked) {
  HolderPtySource source;
  std::vector<std::string> ended;
  const auto on_end = [&](const std::string& name) {
    return [&, name](const ExitStatus& status) {
      ended.push_back(name + std::to_string(*status.code));
    };
  };
  Pty early;
  early.slot = 1;
  Pty late;
  late.slot = 2;
  source.ended(1, ExitStatus{.code = 4});
  source.ended(1, ExitStatus{.code = 5});
  source.on_end(early, loop_.io().get_executor(), on_end("early "));
  source.on_end(late, loop_.io().get_executor(), on_end("late "));
  source.ended(2, ExitStatus{.code = 6});
  source.ended(2, ExitStatus{.code = 7});
  loop_.run([] {});
  EXPECT_EQ(ended, (std::vector<std::string>{"early 4", "late 6"}));

  // The slot's next child has an end of its own.
  source.release(std::move(early));
  Pty next;
  next.slot = 1;
  source.on_end(next, loop_.io().get_executor(), on_end("next "));
  source.ended(1, ExitStatus{.code = 8});
  loop_.run([] {});
  EXPECT_EQ(ended.back(), "next 8");
  bool refused = false;
  source.spawn(shell(1, "exit"), [&](const Result<Pty>& pty) { refused = !pty; });
  EXPECT_TRUE(refused) << "a shell without a holder";
}

}  // namespace
}  // namespace term::test
