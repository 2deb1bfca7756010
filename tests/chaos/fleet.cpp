#include "chaos/fleet.h"

#include <algorithm>
#include <csignal>
#include <map>
#include <sstream>

#include "support/service_process.h"

namespace term::chaos {

using test::Millis;
using test::ResumingClient;
using test::SteadyClock;

namespace {

/// Viewers of an ended session are waited for until nothing has come for so long.
constexpr Millis kViewersLast{2000};
constexpr Millis kLongestFinish{120'000};
/// New clients at a time: the start is not what is tested.
constexpr std::size_t kAtOnce = 16;
/// Nobody types on and on without seeing it.
constexpr std::uint64_t kTypedAhead = 4 * 1024;
constexpr std::size_t kLongestPaste = 24 * 1024;

/// `word N word N …` after the line's first word, of the last such line; with `count` of them.
struct Report {
  std::size_t starts = 0;
  pid_t pid = 0;
  std::optional<std::map<std::string, std::uint64_t>> end;
};

Report read_report(const std::filesystem::path& path) {
  Report report;
  std::istringstream lines(test::read_file(path));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string first, name;
    words >> first;
    if (first == "start") {
      ++report.starts;
      words >> report.pid;
    } else {
      report.end.emplace();
      for (std::uint64_t value = 0; words >> name >> value;) (*report.end)[name] = value;
    }
  }
  return report;
}

std::string in_words(const test::Ending& ending) {
  return ending.signal == 0 ? "exit " + std::to_string(ending.code)
                            : "signal " + std::to_string(ending.signal);
}

bool told_right(const test::Told& told, const test::Ending& ending) {
  if (ending.signal == 0) return told.code == ending.code && told.signal.empty();
  return told.signal == (ending.signal == SIGKILL ? "SIGKILL" : "SIGTERM");
}

}  // namespace

Fleet::Fleet(test::EventLoop& loop, test::ClientLog& log, Totals& totals, Options options)
    : loop_(loop),
      log_(log),
      totals_(totals),
      options_(std::move(options)),
      last_beat_(SteadyClock::now()) {
  loop_.on_beat([this] { beat(); });
}

std::string Fleet::next_kind() const {
  const std::string& kind = options_.kinds[made_ % options_.kinds.size()];
  return kind == "free" ? kind + std::to_string(flood_share() / 1024) : kind;
}

std::uint64_t Fleet::flood_share() const {
  const auto floods = std::ranges::count_if(options_.kinds, [](const auto& kind) {
    const test::Role role = test::role_of(kind + "-");
    return role.free_kib > 0 || role.block > test::kRecordBytes;
  });
  // Each byte is sent to every client of its session.
  const auto readers = options_.sessions + options_.viewers;
  const auto share = options_.flood_bytes_per_second * options_.kinds.size() /
                     std::max<std::uint64_t>(1, readers * static_cast<std::uint64_t>(floods));
  return std::max<std::uint64_t>(share, 16 * 1024);
}

void Fleet::add() {
  const std::string kind = next_kind();
  const test::Role role = test::role_of(kind + "-");
  auto member = std::make_unique<Member>();
  // The seed is part of the name, and so of every byte.
  member->id = kind + "-" + std::to_string(made_) + "-" + std::to_string(options_.seed);
  member->random.seed(options_.seed ^ made_);
  member->viewers_wanted = options_.viewers / options_.sessions +
                           (made_ % options_.sessions < options_.viewers % options_.sessions);
  if (role.block > test::kRecordBytes)
    member->rate = static_cast<double>(flood_share() * test::kRecordBytes / role.block);
  member->writer = std::make_unique<ResumingClient>(
      loop_, log_,
      ResumingClient::Options{.port = options_.port, .session = member->id, .create = true});
  ++made_;
  ++totals_.sessions;
  members_.push_back(std::move(member));
}

void Fleet::beat() {
  const auto now = SteadyClock::now();
  const double seconds = std::chrono::duration<double>(now - last_beat_).count();
  last_beat_ = now;
  arriving_ = count_arriving();
  for (; arriving_ < kAtOnce && !finishing_ && members_.size() < options_.sessions; ++arriving_)
    add();
  for (auto& member : members_) drive(*member, now, seconds);
  std::erase_if(members_, [&](const auto& member) {
    if (!over(*member, now)) return false;
    judge(*member);
    return true;
  });
}

void Fleet::drive(Member& member, SteadyClock::time_point now, double seconds) {
  ResumingClient& writer = *member.writer;
  writer.beat(now);
  if (writer.ended() && member.ended_at == SteadyClock::time_point{}) member.ended_at = now;
  for (auto& viewer : member.viewers) viewer->beat(now);
  if (!writer.greeted() || writer.ending() || writer.ended()) return;
  if (member.viewers.size() < member.viewers_wanted && writer.attached() && arriving_ < kAtOnce) {
    ++arriving_;
    member.viewers.push_back(std::make_unique<ResumingClient>(
        loop_, log_,
        ResumingClient::Options{.port = options_.port,
                                .session = member.id,
                                .client = "viewer" + std::to_string(member.viewers.size()),
                                .writer = false}));
  }
  if (member.rate > 0) {
    member.credit = std::min(member.credit + member.rate * seconds, member.rate / 4 + 64);
    member.credit -= static_cast<double>(writer.type(static_cast<std::size_t>(member.credit)));
  } else if (now >= member.next_key && writer.unwritten() < kTypedAhead) {
    const bool paste = member.random() % 256 == 0;
    writer.type(1 + member.random() % (paste ? kLongestPaste : 7));
    // All together stay below what one machine can echo: many sessions type more slowly.
    const auto slower = 1 + options_.sessions / 24;
    member.next_key = now + Millis((5 + member.random() % 40) * slower);
  }
}

std::size_t Fleet::count_arriving() const {
  std::size_t count = 0;
  for (const auto& member : members_) {
    count += member->writer->known() ? 0U : 1U;
    for (const auto& viewer : member->viewers) count += viewer->known() ? 0U : 1U;
  }
  return count;
}

bool Fleet::all_attached() const {
  if (members_.size() < options_.sessions) return false;
  return std::ranges::all_of(members_, [](const auto& member) {
    const auto there = [](const auto& client) {
      return client->attached() || client->ended() || client->away();
    };
    return there(member->writer) && (member->writer->greeted() || member->writer->ended()) &&
           (member->viewers.size() == member->viewers_wanted || member->ending) &&
           std::ranges::all_of(member->viewers, there);
  });
}

Fleet::Member* Fleet::pick(std::uint64_t target) {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    Member& member = *members_[(target + i) % members_.size()];
    if (!member.ending && !member.writer->ended() && member.writer->attached() &&
        member.writer->greeted())
      return &member;
  }
  return nullptr;
}

