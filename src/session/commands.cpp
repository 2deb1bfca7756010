#include "session/commands.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace term {

namespace {

using Entry = std::pair<std::string_view, std::string_view>;

/// By word; the order is checked when compiling.
constexpr std::array kCategories = std::to_array<Entry>({
    {"apt", "system"},        {"apt-get", "system"},
    {"bun", "node"},          {"bundle", "build"},
    {"bunx", "node"},         {"cargo", "build"},
    {"cat", "file"},          {"cd", "navigation"},
    {"chmod", "file"},        {"chown", "file"},
    {"clang", "build"},       {"clang++", "build"},
    {"cmake", "build"},       {"cp", "file"},
    {"crontab", "system"},    {"ctest", "build"},
    {"curl", "network"},      {"deno", "node"},
    {"df", "system"},         {"dig", "network"},
    {"dirs", "navigation"},   {"dnf", "system"},
    {"docker", "docker"},     {"docker-compose", "docker"},
    {"du", "system"},         {"find", "file"},
    {"free", "system"},       {"g++", "build"},
    {"gcc", "build"},         {"gh", "git"},
    {"git", "git"},           {"go", "build"},
    {"gradle", "build"},      {"grep", "file"},
    {"head", "file"},         {"host", "network"},
    {"htop", "system"},       {"id", "system"},
    {"ifconfig", "network"},  {"ip", "network"},
    {"journalctl", "system"}, {"kill", "system"},
    {"killall", "system"},    {"kubectl", "docker"},
    {"less", "file"},         {"ln", "file"},
    {"ls", "navigation"},     {"lsof", "system"},
    {"make", "build"},        {"mkdir", "file"},
    {"mongo", "database"},    {"mongosh", "database"},
    {"more", "file"},         {"mount", "system"},
    {"mv", "file"},           {"mvn", "build"},
    {"mysql", "database"},    {"mysqldump", "database"},
    {"nano", "file"},         {"nc", "network"},
    {"netstat", "network"},   {"nginx", "network"},
    {"ninja", "build"},       {"node", "node"},
    {"nodemon", "node"},      {"npm", "npm"},
    {"npx", "npm"},           {"nslookup", "network"},
    {"nvim", "file"},         {"pg_dump", "database"},
    {"ping", "network"},      {"pip", "python"},
    {"pip3", "python"},       {"pipenv", "python"},
    {"pnpm", "npm"},          {"podman", "docker"},
    {"poetry", "python"},     {"popd", "navigation"},
    {"prisma", "database"},   {"ps", "system"},
    {"psql", "database"},     {"pushd", "navigation"},
    {"pwd", "navigation"},    {"pytest", "python"},
    {"python", "python"},     {"python2", "python"},
    {"python3", "python"},    {"redis-cli", "database"},
    {"rg", "file"},           {"rm", "file"},
    {"rmdir", "file"},        {"rsync", "network"},
    {"rustc", "build"},       {"scp", "network"},
    {"sed", "file"},          {"service", "system"},
    {"sftp", "network"},      {"sqlite3", "database"},
    {"ss", "network"},        {"ssh", "network"},
    {"stat", "file"},         {"su", "system"},
    {"sudo", "system"},       {"systemctl", "system"},
    {"tail", "file"},         {"tar", "file"},
    {"telnet", "network"},    {"top", "system"},
    {"touch", "file"},        {"traceroute", "network"},
    {"tree", "navigation"},   {"ts-node", "node"},
    {"tsc", "build"},         {"tsx", "node"},
    {"umount", "system"},     {"uname", "system"},
    {"unzip", "file"},        {"uptime", "system"},
    {"uv", "python"},         {"vi", "file"},
    {"vim", "file"},          {"virtualenv", "python"},
    {"vite", "build"},        {"webpack", "build"},
    {"wget", "network"},      {"whoami", "system"},
    {"yarn", "npm"},          {"yum", "system"},
    {"z", "navigation"},      {"zip", "file"},
});
static_assert(std::ranges::is_sorted(kCategories, {}, &Entry::first));

constexpr char kEscape = '\x1b';
/// With the two bytes that an unfinished escape sequence may leave, `pending` stays within 32.
constexpr std::size_t kMaxWord = 30;

/// Where in an escape sequence the bytes so far ended; kept as the tail of `pending`.
enum class Sequence { none, escape, control, single };

/// The line being typed, in the form it has in the statistics.
class Line {
 public:
  Line(CommandStatistics& statistics, bool record_text)
      : word_(statistics.pending),
        done_(statistics.pending_done),
        text_(statistics.line),
        record_text_(record_text) {
    const std::size_t at = word_.find(kEscape);
    if (at == std::string::npos) return;
    const char kind = at + 1 < word_.size() ? word_[at + 1] : '\0';
    sequence_ = kind == '[' ? Sequence::control : kind == 'O' ? Sequence::single : Sequence::escape;
    word_.resize(at);
  }

  /// Writes the unfinished sequence back behind the word.
  void keep_sequence() {
    if (sequence_ == Sequence::none) return;
    word_ += kEscape;
    if (sequence_ == Sequence::control) word_ += '[';
    if (sequence_ == Sequence::single) word_ += 'O';
  }

