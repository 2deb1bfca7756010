// Slow viewers, cut connections, resent input: the offsets hold on both engines.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/any_client.h"

namespace term::test {
namespace {

using Json = nlohmann::json;

/// `seq 1 last` as it comes out of a tty that translates nothing.
std::string numbers(int last) {
  std::string text;
  for (int n = 1; n <= last; ++n) text += std::to_string(n) + "\n";
  return text;
}

/// A native viewer that knows the number of every byte it has, over gaps, too.
class Recorder {
 public:
  struct Run {
    Offset first = 0;
    std::string bytes;
    Offset end() const { return first + bytes.size(); }
  };

  Recorder(TestServer& server, const std::string& id, const std::string& client,
           std::optional<Offset> output = {}, Offset input = 0) {
    WsClient::Options options;
    options.subprotocol = "terminal.v1";
    options.keep_bytes = false;
    options.on_message = [this](WsClient& ws, bool text, const std::string& payload) {
      received(ws, text, payload);
    };
    ws_ = std::make_unique<WsClient>(server.loop(), server.port(), "/terminal/" + id,
                                     std::move(options));
    Json attach{{"type", "attach"}, {"client", client}, {"input", input}};
    attach.update({{"cols", 80}, {"rows", 24}});
    if (output) attach["output"] = *output;
    ws_->text(attach.dump());
    if (const auto answer = ws_->wait_text("\"attached\"")) attached_ = Json::parse(*answer);
  }

  WsClient& ws() { return *ws_; }
  const Json& attached() const { return attached_; }
  std::vector<Run> runs() const {
    const std::lock_guard lock(mutex_);
    return runs_;
  }
  Offset end() const {
    const std::lock_guard lock(mutex_);
    return runs_.empty() ? 0 : runs_.back().end();
  }
  /// Waits for bytes up to `end`, or for `last` in the newest 4 KiB.
  bool reaches(Offset end, const std::string& last) const {
    return until([&](const std::vector<Run>& runs) {
      return runs.back().end() >= end || tail(runs).find(last) != std::string_view::npos;
    });
  }
  /// For what comes last: looks at the newest 4 KiB only.
  bool ends_with(const std::string& part) const {
    return until([&](const std::vector<Run>& runs) {
      return tail(runs).find(part) != std::string_view::npos;
    });
  }

 private:
  static std::string_view tail(const std::vector<Run>& runs) {
    const std::string_view bytes = runs.back().bytes;
    return bytes.substr(bytes.size() - std::min<std::size_t>(bytes.size(), 4096));
  }
  bool until(const std::function<bool(const std::vector<Run>&)>& done) const {
    bool found = false;
    ws_->wait([&](const Inbox& in) {
      const std::lock_guard lock(mutex_);
      found = !runs_.empty() && done(runs_);
      return found || in.closed;
    });
    return found;
  }
  void received(WsClient& ws, bool text, const std::string& payload) {
    const Json json = text ? Json::parse(payload, nullptr, false) : Json();
    const std::string type = text ? json.value("type", "") : "";
    Offset end = 0;
    {
      const std::lock_guard lock(mutex_);
      if (type == "attached") runs_.push_back({json.at("output").get<Offset>(), ""});
      if (type == "gap" && !runs_.empty()) {
        EXPECT_EQ(json.at("from").get<Offset>(), runs_.back().end());
        runs_.push_back({json.at("to").get<Offset>(), ""});
      }
      if (type == "repaint") repaint_ = true;
      if (text) return;
      if (std::exchange(repaint_, false)) return;
      runs_.back().bytes += payload;
      end = runs_.back().end();
    }
    if (end - acked_ < 64 * 1024) return;
    acked_ = end;
    ws.text(Json{{"type", "ack"}, {"output", end}}.dump());
  }

