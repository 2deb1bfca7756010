#pragma once
// What the tests of the legacy modules share: a clock that stands still, and a session to start.

#include <algorithm>
#include <string>
#include <vector>

#include "session/ports.h"

namespace term::legacy {

/// Time moves only when told to.
class FakeClock {
 public:
  Clock clock() {
    return [this] { return now; };
  }
  void advance(Millis time) { now += time; }

  WallTime now{std::chrono::hours{24 * 365 * 55}};
};

inline NewSession new_session(const SessionId& id, const ProjectId& project = "p1") {
  return {.id = id,
          .project_id = project,
          .user_id = "u1",
          .tab_name = "Terminal 1",
          .focused = true,
          .shell = "/bin/bash",
          .args = {"-l"},
          .current_path = "/srv/app",
          .environment = {{"KEY", "value"}},
          .window = {.rows = 40, .cols = 120},
          .metadata = R"({"colour":"green"})"};
}

}  // namespace term::legacy
