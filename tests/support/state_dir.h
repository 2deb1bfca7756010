#pragma once
// A state directory, and the holder that the service (or the test) starts in it.

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "session/holder_link.h"
#include "support/until.h"

namespace term::test {

/// terminal-holder of the same build: beside the test programs' folder.
inline std::filesystem::path holder_program() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "bin" /
         "terminal-holder";
}

/// Not even a zombie.
inline bool is_alive(pid_t pid) {
  std::error_code gone;  // In the middle of the look.
  return std::filesystem::exists("/proc/" + std::to_string(pid) + "/stat", gone) &&
         ::kill(pid, 0) == 0;
}

/// A directory of its own. At the end its holder ends, with every shell; then it is removed.
class StateDir {
 public:
  StateDir() {
    EXPECT_TRUE(std::filesystem::exists(holder_program()))
        << "build terminal-holder: " << holder_program();
    std::string path = (std::filesystem::temp_directory_path() / "term-state-XXXXXX").string();
    EXPECT_NE(::mkdtemp(path.data()), nullptr);
    path_ = path;
  }
  ~StateDir() {
    end_holder();
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  StateDir(const StateDir&) = delete;
  StateDir& operator=(const StateDir&) = delete;

  const std::filesystem::path& path() const { return path_; }
  HolderLink::Place place() const { return {.state_dir = path_, .program = holder_program()}; }
  /// In place of whoever is connected.
  Result<std::shared_ptr<HolderLink>> take_over() const {
    auto place = this->place();
    place.start = false;
    place.take_over = true;
    return HolderLink::open(place);
  }

  void end_holder() const {
    auto link = take_over();
    if (!link) return;  // There is none.
    const pid_t pid = (*link)->holder_pid();
    EXPECT_TRUE((*link)->ask(end_message()));
    link->reset();  // It waits for that.
    EXPECT_TRUE(until([&] { return !is_alive(pid); })) << "holder " << pid << " does not end";
  }

 private:
  std::filesystem::path path_;
};

}  // namespace term::test
