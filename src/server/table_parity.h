#pragma once
// The parity check of the two tables: do both rows of a session say the same?

#include <boost/asio/awaitable.hpp>
#include <span>
#include <string>
#include <vector>

#include "adapter/mirror.h"
#include "store/writer.h"

namespace term::server {

namespace net = boost::asio;

struct TableParity {
  std::size_t compared = 0;  ///< Sessions with a row in either table.
  std::size_t differing = 0;
  std::vector<adapter::ParityDifference> differences;  ///< At most kMaxListed.
  std::string error;  ///< Why not everything could be compared; empty when it was.

  static constexpr std::size_t kMaxListed = 1000;
};

/// Reads both rows of each session. Thread: the store's.
TableParity compare_tables(store::Store& store, std::span<const SessionId> ids);

/// The same on the writer's thread, once what waits is written, a page of sessions at a time.
net::awaitable<TableParity> check_tables(store::Writer& writer, std::vector<SessionId> ids);

}  // namespace term::server
