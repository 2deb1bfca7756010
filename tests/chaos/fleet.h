#pragma once
// The sessions of a run, with the clients that type into them and read them.

#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "chaos/totals.h"
#include "support/resuming_client.h"

namespace term::chaos {

/// Keeps a number of sessions busy: floods at a bounded rate, typing, pastes. One that has ended is
/// judged, added to the totals and replaced. Thread: the loop's.
class Fleet {
 public:
  struct Options {
    unsigned short port = 0;
    std::filesystem::path reports;  ///< Where the programs write theirs.
    std::uint64_t seed = 0;
    std::size_t sessions = 12;
    std::size_t viewers = 0;  ///< Beside the writers, spread over the sessions.
    std::uint64_t flood_bytes_per_second = 6 * 1024 * 1024;  ///< To all clients.
    std::vector<std::string> kinds;                          ///< Of the sessions, in turn.
  };
  /// A session, its clients and its pace.
  struct Member {
    std::string id;
    std::unique_ptr<test::ResumingClient> writer;
    std::vector<std::unique_ptr<test::ResumingClient>> viewers;
    std::size_t viewers_wanted = 0;
    std::mt19937_64 random;
    double credit = 0;  ///< Input bytes that may be typed now.
    double rate = 0;    ///< Of input bytes, per second.
    test::SteadyClock::time_point next_key{};
    std::optional<test::Ending> ending;
    bool orphaned = false;  ///< Its parent, the holder, was killed: nobody need know its status.
    test::SteadyClock::time_point ended_at{};
  };

  Fleet(test::EventLoop& loop, test::ClientLog& log, Totals& totals, Options options);

  void beat();
  /// Every session has its shell, every client is attached.
  bool all_attached() const;
  std::size_t size() const { return members_.size(); }
  /// A session that is not ending; null if there is none.
  Member* pick(std::uint64_t target);
  Member* find(const std::string& id);
  /// The program of this session, from its report; 0 when it has written none.
  pid_t program(const Member& member) const;
  void end(Member& member, const test::Ending& ending);
  /// The holder was killed: see Member::orphaned.
  void orphan_all();
  /// The longest wait of any client since the last call.
  test::Millis take_longest_wait();

  /// Types the endings of all, and waits for them. What has not ended when nothing has come for
  /// this long counts as lost.
  void finish(test::Millis at_most);

 private:
  void add();
  void drive(Member& member, test::SteadyClock::time_point now, double seconds);
  static bool over(const Member& member, test::SteadyClock::time_point now);
  static test::SteadyClock::time_point heard_at(const Member& member);
  test::SteadyClock::time_point last_news() const;
  /// Clients that were never attached yet.
  std::size_t count_arriving() const;
  std::string next_kind() const;
  /// Bytes a second for each flood, so that all clients together read what the options say.
  std::uint64_t flood_share() const;
  void judge(Member& member);
  void judge_exit(const Member& member);
  void judge_output(test::ResumingClient& client, std::optional<std::uint64_t> printed);

  test::EventLoop& loop_;
  test::ClientLog& log_;
  Totals& totals_;
  const Options options_;
  std::vector<std::unique_ptr<Member>> members_;
  std::size_t made_ = 0;
  std::size_t arriving_ = 0;
  bool finishing_ = false;
  test::SteadyClock::time_point finishing_since_{};
  test::SteadyClock::time_point last_beat_;
};

}  // namespace term::chaos
