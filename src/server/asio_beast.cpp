// The compiled halves of Asio and Beast, once for the whole program (deps.md 7.3).
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/beast/src.hpp>