  /// True when the byte belonged to an escape sequence.
  bool skip(char byte) {
    switch (sequence_) {
      case Sequence::none:
        if (byte != kEscape) return false;
        sequence_ = Sequence::escape;
        return true;
      case Sequence::escape:
        sequence_ = byte == '['       ? Sequence::control
                    : byte == 'O'     ? Sequence::single
                    : byte == kEscape ? Sequence::escape
                                      : Sequence::none;
        // Return ends the line even behind a lone Escape (vi mode), so a command is not missed.
        return byte != '\r' && byte != '\n';
      case Sequence::control:
        if (byte == '\r' || byte == '\n') {  // Broken off.
          sequence_ = Sequence::none;
          return false;
        }
        if (byte >= 0x40 && byte <= 0x7e) sequence_ = Sequence::none;
        return true;
      case Sequence::single:
        sequence_ = Sequence::none;
        return true;
    }
    return false;
  }

  void add(char byte) {
    const auto code = static_cast<unsigned char>(byte);
    if (record_text_) add_text(byte, code);
    if (code == 0x7f || code == 0x08) {
      if (!done_ && !word_.empty()) word_.pop_back();
    } else if (code == 0x03 || code == 0x15) {
      clear();
    } else if (code == ' ' || code == '\t') {
      // A Tab completes the word; what the shell adds to it never comes this way.
      if (code == ' ' && !word_.empty()) done_ = true;
    } else if (std::string_view(";|&<>()").find(byte) != std::string_view::npos) {
      // What ends a word in a shell without a space: `ls;`, `make&`.
      if (!word_.empty()) done_ = true;
    } else if (code > 0x20 && !done_) {
      if ((code & 0xc0U) == 0x80) return;  // The rest of a UTF-8 character.
      if (word_.size() == kMaxWord) {
        done_ = true;
      } else {
        word_ += code < 0x80 ? byte : '?';
      }
    }
  }

  const std::string& word() const { return word_; }
  void clear() {
    word_.clear();
    done_ = false;
  }
  std::string take_text() { return std::exchange(text_, {}); }

 private:
  void add_text(char byte, unsigned char code) {
    if (code == 0x7f || code == 0x08) {
      while (!text_.empty() && (static_cast<unsigned char>(text_.back()) & 0xC0U) == 0x80U)
        text_.pop_back();
      if (!text_.empty()) text_.pop_back();
    } else if (code == 0x03 || code == 0x15) {
      text_.clear();
    } else if (code >= 0x20 && text_.size() < kMaxCommandText) {
      text_ += byte;
    }
  }

  std::string& word_;
  bool& done_;
  std::string& text_;
  const bool record_text_;
  Sequence sequence_ = Sequence::none;
};

std::size_t hour_of_day(WallTime now) {
  const auto hours = std::chrono::floor<std::chrono::hours>(now.time_since_epoch()).count() % 24;
  return static_cast<std::size_t>((hours + 24) % 24);
}

void count(CommandStatistics& statistics, const EnteredCommand& command, WallTime now) {
  ++statistics.total;
  ++statistics.by_category[std::string(command.category)];
  ++statistics.by_hour.at(hour_of_day(now));
  if (!statistics.running)
    statistics.running = RunningCommand{.sequence = command.sequence,
                                        .at = now,
                                        .category = std::string(command.category),
                                        .text = command.text};
}

}  // namespace

std::string_view command_category(std::string_view word) {
  if (const auto slash = word.rfind('/'); slash != std::string_view::npos) {
    word.remove_prefix(slash + 1);
  }
  const auto it = std::ranges::lower_bound(kCategories, word, {}, &Entry::first);
  if (it != kCategories.end() && it->first == word) return it->second;
  // python3.11, pip3.11: versions nobody can list.
  if (word.starts_with("python") || word.starts_with("pip3.")) return "python";
  return "other";
}

void feed_command_line(CommandStatistics& statistics, std::span<const char> bytes, WallTime now,
                       const std::function<void(const EnteredCommand&)>& on_command,
                       bool record_text) {
  if (!record_text) statistics.line.clear();
  Line line(statistics, record_text);
  for (const char byte : bytes) {
    if (line.skip(byte)) continue;
    if (byte != '\r' && byte != '\n') {
      line.add(byte);
      continue;
    }
    std::string text = line.take_text();
    const bool hidden = std::exchange(statistics.hidden, false);
    if (line.word().empty()) continue;
    EnteredCommand command{command_category(line.word()), statistics.total,
                           hidden ? std::string{} : std::move(text)};
    line.clear();
    count(statistics, command, now);
    if (on_command) on_command(command);
  }
  line.keep_sequence();
}

void hide_command_line(CommandStatistics& statistics) {
  statistics.hidden = true;
  statistics.line.clear();
}

std::optional<CommandEnd> end_command(CommandStatistics& statistics, WallTime now, int exit_code) {
  if (!statistics.running) return std::nullopt;
  CommandEnd end{.command = *std::exchange(statistics.running, std::nullopt),
                 .failed = exit_code != 0};
  end.duration = std::max(now - end.command.at, Millis{1});
  ++statistics.reported;
  if (end.failed) ++statistics.failed;
  return end;
}

}  // namespace term
