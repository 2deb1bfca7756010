#pragma once
// All that the old process knows and the arena does not, as one document.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "server/shards.h"

namespace term::server {

/// A session in one line: what both processes must agree on before the old one lets go.
struct SessionProof {
  SessionId id;
  std::string line;  ///< pid, offsets held, each client's accepted and written input.
  bool operator==(const SessionProof&) const = default;
};
/// Of all sessions of a shard. Thread: the shard's.
std::vector<SessionProof> proofs_of(Shard& shard);
/// SHA-256 in hex over all lines, in order of the ids.
std::string sha256_of(std::vector<SessionProof> proofs);

/// A connection in the document; its descriptor travels beside it, in the same order.
struct HandedConnection {
  SessionId session;
  std::string state;  ///< See carry_state.h.
};
/// A connection without a whole request.
struct HandedRequest {
  bool operator_port = false;
  std::string received;
};

/// A plain value. Descriptors in order: user port, operator port, the state directory's lock (if
/// there is one), then those of `connections`, then those of `requests`.
struct HandoverState {
  std::string host;
  std::uint16_t ws_port = 0;
  std::uint16_t http_port = 0;
  bool locked = false;
  std::map<std::uint32_t, std::string> books;  ///< By slot.
  std::vector<ProjectRecord> projects;
  std::vector<HandedConnection> connections;
  std::vector<HandedRequest> requests;
};

/// A CBOR map (RFC 8949) with a version; a reader passes over what it does not know.
std::string to_cbor(const HandoverState& state);
/// Errors: bad_snapshot naming what is wrong.
Result<HandoverState> handover_state_from_cbor(std::string_view bytes);

}  // namespace term::server