  mutable std::mutex mutex_;
  std::vector<Run> runs_;
  bool repaint_ = false;
  Offset acked_ = 0;  ///< Loop's thread only.
  Json attached_;
  std::unique_ptr<WsClient> ws_;
};

class Resume : public BothEngines {};
TERM_WITH_BOTH_ENGINES(Resume);

TEST_P(Resume, AFloodReachesAFastViewerWholeAndASlowOneIsToldOfItsGap) {
  constexpr int kLast = 2'700'000;  // 20 MB.
  const std::string expected = numbers(kLast);
  Recorder fast(server(), id(), "fast");
  Recorder slow(server(), id(), "slow");
  slow.ws().pause_reading(true);
  fast.ws().binary(marked("seq " + std::to_string(kLast)));
  ASSERT_TRUE(fast.ends_with("DONE"));
  const auto whole = fast.runs();
  ASSERT_EQ(whole.size(), 1U) << "the fast viewer lost bytes";
  EXPECT_TRUE(same_bytes(between_marks(whole[0].bytes), expected));

  slow.ws().pause_reading(false);
  // It may well come to the end by a painted screen, which is not counted.
  ASSERT_TRUE(slow.reaches(fast.end(), "DONE"));
  ASSERT_TRUE(fast.reaches(slow.end(), "never printed"));
  const std::string all = fast.runs()[0].bytes;
  const auto runs = slow.runs();
  EXPECT_GE(runs.size(), 2U) << "there was no gap";
  for (const auto& run : runs) {
    const auto at = static_cast<std::size_t>(run.first - whole[0].first);
    const std::size_t both = std::min(run.bytes.size(), all.size() - at);
    EXPECT_TRUE(same_bytes(run.bytes.substr(0, both), all.substr(at, both)))
        << "run at " << run.first;
  }
}

/// Connects, reads up to `more` bytes, is cut, and comes back for the rest until `last` was seen.
std::string read_in_pieces(TestServer& server, const std::string& id, const std::string& command,
                           std::size_t more, const std::function<void(Recorder&, int)>& at_piece,
                           const std::string& last) {
  std::string all;
  for (int piece = 0;; ++piece) {
    Recorder client(server, id, "c", all.size(), piece == 0 ? 0 : command.size());
    EXPECT_EQ(client.attached().value("output", Offset{0}), all.size());
    EXPECT_EQ(client.attached().value("tier", ""), piece == 0 ? "new" : "warm");
    if (piece == 0) client.ws().binary(command);
    at_piece(client, piece);
    EXPECT_TRUE(client.reaches(all.size() + more, last));
    client.ws().cut();
    if (client.runs().size() != 1) {
      ADD_FAILURE() << "a gap, or never attached";
      return all;
    }
    all += client.runs()[0].bytes;
    // The last word may have come in two pieces: then there is one piece more, without a wait.
    if (all.find(last) != std::string::npos || testing::Test::HasFailure()) return all;
  }
}

TEST_P(Resume, AConnectionCutWhileLinesComeGoesOnExactlyWhereItWas) {
  const std::string command = std::string(TERM_PRINTER) + " line 1000\n";
  const auto stop_late = [](Recorder& client, int piece) {
    if (piece == 8) client.ws().binary("\x03");
  };
  const std::string all = read_in_pieces(server(), id(), command, 311, stop_late, "END:");
  const auto start = all.find("START\n") + 6;
  const auto end = all.find("END:");
  ASSERT_NE(end, std::string::npos);
  std::string lines;
  for (int n = 1; lines.size() < end - start; ++n) lines += "line:" + std::to_string(n) + "\n";
  EXPECT_TRUE(same_bytes(all.substr(start, end - start), lines));
}

TEST_P(Resume, AConnectionCutInAFloodGoesOnExactlyWhereItWas) {
  // The ring holds all of it: the flood does not wait for a client that is away.
  TestServer roomy([](server::Config& config) { config.ring_bytes = 16 * 1024 * 1024; });
  serve_with(roomy, adapter::all(GetParam()));
  constexpr int kLast = 500'000;
  const std::string all = read_in_pieces(
      roomy, "flood", marked("seq " + std::to_string(kLast)), 333'333, [](Recorder&, int) {},
      "DONE");
  EXPECT_TRUE(same_bytes(between_marks(all), numbers(kLast)));
}

TEST_P(Resume, InputSentTwiceIsWrittenOnce) {
  const TempFile file;
  const std::string command = marked("head -c 16 >" + file.path());
  {
    Recorder first(server(), id(), "typist");
    first.ws().binary(command);
    ASSERT_TRUE(first.ends_with("READY"));
    first.ws().binary("0123456789");
    const std::string acked = std::to_string(command.size() + 10);
    ASSERT_TRUE(first.ws().wait_text("\"input\":" + acked));
    first.ws().cut();
  }
  // The acknowledgement of the last six got lost on the way, so to say.
  Recorder second(server(), id(), "typist", {}, command.size() + 4);
  EXPECT_EQ(second.attached().at("input"), command.size() + 10);
  second.ws().binary("456789abcdef");
  ASSERT_TRUE(second.ends_with("DONE"));
  EXPECT_EQ(file.read(), "0123456789abcdef");
}

TEST_P(Resume, WhatAClientWithoutNumbersTypesIsNeverTakenForARepetition) {
  TestServer single([](server::Config& config) { config.shards = 1; });
  serve_with(single, adapter::all(GetParam()));
  // The name that the second viewer of a shard gets when it brings none.
  Recorder native(single, "s", "viewer-128");
  native.ws().binary("echo first-$((6*7))\n");
  ASSERT_TRUE(native.ends_with("first-42"));
  AnyClient raw(single, "s", Speaks::raw);
  raw.type("echo second-$((6*7))\n");
  EXPECT_TRUE(native.ends_with("second-42"));
}

TEST_P(Resume, APasteCutInTheMiddleIsCompletedByResendingFromTheAcknowledgedByte) {
  std::string paste;
  for (int n = 0; paste.size() < 6'000'000; ++n) paste += std::to_string(n) + " ";
  const TempFile file;
  const std::string command =
      marked("head -c " + std::to_string(paste.size()) + " >" + file.path());
  Offset sent = 0;
  {
    Recorder first(server(), id(), "typist");
    first.ws().binary(command);
    ASSERT_TRUE(first.ends_with("READY"));
    for (std::size_t at = 0; at < paste.size(); at += 100'000)
      first.ws().binary(paste.substr(at, 100'000));
    ASSERT_TRUE(first.ws().wait_text("\"type\":\"ack\""));
    first.ws().cut();
  }
  for (int piece = 0;; ++piece) {
    Recorder next(server(), id(), "typist", {}, command.size() + sent);
    const Offset written = next.attached().at("input").get<Offset>() - command.size();
    ASSERT_GE(written, sent);
    // More than it need be: a client that heard of nothing since.
    for (auto at = static_cast<std::size_t>(sent); at < paste.size(); at += 100'000)
      next.ws().binary(paste.substr(at, 100'000));
    if (piece == 3 || written == paste.size()) {
      ASSERT_TRUE(next.ends_with("DONE"));
      break;
    }
    ASSERT_TRUE(next.ws().wait_text("\"type\":\"ack\""));
    next.ws().cut();
    sent = written;
  }
  EXPECT_TRUE(same_bytes(file.read(), paste));
}

}  // namespace
}  // namespace term::test
