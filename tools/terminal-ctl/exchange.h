#pragma once
// What the two sources of AdminClient share.

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <string>

#include "session/types.h"

namespace term::ctl {

namespace net = boost::asio;

/// Errors come back as values. Not `deferred`: Beast's stream of Boost 1.81 cannot say its result.
constexpr auto kAnswer = net::as_tuple(net::use_awaitable);

/// What went wrong; empty when it is connected. `stream` outlives it.
net::awaitable<std::string> connect(boost::beast::tcp_stream& stream, std::string host,
                                    std::uint16_t port, Millis at_most);

}  // namespace term::ctl
