#pragma once

namespace term::test {

/// TCP segments with data that came on a connection so far; 0 when the kernel does not say.
unsigned segments_received(int fd);

}  // namespace term::test
