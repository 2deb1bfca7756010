#pragma once
// All that one process tells the next about a WebSocket connection, and its one codec.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/dialect.h"

namespace term::server {

/// A connection between two of its turns. A plain value: owns no descriptor.
///
/// JSON: camelCase names, `version` 1; what may be any bytes is base64. A reader ignores what it
/// does not know and takes the defaults for what is missing, so that one version older or newer
/// can go on. Of the upgrade's header fields only those that the handshake reads are there, and the
/// token only until it has been checked.
struct CarriedState {
  enum class Stage : std::uint8_t {
    upgrade,  ///< The 101 has not been sent.
    waiting,  ///< Upgraded, not attached.
    attached,
  };
  Stage stage = Stage::upgrade;
  std::vector<std::pair<std::string, std::string>> headers;  ///< Of the upgrade request.
  std::string extensions;  ///< Sec-WebSocket-Extensions as we answered it; empty = none.

  std::string dialect;
  std::string dialect_state;  ///< Dialect::state().
  SessionId session;
  ProjectId project;
  std::string path;
  std::optional<WindowSize> size;
  bool create = true;
  std::string token;
  std::optional<Millis> attach_within;  ///< While waiting.

  std::string received;  ///< Raw bytes that are not handled yet.
  std::string unsent;    ///< Raw bytes that the kernel has not taken; may begin within a frame.
  Dialect::Frames frames;

  ViewerState viewer;
  ViewerNews news;
  std::string input_rest;  ///< Of the last message: the queue had no room for it.
  Offset input_next = 0;
  Offset input_told = 0;
  bool suspended_told = false;
  bool ping_due = false;
  std::uint64_t quiet_checks = 0;
};

/// A CBOR map (RFC 8949) with a version: what is unsent may be long, and must not be escaped.
std::string to_cbor(const CarriedState& state);
/// Errors: bad_snapshot (names the field and what was expected).
Result<CarriedState> carried_state_from_cbor(std::string_view bytes);

}  // namespace term::server
