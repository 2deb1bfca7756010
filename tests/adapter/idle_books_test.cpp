// Books of a session in which nothing goes on are not written again and again.

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "adapter/sessions.h"
#include "support/forwarding_sessions.h"

namespace term::adapter {
namespace {

/// Every writing of the books begins with an export.
class Counting final : public test::ForwardingSessions {
 public:
  Counting(SessionService& inner, int& exports) : ForwardingSessions(inner), exports_(exports) {}
  Result<SessionRecord> export_session(const SessionId& id) const override {
    ++exports_;
    return inner_.export_session(id);
  }

 private:
  int& exports_;
};

class IdleBooks : public testing::TestWithParam<Engine> {
 protected:
  IdleBooks() : source_(clock()), sessions_(setup()) {
    auto opened = sessions_.open({.id = "s", .shell = "/bin/cat"});
    auto pty = source_.spawn({.argv = {"/bin/cat"}, .directory = "/"}, {});
    if (!opened || !pty) throw std::runtime_error("no session");
    session_ = std::move(*opened);
    sessions_.started(*session_, std::move(*pty));
    (void)session_->sessions().set_current_path("s", "/");
    sessions_.tick();
  }
  Clock clock() {
    return [this] { return now_; };
  }
  Sessions::Setup setup() {
    Sessions::Setup setup;
    setup.executor = io_.get_executor();
    setup.source = &source_;
    setup.clock = clock();
    setup.storing.on_books = [](const Books&, bool) {};
    auto flags = std::make_shared<Flags>();
    flags->environment.refactor_enabled = GetParam() == Engine::refactored;
    setup.flags = flags;
    setup.engines = [this](const Clock& clock, const SessionLimits& sessions,
                           const StreamLimits& streams) {
      Engines engines = make_engines(clock, sessions, streams);
      EnginePorts& ports = GetParam() == Engine::legacy ? engines.legacy : engines.refactored;
      auto counting = std::make_shared<Counting>(*ports.sessions, exports_);
      ports.sessions = counting.get();
      engines.owner = std::make_shared<std::pair<std::shared_ptr<void>, std::shared_ptr<void>>>(
          engines.owner, counting);
      return engines;
    };
    return setup;
  }
  /// How often the books were written in so many ticks.
  int written_in(int ticks) {
    const int before = exports_;
    for (int i = 0; i < ticks; ++i) sessions_.tick();
    return exports_ - before;
  }

  WallTime now_{Millis{1'795'341'600'000}};
  boost::asio::io_context io_;
  int exports_ = 0;
  LocalPtySource source_;
  Sessions sessions_;
  std::shared_ptr<Session> session_;
};

TEST_P(IdleBooks, AreWrittenOnceAndNowAndThenAnyway) {
  EXPECT_GE(exports_, 1);
  EXPECT_EQ(written_in(15), 1);
  EXPECT_EQ(written_in(15), 1);
}

TEST_P(IdleBooks, AreWrittenAtTheNextTickWhenSomethingHappened) {
  for (int i = 0; i < 3; ++i) {
    now_ += Millis(10);
    session_->sessions().touch("s");
    EXPECT_EQ(written_in(1), 1);
    EXPECT_EQ(written_in(5), 0);
  }
}

TEST_P(IdleBooks, AreWrittenAtTheNextTickWhenItPrinted) {
  const Offset before = session_->ring().next();
  ASSERT_EQ(::write(session_->pty_fd(), "x", 1), 1);  // The tty echoes it.
  while (session_->ring().next() == before) io_.run_one();
  EXPECT_EQ(written_in(1), 1);
  EXPECT_EQ(written_in(5), 0);
}

INSTANTIATE_TEST_SUITE_P(Engines, IdleBooks, testing::Values(Engine::legacy, Engine::refactored),
                         [](const auto& info) { return std::string(to_string(info.param)); });

}  // namespace
}  // namespace term::adapter
