// Late and slow viewers, judged by a terminal emulator: the screen is that of one who saw it all.

#include "support/screen.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "support/any_client.h"

namespace term::test {
namespace {

using Json = nlohmann::json;

constexpr WindowSize kSize{.rows = 24, .cols = 80};
constexpr std::size_t kRing = std::size_t{64} * 1024;

/// Of this process, service and clients together; 0 where a sanitizer keeps memory back.
std::size_t resident_kib() {
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer) || \
    __has_feature(thread_sanitizer)
  return 0;
#else
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6));
  }
  return 0;
#endif
}

std::string data_of(const Json& message) {
  // Of the two that carry the replay, one is enough.
  const auto type = message.value("type", "");
  return type == "buffered" || type == "stream" ? message.value("data", "") : std::string();
}

/// A viewer of any dialect with a terminal; a native one holds its offsets to the protocol.
class Watcher {
 public:
  Watcher(TestServer& server, const std::string& id, Speaks dialect,
          std::optional<Offset> output = {})
      : dialect_(dialect), screen_(kSize) {
    WsClient::Options options;
    options.keep_bytes = false;
    if (dialect == Speaks::native) options.subprotocol = "terminal.v1";
    options.on_message = [this](WsClient& ws, bool text, const std::string& payload) {
      received(ws, text, payload);
    };
    const std::string path =
        dialect == Speaks::json ? "/?sessionId=" + id + "&" : "/terminal/" + id + "?";
    ws_ = std::make_unique<WsClient>(server.loop(), server.port(), path + "cols=80&rows=24",
                                     std::move(options));
    if (dialect != Speaks::native) return;
    static int count = 0;
    Json attach{{"type", "attach"}, {"client", "watcher-" + std::to_string(++count)}};
    attach.update({{"cols", kSize.cols}, {"rows", kSize.rows}});
    if (output) attach["output"] = *output;
    ws_->text(attach.dump());
  }
  ~Watcher() { ws_->cut(); }

  WsClient& ws() { return *ws_; }
  void type(const std::string& keys) { ws_->binary(keys); }

  /// Waits until `done` holds for the screen and the numbers.
  bool until(const std::function<bool(const Watcher&)>& done) const {
    return ws_->wait([&](const Inbox&) {
      const std::lock_guard lock(mutex_);
      return done(*this);
    });
  }
  bool shows(const std::string& words) const {
    return until([&](const Watcher& self) { return self.screen_.shows(words); });
  }
  bool prints(std::size_t bytes) const {
    return until([&](const Watcher& self) { return self.bytes_ >= bytes; });
  }
  /// Waits until both have the same screen; else the difference.
  std::string differs_from(const Watcher& other) const {
    std::string words;
    (void)ws_->wait(
        [&](const Inbox&) {
          const std::scoped_lock lock(mutex_, other.mutex_);
          words = difference(screen_, other.screen_);
          return words.empty();
        },
        std::chrono::seconds(10));
    return words;
  }

  // In until(), or when nothing comes any more.
  std::size_t bytes() const { return bytes_; }
  Offset next() const { return next_; }
  std::size_t gaps() const { return gaps_; }
  std::size_t repaints() const { return repaints_; }
  const std::string& violation() const { return violation_; }
  const Screen& screen() const { return screen_; }

 private:
  void received(WsClient& ws, bool text, const std::string& payload) {
    const std::lock_guard lock(mutex_);
    if (text) return control(Json::parse(payload));
    screen_.feed(payload);
    bytes_ += payload.size();
    if (dialect_ != Speaks::native) return;
    if (repaint_bytes_) {
      if (*repaint_bytes_ != payload.size()) violation_ += "repaint of another size\n";
      repaint_bytes_.reset();
      return;
    }
    next_ += payload.size();
    if (next_ - acked_ < 32 * 1024) return;
    acked_ = next_;
    ws.text(Json{{"type", "ack"}, {"output", next_}}.dump());
  }
  void control(const Json& message) {
    const auto type = message.value("type", "");
    if (dialect_ == Speaks::json) {
      const std::string data = data_of(message);
      screen_.feed(data);
      bytes_ += data.size();
    }
    if (dialect_ != Speaks::native) return;
    if (repaint_bytes_) violation_ += type + " between repaint and its bytes\n";
    if (type == "attached") {
      if (told_ && next_ != message.at("output").get<Offset>())
        violation_ += "attached elsewhere\n";
      next_ = acked_ = message.at("output").get<Offset>();
    }
    if (type == "gap") {
      if (bytes_ > 0 && message.at("from").get<Offset>() != next_) violation_ += "gap elsewhere\n";
      next_ = message.at("to").get<Offset>();
      told_ = true;
      ++gaps_;
    }
    if (type == "repaint") {
      repaint_bytes_ = message.at("bytes").get<std::size_t>();
      ++repaints_;
    }
    if (type == "error") violation_ += message.dump() + "\n";
  }

  const Speaks dialect_;
  mutable std::mutex mutex_;
  Screen screen_;
  std::size_t bytes_ = 0;
  Offset next_ = 0;
  Offset acked_ = 0;
  bool told_ = false;
  std::size_t gaps_ = 0;
  std::size_t repaints_ = 0;
  std::optional<std::size_t> repaint_bytes_;
  std::string violation_;
  std::unique_ptr<WsClient> ws_;
};

