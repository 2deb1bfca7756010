#pragma once
// Sessions that print a numbered line with the time every now and then: they feel a pause, and a
// lost or repeated byte shows.

#include <cstdint>
#include <memory>
#include <vector>

#include "load/figures.h"
#include "load/terminal.h"

namespace term::bench {

/// One session's lines. Bytes may be cut anywhere, between connections too.
class TickReader {
 public:
  /// Of the lines printed while it was open.
  struct Window {
    double worst_us = 0;
    std::uint64_t lines = 0;
  };
  void feed(std::string_view bytes);
  bool started() const { return started_; }
  std::uint64_t received() const { return received_; }  ///< Bytes, of all kinds.
  std::uint64_t lines() const { return lines_; }
  const std::optional<std::string>& wrong() const { return wrong_; }
  /// Lines printed from now on count, until it is closed.
  void open_window();
  void close_window();
  const Window& window() const { return window_; }

 private:
  void line(std::string_view text);
  bool started_ = false;
  std::string partial_;
  std::uint64_t received_ = 0;
  std::uint64_t lines_ = 0;
  std::uint64_t window_from_ns_ = 0;
  std::uint64_t window_to_ns_ = UINT64_MAX;
  Window window_;
  std::optional<std::string> wrong_;
};

/// All of them, printing. Thread: the loop's.
class TickingFleet {
 public:
  /// Returns when every session prints.
  explicit TickingFleet(const Options& options);

  EventLoop& loop() { return loop_; }
  const Terminals& terminals() const { return terminals_; }
  const TickReader& reader(std::size_t number) const { return *readers_[number]; }
  std::size_t size() const { return terminals_.size(); }
  /// The next byte that session lacks (native).
  std::uint64_t offset(std::size_t number) const;
  void open_window();
  void close_window();
  /// Until each session printed `lines` more; Unable if one does not.
  void wait_lines(std::uint64_t lines);
  /// Of each session that printed in the window its worst latency.
  std::vector<double> worst_us() const;
  std::optional<std::string> wrong() const;
  void end() { end_all(loop_, terminals_); }

 private:
  void wait_started();
  const Options& options_;
  EventLoop loop_;
  Terminals terminals_;
  std::vector<std::unique_ptr<TickReader>> readers_;
  std::vector<std::uint64_t> first_offset_;
};

}  // namespace term::bench
