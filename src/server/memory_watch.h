#pragma once
// Memory pressure: first scrollback is given up, then new sessions are refused; a live one is never
// ended for it (DESIGN.md 4).

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "server/shards.h"

namespace term::server {

/// Bytes that may still be taken: the least of what the machine has (MemAvailable) and what each
/// control group (v2) that we are in has left, its inactive file pages counted as free. Nothing
/// where none of them can be read.
/// `proc` and `groups`: where the kernel's procfs and its control groups are.
std::optional<std::uint64_t> memory_left(const std::filesystem::path& proc = "/proc",
                                         const std::filesystem::path& groups = "/sys/fs/cgroup");
using MemoryReader = std::function<std::optional<std::uint64_t>()>;

struct MemoryStatus {
  std::optional<std::uint64_t> left;   ///< Bytes, at the last look.
  std::uint64_t reserve = 0;           ///< Bytes to be left free; 0 = nobody looks.
  bool pressure = false;               ///< Less is left.
  bool refusing = false;               ///< And there is no scrollback to make up for it.
  std::uint64_t given_up_bytes = 0;    ///< Of scrollback, since the start.
  std::uint64_t rings_shrunk = 0;      ///< How often.
  std::uint64_t sessions_refused = 0;  ///< New ones, since the start.
};

/// Thread: the first shard's, where a comment does not say more.
class MemoryWatch {
 public:
  /// What a session keeps under pressure: several screens, as many as a terminal shows again.
  static constexpr std::size_t kKeepBytes = 64UL * 1024;

  /// `reserve`: bytes to be left free; 0 = nobody looks.
  MemoryWatch(Shards& shards, std::uint64_t reserve) : shards_(shards), reserve_(reserve) {}
  /// What says how much is left, memory_left() at first.
  void read_by(MemoryReader left) { left_ = std::move(left); }

  /// To be called once a second. Under pressure gives up as much scrollback as is wanting: of
  /// detached sessions first, the longest idle first.
  net::awaitable<void> look();
  /// May there be one more session? Errors: limit_reached, with the time of the next look. Thread:
  /// any.
  Result<void> may_grow();
  MemoryStatus status() const;

 private:
  net::awaitable<std::uint64_t> give_up(std::uint64_t wanted);

  Shards& shards_;
  const std::uint64_t reserve_;
  MemoryReader left_ = [] { return memory_left(); };
  std::optional<std::uint64_t> last_;
  bool pressure_ = false;
  std::uint64_t given_up_bytes_ = 0;
  std::uint64_t rings_shrunk_ = 0;
  std::atomic<bool> refusing_{false};
  std::atomic<std::uint64_t> left_when_refusing_{0};
  std::atomic<std::uint64_t> sessions_refused_{0};
};

/// {left_bytes, reserve_bytes, pressure, refusing, given_up_bytes, rings_shrunk, sessions_refused};
/// left_bytes null where it is not known.
nlohmann::json memory_json(const MemoryStatus& status);

}  // namespace term::server
