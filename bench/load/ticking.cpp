#include "load/ticking.h"

#include <algorithm>
#include <charconv>

namespace term::bench {

namespace {

constexpr std::size_t kLineBytes = 30;  // "0000000000 000000000000000000\n"
constexpr std::size_t kAtOnce = 32;

std::uint64_t now_ns() {
  // steady_clock is CLOCK_MONOTONIC, as bench-source reads it.
  return static_cast<std::uint64_t>(
      std::chrono::nanoseconds(Clock::now().time_since_epoch()).count());
}

/// A few thousand lines a second in all: more, and it would be a measurement of those.
unsigned tick_ms(const Options& options) {
  return options.tick_ms.value_or(std::max(50U, options.sessions_or(100) / 4));
}

std::uint64_t number_in(std::string_view text) {
  std::uint64_t value = UINT64_MAX;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

void TickReader::feed(std::string_view bytes) {
  received_ += bytes.size();
  partial_ += bytes;
  if (!started_) {
    const auto at = partial_.find(kStart);
    if (at == std::string::npos) return;
    started_ = true;
    partial_.erase(0, at + kStart.size());
  }
  std::size_t at = 0;
  for (; partial_.size() - at >= kLineBytes; at += kLineBytes)
    line(std::string_view(partial_).substr(at, kLineBytes));
  partial_.erase(0, at);
}

void TickReader::line(std::string_view text) {
  const std::uint64_t number = number_in(text.substr(0, 10));
  const std::uint64_t printed_ns = number_in(text.substr(11, 18));
  if (wrong_) return;
  if (number != lines_ || text.back() != '\n') {
    wrong_ = "expected line " + std::to_string(lines_) + ", got \"" +
             std::string(text.substr(0, kLineBytes - 1)) + "\"";
    return;
  }
  ++lines_;
  if (printed_ns < window_from_ns_ || printed_ns > window_to_ns_) return;
  const double us = static_cast<double>(now_ns() - printed_ns) / 1000;
  window_.worst_us = std::max(window_.worst_us, us);
  ++window_.lines;
}

void TickReader::open_window() {
  window_ = {};
  window_from_ns_ = now_ns();
  window_to_ns_ = UINT64_MAX;
}

void TickReader::close_window() { window_to_ns_ = now_ns(); }

TickingFleet::TickingFleet(const Options& options) : options_(options) {
  const std::string command = source_command("tick --ms=" + std::to_string(tick_ms(options)));
  for (unsigned i = 0; i < options.sessions_or(100); ++i) {
    terminals_.push_back(
        std::make_unique<Terminal>(loop_, options, session_name(options, i), command));
    readers_.push_back(std::make_unique<TickReader>());
    TickReader& reader = *readers_.back();
    terminals_.back()->on_output([&reader](std::string_view bytes) { reader.feed(bytes); });
    terminals_.back()->connect();
    if (terminals_.size() % kAtOnce == 0) wait_started();
  }
  wait_started();
  for (const auto& one : terminals_) {
    first_offset_.push_back(one->first_offset());
    one->type("go\n");
  }
  wait_lines(1);
}

void TickingFleet::wait_started() {
  wait_for(loop_, terminals_, "starting session " + std::to_string(terminals_.size()),
           Millis(1000 * options_.patience_s), [&] {
             return std::all_of(readers_.begin(), readers_.end(),
                                [](const auto& one) { return one->started(); });
           });
}

std::uint64_t TickingFleet::offset(std::size_t number) const {
  return first_offset_[number] + readers_[number]->received();
}

void TickingFleet::open_window() {
  for (const auto& one : readers_) one->open_window();
}

void TickingFleet::close_window() {
  for (const auto& one : readers_) one->close_window();
}

void TickingFleet::wait_lines(std::uint64_t lines) {
  std::vector<std::uint64_t> until;
  for (const auto& one : readers_) until.push_back(one->lines() + lines);
  std::size_t first = 0;
  wait_for(loop_, terminals_, "lines of all sessions", Millis(1000 * options_.patience_s), [&] {
    while (first < readers_.size() &&
           (readers_[first]->lines() >= until[first] || readers_[first]->wrong()))
      ++first;
    return first == readers_.size();
  });
}

std::vector<double> TickingFleet::worst_us() const {
  std::vector<double> out;
  for (const auto& one : readers_)
    if (one->window().lines > 0) out.push_back(one->window().worst_us);
  return out;
}

std::optional<std::string> TickingFleet::wrong() const {
  for (std::size_t i = 0; i < readers_.size(); ++i) {
    if (readers_[i]->wrong()) return terminals_[i]->session() + ": " + *readers_[i]->wrong();
    if (terminals_[i]->failure())
      return terminals_[i]->session() + ": " + *terminals_[i]->failure();
  }
  return std::nullopt;
}

}  // namespace term::bench
