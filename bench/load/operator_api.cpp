#include "load/operator_api.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>

namespace term::bench {

namespace {

/// One exchange on a connection of its own, which the server ends.
std::string http_exchange(unsigned short port, const std::string& request) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0 &&
      ::send(fd, request.data(), request.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(request.size())) {
    std::array<char, 16384> piece{};
    for (ssize_t n = 0; (n = ::recv(fd, piece.data(), piece.size(), 0)) > 0;)
      answer.append(piece.data(), static_cast<std::size_t>(n));
  }
  ::close(fd);
  return answer;
}

}  // namespace

nlohmann::ordered_json call(const Options& options, const std::string& target,
                            const nlohmann::ordered_json& body) {
  const std::string text = body.is_null() ? "" : body.dump();
  const std::string token =
      options.admin_token.empty() ? "" : "Authorization: Bearer " + options.admin_token + "\r\n";
  const std::string answer = http_exchange(
      options.http->port, (body.is_null() ? "GET " : "POST ") + target +
                              " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" + token +
                              "Content-Type: application/json\r\nContent-Length: " +
                              std::to_string(text.size()) + "\r\n\r\n" + text);
  const auto blank = answer.find("\r\n\r\n");
  if (!answer.starts_with("HTTP/1.1 200") || blank == std::string::npos)
    throw Unable(target + ": " + (answer.empty() ? "no answer" : answer.substr(0, 1000)));
  auto json = nlohmann::ordered_json::parse(answer.substr(blank + 4), nullptr, false);
  if (json.is_discarded()) throw Unable(target + ": the answer is no JSON");
  return json;
}

void choose_engine(const Options& options) {
  if (options.engine.empty() || !options.http) return;
  call(options, "/api/admin/feature-flags",
       {{"project", options.project},
        {"terminal_refactor", options.engine == "refactored"},
        {"reason", "bench"}});
}

}  // namespace term::bench
