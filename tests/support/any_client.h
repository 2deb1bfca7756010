#pragma once
// For tests that must hold in every dialect: bytes in, bytes out; and files to exchange with a
// shell.

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <mutex>
#include <string>
#include <vector>

#include "support/test_server.h"

namespace term::test {

enum class Speaks { native, raw, json };

inline std::string to_string(Speaks dialect) {
  return dialect == Speaks::native ? "native" : dialect == Speaks::raw ? "raw" : "json";
}

/// A client that sees only the terminal's bytes, whatever its frames look like.
class AnyClient {
 public:
  AnyClient(TestServer& server, const std::string& id, Speaks dialect) : dialect_(dialect) {
    WsClient::Options options;
    options.keep_bytes = false;
    if (dialect == Speaks::native) options.subprotocol = "terminal.v1";
    options.on_message = [this](WsClient& client, bool text, const std::string& payload) {
      received(client, text, payload);
    };
    const std::string target = dialect == Speaks::json ? "/?sessionId=" + id : "/terminal/" + id;
    ws_ = std::make_unique<WsClient>(server.loop(), server.port(), target, std::move(options));
    if (dialect == Speaks::native) {
      ws_->text(R"({"type":"attach","client":"any","cols":80,"rows":24})");
      EXPECT_TRUE(ws_->wait_text("\"attached\""));
    }
    if (dialect == Speaks::json) EXPECT_TRUE(ws_->wait_text("connected\""));
  }

  WsClient& ws() { return *ws_; }

  void type(const std::string& keys) {
    if (dialect_ != Speaks::json) return ws_->binary(keys);
    ws_->text(nlohmann::json{{"type", "input"}, {"data", keys}}.dump());
  }

  std::string output() const {
    const std::lock_guard lock(mutex_);
    return output_;
  }
  std::string tail(std::size_t n = 300) const {
    const std::string all = output();
    return all.substr(all.size() - std::min(n, all.size()));
  }

  /// Waits until the output satisfies `done`; false when the connection ended before.
  bool until(const std::function<bool(const std::string&)>& done) const {
    bool found = false;
    ws_->wait([&](const Inbox& in) {
      const std::lock_guard lock(mutex_);
      found = done(output_);
      return found || in.closed;
    });
    return found;
  }
  /// Looks only at what came after byte `from`, so that floods can be watched.
  bool sees(const std::string& part, std::size_t from = 0) const {
    return until([&](const std::string& out) {
      return out.size() >= from && out.find(part, from) != std::string::npos;
    });
  }
  bool has(std::size_t bytes) const {
    return until([&](const std::string& out) { return out.size() >= bytes; });
  }

 private:
  void received(WsClient& client, bool text, const std::string& payload) {
    std::string bytes;
    if (!text) {
      bytes = payload;
    } else if (dialect_ == Speaks::json) {
      const auto json = nlohmann::json::parse(payload, nullptr, false);
      if (json.value("type", "") == "stream") bytes = json.at("data").get<std::string>();
    }
    std::size_t total = 0;
    {
      const std::lock_guard lock(mutex_);
      output_ += bytes;
      total = output_.size();
    }
    if (dialect_ != Speaks::native || total - acked_ < 64 * 1024) return;
    acked_ = total;
    client.text(nlohmann::json{{"type", "ack"}, {"output", total}}.dump());
  }

  const Speaks dialect_;
  mutable std::mutex mutex_;
  std::string output_;
  std::size_t acked_ = 0;  ///< Loop's thread only.
  std::unique_ptr<WsClient> ws_;
};

/// `command` on a tty that passes every byte untouched, between the words READY and DONE. The
/// words are spelled so that the echo of the command line does not show them.
inline std::string marked(const std::string& command) {
  return "stty raw -echo; printf 'REA''DY'; " + command + "; printf 'DO''NE'; stty sane\n";
}

/// What was printed between the two marks.
inline std::string between_marks(const std::string& output) {
  const auto start = output.find("READY");
  const auto end = output.rfind("DONE");
  if (start == std::string::npos || end == std::string::npos || end < start + 5)
    return "no marks in: " + output.substr(0, 500);
  return output.substr(start + 5, end - start - 5);
}

/// A file that lives as long as the test.
class TempFile {
 public:
  explicit TempFile(const std::string& content = "") {
    std::string name = testing::TempDir() + "term-test-XXXXXX";
    const int fd = ::mkstemp(name.data());
    if (fd < 0) throw std::runtime_error("mkstemp " + name);
    ::close(fd);
    path_ = name;
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~TempFile() { std::remove(path_.c_str()); }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;

  const std::string& path() const { return path_; }
  std::string read() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  std::string path_;
};

/// Where two long strings part, instead of the strings themselves.
inline testing::AssertionResult same_bytes(const std::string& got, const std::string& expected) {
  if (got == expected) return testing::AssertionSuccess();
  const std::size_t both = std::min(got.size(), expected.size());
  std::size_t at = 0;
  while (at < both && got[at] == expected[at]) ++at;
  return testing::AssertionFailure()
         << got.size() << " bytes, expected " << expected.size() << "; they differ at " << at
         << ": got \"" << testing::PrintToString(got.substr(at, 40)) << "\", expected \""
         << testing::PrintToString(expected.substr(at, 40)) << "\"";
}

/// One server for all tests of a suite; each test runs on both engines.
class BothEngines : public testing::TestWithParam<Engine> {
 protected:
  static void SetUpTestSuite() { shared() = std::make_unique<TestServer>(); }
  static void TearDownTestSuite() { shared().reset(); }
  void SetUp() override { serve_with(server(), adapter::all(GetParam())); }
  static TestServer& server() { return *shared(); }
  /// An id of this test's own.
  std::string id(const std::string& name = "s") const {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    std::string id = name + "-" + test->name();
    for (char& c : id)
      if (c == '/') c = '-';
    return id;
  }

 private:
  static std::unique_ptr<TestServer>& shared() {
    static std::unique_ptr<TestServer> server;
    return server;
  }
};

inline std::string engine_name(const testing::TestParamInfo<Engine>& info) {
  return std::string(term::to_string(info.param));
}

#define TERM_WITH_BOTH_ENGINES(suite)                                                       \
  INSTANTIATE_TEST_SUITE_P(Engines, suite,                                                  \
                           testing::Values(term::Engine::legacy, term::Engine::refactored), \
                           term::test::engine_name)

}  // namespace term::test
