#pragma once
// What nobody should upgrade to.

#include <sys/types.h>

#include <string>
#include <vector>

#include "chaos/faults.h"

namespace term::chaos {

struct BadBinary {
  std::string name;
  std::string script;
  mode_t mode = 0;  ///< 0: there is no such file.
};
const std::vector<BadBinary>& bad_binaries();

/// A hand-over to it, which must fail and leave all as it was; what happened.
std::string try_bad_binary(World& world, const BadBinary& bad);

}  // namespace term::chaos
