#include "support/any_client.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace term::test {

using Json = nlohmann::json;

std::string to_string(Speaks dialect) {
  if (dialect == Speaks::native) return "native";
  return dialect == Speaks::raw ? "raw" : "json";
}

AnyClient::AnyClient(TestServer& server, const std::string& id, Speaks dialect)
    : dialect_(dialect) {
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

void AnyClient::type(const std::string& keys) {
  if (dialect_ != Speaks::json) return ws_->binary(keys);
  ws_->text(Json{{"type", "input"}, {"data", keys}}.dump());
}

std::string AnyClient::output() const {
  const std::lock_guard lock(mutex_);
  return output_;
}

std::string AnyClient::tail(std::size_t n) const {
  const std::string all = output();
  return all.substr(all.size() - std::min(n, all.size()));
}

bool AnyClient::until(const std::function<bool(const std::string&)>& done) const {
  bool found = false;
  ws_->wait([&](const Inbox& in) {
    const std::lock_guard lock(mutex_);
    found = done(output_);
    return found || in.closed;
  });
  return found;
}

bool AnyClient::sees(const std::string& part, std::size_t from) const {
  return until([&](const std::string& out) {
    return out.size() >= from && out.find(part, from) != std::string::npos;
  });
}

bool AnyClient::has(std::size_t bytes) const {
  return until([&](const std::string& out) { return out.size() >= bytes; });
}

void AnyClient::received(WsClient& client, bool text, const std::string& payload) {
  std::string bytes;
  if (!text) {
    bytes = payload;
  } else if (dialect_ == Speaks::json) {
    const auto json = Json::parse(payload, nullptr, false);
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
  client.text(Json{{"type", "ack"}, {"output", total}}.dump());
}

std::string marked(const std::string& command) {
  return "stty raw -echo; printf 'REA''DY'; " + command + "; printf 'DO''NE'; stty sane\n";
}

std::string between_marks(const std::string& output) {
  const auto start = output.find("READY");
  const auto end = output.rfind("DONE");
  if (start == std::string::npos || end == std::string::npos || end < start + 5)
    return "no marks in: " + output.substr(0, 500);
  return output.substr(start + 5, end - start - 5);
}

TempFile::TempFile(const std::string& content) : path_(testing::TempDir() + "term-test-XXXXXX") {
  const int fd = ::mkstemp(path_.data());
  if (fd < 0) throw std::runtime_error("mkstemp " + path_);
  ::close(fd);
  std::ofstream(path_, std::ios::binary) << content;
}

TempFile::~TempFile() { std::remove(path_.c_str()); }

std::string TempFile::read() const {
  std::string content(std::filesystem::file_size(path_), '\0');
  std::ifstream(path_, std::ios::binary).read(content.data(), std::ssize(content));
  return content;
}

testing::AssertionResult same_bytes(const std::string& got, const std::string& expected) {
  if (got == expected) return testing::AssertionSuccess();
  const std::size_t both = std::min(got.size(), expected.size());
  std::size_t at = 0;
  while (at < both && got[at] == expected[at]) ++at;
  return testing::AssertionFailure()
         << got.size() << " bytes, expected " << expected.size() << "; they differ at " << at
         << ": got " << testing::PrintToString(got.substr(at, 40)) << ", expected "
         << testing::PrintToString(expected.substr(at, 40));
}

std::string BothEngines::id(const std::string& name) {
  std::string id = name + "-" + testing::UnitTest::GetInstance()->current_test_info()->name();
  std::ranges::replace(id, '/', '-');
  return id;
}

std::unique_ptr<TestServer>& BothEngines::shared() {
  static std::unique_ptr<TestServer> server;
  return server;
}

}  // namespace term::test
