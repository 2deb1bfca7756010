// What the shells use, told to the telemetry of their sessions.

#include "adapter/sessions.h"

namespace term::adapter {

void Sessions::sample_shells() {
  // Two files of /proc for each, some 10 µs apiece: at most a third of a millisecond a second, so
  // that no keystroke waits for it. With 1,000 sessions on a shard each is looked at once a minute.
  constexpr int kPerTick = 16;
  auto it = sessions_.upper_bound(last_sampled_);
  for (int n = 0; n < kPerTick && it != sessions_.end(); ++n, ++it) {
    last_sampled_ = it->first;
    Entry& entry = it->second;
    Session& session = *entry.session;
    if (!entry.registered || !session.started()) continue;
    entry.sample = sample_shell(session.pid(), session.pty_fd(), entry.sample);
    session.telemetry().sampled(session.id(), entry.sample.cpu_percent, entry.sample.memory_bytes);
  }
  if (it == sessions_.end()) last_sampled_.clear();
}

}  // namespace term::adapter
