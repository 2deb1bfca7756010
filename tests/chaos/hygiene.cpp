#include "chaos/hygiene.h"

#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace term::chaos {

namespace fs = std::filesystem;
using test::Millis;
using test::read_file;

namespace {

void check_descriptors(const fs::path& proc, std::vector<std::string>& found) {
  std::string tty;
  for (const auto& entry : fs::directory_iterator(proc / "fd")) {
    const std::string number = entry.path().filename();
    std::error_code ignored;
    const std::string target = fs::read_symlink(entry.path(), ignored);
    if (number != "0" && number != "1" && number != "2") {
      found.push_back("descriptor " + number + " " + target);
      continue;
    }
    if (tty.empty()) tty = target;
    if (!target.starts_with("/dev/pts/") || target != tty)
      found.push_back("descriptor " + number + " is " + target);
  }
}

void check_status(const fs::path& proc, pid_t pid, std::vector<std::string>& found) {
  std::istringstream lines(read_file(proc / "status"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name, value;
    words >> name >> value;
    if (name == "SigBlk:" || name == "SigIgn:" || name == "SigPnd:")
      if (value.find_first_not_of('0') != std::string::npos) found.push_back(line);
    if ((name == "NSsid:" || name == "NSpgid:") && value != std::to_string(pid))
      found.push_back(line);
  }
}

void check_environment(const fs::path& proc, std::vector<std::string>& found) {
  std::istringstream lines(read_file(proc / "environ"));
  for (std::string line; std::getline(lines, line, '\0');) {
    const std::string name = line.substr(0, line.find('='));
    const bool told = name == "TERMINAL_SESSION_ID" || name == "TERMINAL_PROJECT_ID";
    const bool own = name.starts_with("TERMINAL_") || name.starts_with("MAX_") ||
                     name.starts_with("LISTEN_") || name == "HOST" || name == "PORT" ||
                     name == "NOTIFY_SOCKET" || name.find("SECRET") != std::string::npos;
    if (own && !told) found.push_back("variable " + name);
  }
}

/// `count` new sessions, and each of their programs looked at.
void look_at(World& world, const std::string& when, std::size_t count, std::size_t& number) {
  std::size_t dirty = 0;
  for (std::size_t i = 0; i < count; ++i, ++number) {
    const std::string id = "typing-hygiene" + std::to_string(number);
    const auto target = "/api/terminal/create";
    const auto answer = post_meanwhile(
        world, target, R"({"projectId":"hygiene","sessionId":")" + id + "\"}", Millis(10'000));
    if (answer.status != 200 && answer.status != 201) {
      fail(world, when + ": no session: " + answer.body.substr(0, 200));
      return;
    }
    const fs::path report = world.service.home() / (id + ".report");
    pid_t pid = 0;
    world.loop.run_until(
        [&] {
          std::istringstream words(read_file(report));
          std::string start;
          words >> start >> pid;
          return pid != 0;
        },
        Millis(10'000));
    std::vector<std::string> found{"the program did not start"};
    // Its report may still be open; what it inherited stays.
    world.loop.run_until([&] { return pid == 0 || (found = unclean(pid)).empty(); }, Millis(500));
    for (const auto& what : found) fail(world, when + ": " + id + ": " + what);
    dirty += found.empty() ? 0 : 1;
    test::http_exchange(world.service.http_port(), "DELETE", "/api/terminal/close/" + id);
  }
  std::printf("hygiene after %s: %zu shells, %zu unclean\n", when.c_str(), count, dirty);
}

}  // namespace

std::vector<std::string> unclean(pid_t pid) {
  std::vector<std::string> found;
  const fs::path proc = "/proc/" + std::to_string(pid);
  try {
    check_descriptors(proc, found);
    check_status(proc, pid, found);
    check_environment(proc, found);
  } catch (const fs::filesystem_error& error) {
    found.emplace_back(error.what());
  }
  return found;
}

void run_hygiene(World& world, std::size_t shells) {
  const bool recovers = world.service.holder_pid() != 0;
  const bool hands_over = can_hand_over(world);
  const std::size_t parts = 1 + (recovers ? 1U : 0U) + (hands_over ? 1U : 0U);
  const std::size_t share = (shells + parts - 1) / parts;
  std::size_t number = 0;
  look_at(world, "start", share, number);
  if (recovers) {
    world.service.kill();
    world.service.start();
    if (!world.service.wait_ready()) return fail(world, "not ready after kill");
    look_at(world, "recovery", share, number);
  } else {
    ++world.totals.left_out["kill"];
  }
  if (hands_over) {
    hand_over(world, "");
    look_at(world, "hand-over", share, number);
  } else {
    ++world.totals.left_out["restart"];
  }
  world.totals.sessions += number;
}

}  // namespace term::chaos
