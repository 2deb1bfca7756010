#include "store/packer.h"

#include <sys/resource.h>
#include <unistd.h>

#include <utility>

namespace term::store {

namespace {
/// Beside a thread at 0 it gets a tenth of a core (sched(7)), and an idle core whole.
constexpr int kNice = 10;
}  // namespace

Packer::Packer(std::mutex& mutex, Pack pack, Give give)
    : mutex_(mutex), pack_(std::move(pack)), give_(std::move(give)), thread_([this] { run(); }) {}

Packer::~Packer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  thread_.join();
}

bool Packer::put(Batch::Session session) {
  Entry made{.session = std::move(session)};
  made.bytes = made.session.stored.snapshot.stream.data->size();
  bytes_ += made.bytes;
  const auto [entry, is_new] = entries_.try_emplace(made.session.stored.snapshot.session.id);
  bytes_ -= entry->second.bytes;
  entry->second = std::move(made);
  wake_.notify_all();
  return !is_new;
}

void Packer::newer(const Batch::Session& state) {
  const auto entry = entries_.find(state.stored.snapshot.session.id);
  if (entry != entries_.end()) entry->second.newer = state;
}

bool Packer::ended(const SessionId& id) {
  const auto entry = entries_.find(id);
  if (entry == entries_.end()) return false;
  bytes_ -= entry->second.bytes;
  entries_.erase(entry);
  return true;
}

void Packer::give(Entries::iterator entry) {
  auto gone = entries_.extract(entry);
  Entry& given = gone.mapped();
  bytes_ -= given.bytes;
  give_(std::move(given.session));
  if (given.newer) give_(std::move(*given.newer));
}

void Packer::hand_out(std::unique_lock<std::mutex>& lock) {
  for (auto entry = entries_.begin(); entry != entries_.end();)
    if (const auto it = entry++; !it->second.in_hand) give(it);
  // Only for that one: others may come all the time.
  const std::uint64_t before = packed_;
  if (busy_) done_.wait(lock, [&] { return packed_ != before; });
}

Packer::Entries::iterator Packer::next() {
  auto entry = entries_.upper_bound(last_);
  return entry == entries_.end() ? entries_.begin() : entry;
}

void Packer::run() {
  // Linux: of a thread. Giving way is never refused.
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !entries_.empty(); });
    if (stopping_) return;
    const auto entry = next();
    last_ = entry->first;
    entry->second.in_hand = busy_ = true;
    const SessionId id = entry->first;
    StreamRecord& stream = entry->second.session.stored.snapshot.stream;
    const Offset upto = stream.next_offset;
    std::string bytes = std::move(*stream.data);
    lock.unlock();
    Scrollback packed = pack_(bytes, upto);
    bytes = {};
    lock.lock();
    busy_ = false;
    ++packed_;
    // It has ended meanwhile, or has printed more: then that is here, and not in hand.
    if (const auto now = entries_.find(id); now != entries_.end() && now->second.in_hand) {
      now->second.session.stored.snapshot.stream.data.reset();
      now->second.session.packed = std::move(packed);
      give(now);
    }
    done_.notify_all();
  }
}

}  // namespace term::store
