#pragma once
// What nobody should upgrade to.

#include <sys/types.h>

#include <string>
#include <vector>

#include "chaos/faults.h"

namespace term::chaos {

struct BadBinary {
  std::string name;
  std::string script;       ///< Empty: bad_successor.cpp, which knows what to do by its name.
  mode_t mode = 0700;       ///< 0: there is no such file.
  bool takes_over = false;  ///< It is good enough for that, and ends then.
};
const std::vector<BadBinary>& bad_binaries();

/// A hand-over to it, which must leave all as it was; what happened.
std::string try_bad_binary(World& world, const BadBinary& bad);

}  // namespace term::chaos
