#pragma once
// For tests that must hold in every dialect: bytes in, bytes out; and files to exchange with a
// shell.

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "support/test_server.h"

namespace term::test {

enum class Speaks { native, raw, json };
std::string to_string(Speaks dialect);

/// A client that sees only the terminal's bytes, whatever its frames look like.
class AnyClient {
 public:
  AnyClient(TestServer& server, const std::string& id, Speaks dialect);

  WsClient& ws() { return *ws_; }
  void type(const std::string& keys);

  std::string output() const;
  std::string tail(std::size_t n = 300) const;
  /// Waits until the output satisfies `done`; false when the connection ended before.
  bool until(const std::function<bool(const std::string&)>& done) const;
  /// Looks only at what came after byte `from`, so that floods can be watched.
  bool sees(const std::string& part, std::size_t from = 0) const;
  bool has(std::size_t bytes) const;

 private:
  void received(WsClient& client, bool text, const std::string& payload);

  const Speaks dialect_;
  mutable std::mutex mutex_;
  std::string output_;
  std::size_t acked_ = 0;  ///< Loop's thread only.
  std::unique_ptr<WsClient> ws_;
};

/// `command` on a tty that passes every byte untouched, between the words READY and DONE. The
/// words are spelled so that the echo of the command line does not show them.
std::string marked(const std::string& command);
/// What was printed between the two marks.
std::string between_marks(const std::string& output);

/// A file that lives as long as the test.
class TempFile {
 public:
  explicit TempFile(const std::string& content = "");
  ~TempFile();
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;

  const std::string& path() const { return path_; }
  std::string read() const;

 private:
  std::string path_;
};

/// Where two long strings part, instead of the strings themselves.
testing::AssertionResult same_bytes(const std::string& got, const std::string& expected);

/// One server for all tests of a suite; each test runs on both engines.
class BothEngines : public testing::TestWithParam<Engine> {
 protected:
  static void SetUpTestSuite() { shared() = std::make_unique<TestServer>(); }
  static void TearDownTestSuite() { shared().reset(); }
  void SetUp() override { serve_with(server(), adapter::all(GetParam())); }
  static TestServer& server() { return *shared(); }
  /// An id of this test's own.
  static std::string id(const std::string& name = "s");

 private:
  static std::unique_ptr<TestServer>& shared();
};

inline std::string engine_name(const testing::TestParamInfo<Engine>& info) {
  return std::string(term::to_string(info.param));
}

#define TERM_WITH_BOTH_ENGINES(suite)                                                       \
  INSTANTIATE_TEST_SUITE_P(Engines, suite,                                                  \
                           testing::Values(term::Engine::legacy, term::Engine::refactored), \
                           term::test::engine_name)

}  // namespace term::test