Fleet::Member* Fleet::find(const std::string& id) {
  const auto found =
      std::ranges::find_if(members_, [&](const auto& member) { return member->id == id; });
  return found == members_.end() ? nullptr : found->get();
}

pid_t Fleet::program(const Member& member) const {
  return read_report(options_.reports / (member.id + ".report")).pid;
}

void Fleet::end(Member& member, const test::Ending& ending) {
  member.ending = ending;
  member.writer->type_ending(ending);
}

void Fleet::orphan_all() {
  for (auto& member : members_) member->orphaned = true;
}

Millis Fleet::take_longest_wait() {
  Millis longest{0};
  for (auto& member : members_) longest = std::max(longest, member->writer->take_longest_wait());
  return longest;
}

void Fleet::finish(Millis at_most) {
  loop_.run_until([&] { return all_attached(); }, at_most / 2);
  finishing_ = true;
  finishing_since_ = SteadyClock::now();
  for (auto& member : members_) {
    if (member->ending || member->writer->ended()) continue;
    const auto any = static_cast<int>(member->random() % 200);
    end(*member, any < 20 ? test::Ending{.signal = any < 10 ? SIGKILL : SIGTERM}
                          : test::Ending{.code = any});
  }
  loop_.run_until([&] { return members_.empty() || SteadyClock::now() - last_news() > at_most; },
                  kLongestFinish);
  for (auto& member : members_) {
    totals_.failures.push_back(member->id + " has not ended" + member->writer->where());
    judge(*member);
  }
  members_.clear();
}

