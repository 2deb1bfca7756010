// What @xterm/addon-attach speaks: bytes, and nothing but bytes (reference/peers.md 1.15).

#include "server/dialect.h"

namespace term::server {

namespace {

class RawDialect final : public Dialect {
 public:
  std::string_view name() const override { return "raw"; }

  std::vector<Command> decode(bool, std::string_view payload) override {
    std::vector<Command> commands;
    if (!payload.empty()) commands.emplace_back(InputCommand{.bytes = payload});
    return commands;
  }
  std::optional<Frame> dress(std::string_view) override { return std::nullopt; }
  void attached(const Attached& info, Frames& out) override {
    if (!info.replay.empty()) out.push_back({.text = false, .payload = info.replay});
  }
  void repaint(std::string_view bytes, Frames& out) override {
    if (!bytes.empty()) out.push_back({.text = false, .payload = std::string(bytes)});
  }
  void error(std::string_view, std::string_view, bool, Frames&) override {}
};

}  // namespace

std::unique_ptr<Dialect> make_raw_dialect() { return std::make_unique<RawDialect>(); }

}  // namespace term::server
