// The log files: appended to by whole lines, found again after a rotation, errors with their word.

#include <gtest/gtest.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "server/logging.h"
#include "support/service_process.h"
#include "support/state_dir.h"

namespace term::test {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> lines_of(const fs::path& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::size_t lines_with(const fs::path& path, const std::string& part) {
  std::size_t n = 0;
  for (const auto& line : lines_of(path)) n += line.find(part) != std::string::npos ? 1 : 0;
  return n;
}

class ErrorLog : public testing::Test {
 protected:
  ErrorLog() {
    std::string path = (fs::temp_directory_path() / "term-log-XXXXXX").string();
    EXPECT_NE(::mkdtemp(path.data()), nullptr);
    directory_ = path;
    config_.log_dir = directory_ / "made" / "here";
    config_.error_log = directory_ / "terminal-error.log";
  }
  ~ErrorLog() override {
    spdlog::set_default_logger(before_);
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
  }
  fs::path log() const { return *config_.log_dir / "terminal-service.log"; }
  fs::path errors() const { return *config_.error_log; }

  std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger();
  fs::path directory_;
  server::Config config_;
};

TEST_F(ErrorLog, HasTheErrorsAloneEachWithItsWord) {
  ASSERT_TRUE(server::set_up_logging(config_));
  spdlog::info("event.one all is well");
  spdlog::warn("event.two coped");
  spdlog::error("event.three id=s1 something broke");
  spdlog::critical("event.four and more");
  EXPECT_EQ(lines_of(errors()).size(), 2U);
  EXPECT_EQ(lines_with(errors(), " ERROR event."), 2U);
  EXPECT_EQ(lines_of(log()).size(), 4U);
  server::set_log_level("error");
  spdlog::warn("event.five");
  EXPECT_EQ(lines_of(log()).size(), 4U);
  ASSERT_TRUE(server::set_up_logging(config_));
  spdlog::error("event.six");
  EXPECT_EQ(lines_of(errors()).size(), 3U) << "appended to, not begun anew";
}

TEST_F(ErrorLog, IsFoundAgainUnderItsNameAfterARotation) {
  ASSERT_TRUE(server::set_up_logging(config_));
  spdlog::error("before");
  fs::rename(errors(), directory_ / "old");
  spdlog::error("between");
  server::reopen_logs();
  spdlog::error("after");
  EXPECT_EQ(lines_of(directory_ / "old").size(), 2U);
  EXPECT_EQ(lines_with(errors(), "after"), 1U);
  EXPECT_EQ(lines_of(errors()).size(), 1U);

  fs::rename(errors(), directory_ / "older");
  fs::create_directory(errors());  // Cannot be opened.
  server::reopen_logs();
  spdlog::error("still");
  EXPECT_EQ(lines_with(directory_ / "older", "still"), 1U);
  EXPECT_EQ(lines_with(directory_ / "older", "log.reopen"), 1U);
}

TEST_F(ErrorLog, ThatCannotBeOpenedIsNamed) {
  config_.error_log = directory_ / "no" / "such" / "place.log";
  const auto refused = server::set_up_logging(config_);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().detail.find("place.log"), std::string::npos);
}

TEST_F(ErrorLog, OfTwoProcessesHasEveryLineWhole) {
  constexpr int kLines = 2000;
  ASSERT_TRUE(server::set_up_logging(config_));
  const std::string filling(300, 'x');
  const pid_t child = ::fork();
  for (int n = 0; n < kLines; ++n)
    spdlog::error("{} line {} {} end", child == 0 ? "new" : "old", n, filling);
  if (child == 0) ::_exit(0);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(lines_of(errors()).size(), 2U * kLines);
  EXPECT_EQ(lines_with(errors(), "ERROR old line"), std::size_t{kLines});
  EXPECT_EQ(lines_with(errors(), filling + " end"), 2U * kLines);
}

TEST_F(ErrorLog, OfARealServiceIsReopenedOnSighup) {
  ServiceProcess service({.binary = holder_program().parent_path() / "terminal-service",
                          .environment = {{"TERMINAL_ERROR_LOG", errors().string()},
                                          {"TERMINAL_LOG_DIR", config_.log_dir->string()}}});
  service.start();
  ASSERT_TRUE(service.wait_ready()) << service.log_tail();
  fs::rename(log(), directory_ / "service-old");
  fs::rename(errors(), directory_ / "errors-old");
  std::ofstream(service.directory() / ".env") << "TERMINAL_NONSENSE=1\n";
  service.signal(SIGHUP);
  ASSERT_TRUE(until([&] { return fs::exists(errors()) && lines_with(errors(), "ERROR") == 1; }));
  EXPECT_EQ(lines_with(errors(), "service.reload"), 1U);
  EXPECT_EQ(lines_with(log(), "service.reload"), 1U);
  EXPECT_EQ(lines_of(directory_ / "errors-old").size(), 0U);
}

}  // namespace
}  // namespace term::test