SteadyClock::time_point Fleet::last_news() const {
  SteadyClock::time_point last = finishing_since_;
  for (const auto& member : members_) last = std::max(last, heard_at(*member));
  return last;
}

SteadyClock::time_point Fleet::heard_at(const Member& member) {
  auto last = std::max(member.ended_at, member.writer->heard_at());
  for (const auto& viewer : member.viewers) last = std::max(last, viewer->heard_at());
  return last;
}

bool Fleet::over(const Member& member, SteadyClock::time_point now) {
  if (!member.writer->ended()) return false;
  return now - heard_at(member) > kViewersLast ||
         std::ranges::all_of(member.viewers, [](const auto& viewer) { return viewer->ended(); });
}

void Fleet::judge(Member& member) {
  const Report report = read_report(options_.reports / (member.id + ".report"));
  const bool ended_as_asked = member.ending && report.end;
  if (!ended_as_asked || report.starts != 1) {
    ++totals_.sessions_lost;
    totals_.failures.push_back(member.id + " lost: started " + std::to_string(report.starts) +
                               " times, ended " + (report.end ? "by the ending" : "unasked"));
  }
  std::optional<std::uint64_t> printed;
  if (report.end) {
    const auto& end = *report.end;
    printed = end.at("printed");
    totals_.in_checked += end.at("input");
    totals_.in_lost += end.at("lost");
    totals_.in_repeated += end.at("repeated");
    totals_.in_wrong += end.at("wrong");
    // The program's sums must be those of the one who typed.
    const std::uint64_t came = end.at("input") + end.at("lost") + end.at("wrong") -
                               std::min(end.at("repeated"), end.at("input")) + test::kRecordBytes;
    if (came < member.writer->typed()) totals_.in_lost += member.writer->typed() - came;
  }
  judge_output(*member.writer, printed);
  for (auto& viewer : member.viewers) judge_output(*viewer, printed);
  if (member.ending) judge_exit(member);
  std::error_code ignored;
  std::filesystem::remove(options_.reports / (member.id + ".report"), ignored);
}

void Fleet::judge_output(ResumingClient& client, std::optional<std::uint64_t> printed) {
  if (!client.known()) {
    totals_.failures.push_back(client.options().session + " (" + client.options().client +
                               ") was never attached");
    return;
  }
  test::StreamCheck& check = client.check();
  check.finish();
  totals_.out_checked += check.checked;
  totals_.out_lost += check.lost;
  totals_.out_repeated += check.repeated;
  totals_.out_wrong += check.wrong;
  if (!printed || *printed <= check.at()) return;
  totals_.out_lost += *printed - check.at();
  totals_.failures.push_back(client.options().session + " (" + client.options().client +
                             "): the last " + std::to_string(*printed - check.at()) +
                             " bytes did not come");
}

void Fleet::judge_exit(const Member& member) {
  const test::Told& told = member.writer->told();
  const bool unknown = !told.code && told.signal.empty();
  if (told.exit && unknown && member.orphaned) {
    ++totals_.exits_orphaned;
  } else if (!told.exit || unknown) {
    ++totals_.exits_unknown;
  } else if (told_right(told, *member.ending)) {
    ++totals_.exits_right;
  } else {
    ++totals_.exits_wrong;
    totals_.failures.push_back(member.id + ": " + in_words(*member.ending) + " was told as " +
                               (told.code ? std::to_string(*told.code) : told.signal));
  }
}

}  // namespace term::chaos