class Screens : public testing::TestWithParam<Engine> {
 protected:
  explicit Screens(std::size_t ring = kRing)
      : server_([ring](server::Config& config) { config.ring_bytes = ring; }) {}
  void SetUp() override {
    serve_with(server_, adapter::all(GetParam()));
    std::ofstream text(text_.path());
    for (int line = 1; line <= 500; ++line)
      text << "line " << line << " \xE4\xB8\x96\xE7\x95\x8C " << std::string(30, '=') << "\n";
  }
  /// One of each dialect comes now, and sees what `first` sees.
  void expect_the_same_for_all(const std::string& id, const Watcher& first) {
    for (const Speaks dialect : {Speaks::native, Speaks::raw, Speaks::json}) {
      const Watcher late(server_, id, dialect);
      EXPECT_EQ(late.differs_from(first), "") << to_string(dialect);
      EXPECT_EQ(late.violation(), "") << to_string(dialect);
    }
  }

  TempFile text_;
  TestServer server_;
};

TEST_P(Screens, OfWhoComesInTheMiddleOfAProgram) {
  const std::vector<std::pair<std::string, std::string>> programs{
      {"vim.tiny -u NONE " + text_.path(), "line 5 "},
      {"less " + text_.path(), "line 5 "},
      {"htop -d 600", "F10"}};
  for (const auto& [command, words] : programs) {
    const std::string id = "middle-" + command.substr(0, 4);
    Watcher first(server_, id, Speaks::native);
    first.type("export TERM=xterm-256color LC_ALL=C.UTF-8; exec " + command + "\r");
    ASSERT_TRUE(first.shows(words)) << command;
    expect_the_same_for_all(id, first);
    first.ws().text(R"({"type":"close"})");
  }
}

TEST_P(Screens, OfWhoComesLongAfterTheRingHasLapped) {
  for (const std::string program : {"vim.tiny -u NONE ", "less "}) {
    const std::string id = "lapped-" + program.substr(0, 4);
    Watcher first(server_, id, Speaks::native);
    first.type("export TERM=xterm-256color LC_ALL=C.UTF-8; exec " + program + text_.path() + "\r");
    ASSERT_TRUE(first.shows("line 5 "));
    for (int turn = 0; first.bytes() < 4 * kRing; ++turn) {
      const std::size_t before = first.bytes();
      first.type(turn % 20 < 10 ? "\x06" : "\x02");
      ASSERT_TRUE(first.until([&](const Watcher& self) { return self.bytes() > before; }));
    }
    first.type(program.starts_with("vim") ? ":250\r" : "250g");
    ASSERT_TRUE(first.shows("line 250 "));
    expect_the_same_for_all(id, first);
    // And who was there before, but lacks what is gone.
    const Watcher back(server_, id, Speaks::native, 10);
    EXPECT_EQ(back.differs_from(first), "");
    EXPECT_EQ(back.gaps(), 1U);
    EXPECT_EQ(back.repaints(), 1U);
    EXPECT_EQ(back.violation(), "");
    first.ws().text(R"({"type":"close"})");
  }
}

TEST_P(Screens, AttachingAgainTypesNothingIntoTheShell) {
  Watcher first(server_, "asked", Speaks::native);
  first.type(
      "stty raw -echo; seq -f %070g 1000; printf "
      "'\\033[6n\\033[c\\033[>c\\033]11;?\\007\\033[?6n\\033Z\\005"
      "\\033[?2004h\\033[?1000h\\r\\nREA''DY'; exec cat -v\r");
  ASSERT_TRUE(first.shows("READY"));
  for (int time = 0; time < 50; ++time) {
    Watcher again(server_, "asked", Speaks::raw);
    ASSERT_TRUE(again.shows("READY"));
    ASSERT_EQ(again.screen().answers(), "");
    ASSERT_TRUE(again.screen().modes().has(Mode::bracketed_paste));
  }
  first.type("END");
  EXPECT_TRUE(first.shows("READYEND")) << first.screen().text();
}

/// A ring that holds more than a viewer's window, as configured: who keeps up gets every byte.
class ScreensInAFlood : public Screens {
 protected:
  ScreensInAFlood() : Screens(std::size_t{1024} * 1024) {}
};

TEST_P(ScreensInAFlood, OfTheSlowAndTheFast) {
  Watcher fast(server_, "flood", Speaks::native);
  fast.type("stty -echo; printf '\\033[2J\\033[HREA''DY'\r");
  ASSERT_TRUE(fast.shows("READY"));
  Watcher slow(server_, "flood", Speaks::native);
  ASSERT_TRUE(slow.shows("READY"));
  const std::size_t resident = resident_kib();
  fast.type("yes \"$(seq -s ' ' 28)\"\r");
  for (std::size_t gap = 1; gap <= 3; ++gap) {
    slow.ws().pause_reading(true);
    const std::size_t before = fast.bytes();
    ASSERT_TRUE(fast.prints(before + 3'000'000))
        << fast.bytes() - before << " bytes, " << fast.violation();
    slow.ws().pause_reading(false);
    ASSERT_TRUE(slow.until([&](const Watcher& self) { return self.repaints() >= gap; }));
  }
  // Both reading on, either might be the slow one: whoever is ahead sets the pace.
  slow.ws().pause_reading(true);
  fast.type("\x03");
  fast.type("printf '\\033[31mLA''ST\\033[?2004h'; exec cat\r");  // No prompt comes after it.
  ASSERT_TRUE(fast.shows("LAST"));
  slow.ws().pause_reading(false);
  ASSERT_TRUE(slow.until([&](const Watcher& self) { return self.next() == fast.next(); }));
  EXPECT_EQ(slow.differs_from(fast), "");
  EXPECT_LE(resident_kib(), resident + std::size_t{16} * 1024);
  EXPECT_EQ(fast.gaps(), 0U);
  EXPECT_EQ(slow.gaps(), slow.repaints());
  EXPECT_EQ(slow.violation() + fast.violation(), "");
}

TERM_WITH_BOTH_ENGINES(Screens);
TERM_WITH_BOTH_ENGINES(ScreensInAFlood);

}  // namespace
}  // namespace term::test
