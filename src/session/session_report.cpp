// How an entered line ended, where the shell says so.

#include <algorithm>

#include "session/session.h"
#include "session/shell_marks.h"

namespace term {

void Session::look_for_result() {
  const Offset next = ring_.next();
  const Offset from =
      std::max({*report_from_, next - std::min<Offset>(next, kMarkTail), ring_.first()});
  const auto parts = ring_.read(from, static_cast<std::size_t>(next - from));
  const auto code = parts[1].empty()
                        ? newest_exit_mark({parts[0].data(), parts[0].size()})
                        : newest_exit_mark(ring_.copy(from, static_cast<std::size_t>(next - from)));
  if (!code) {  // Next time from where an unfinished mark may begin.
    report_from_ = std::max(from, next - std::min<Offset>(next, kLongestMark));
    return;
  }
  report_from_.reset();
  telemetry().finished(id_, *code);
}

}  // namespace term
