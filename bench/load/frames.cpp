// The client against a server that does nothing but send frames made beforehand: how fast the
// client is.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>
#include <thread>

#include "load/figures.h"
#include "load/json_text.h"
#include "load/pty_child.h"
#include "load/terminal.h"
#include "load/works.h"

namespace term::bench {

namespace {

std::string framed(bool text, const std::string& payload) {
  std::string out(1, text ? '\x81' : '\x82');
  const std::size_t bytes = payload.size() < 126 ? 0 : payload.size() < 65536 ? 2 : 8;
  out += static_cast<char>(bytes == 0 ? payload.size() : bytes == 2 ? 126 : 127);
  for (std::size_t left = bytes; left > 0; --left)
    out += static_cast<char>(payload.size() >> (8 * (left - 1)));
  return out += payload;
}

/// One message of output as the dialect dresses it.
std::string dressed(const std::string& dialect, std::string_view bytes) {
  if (dialect == "legacy" || dialect == "node")
    return framed(true, "{\"type\":\"stream\",\"data\":" + quoted(bytes) + "}");
  if (dialect == "terminado") return framed(true, "[\"stdout\"," + quoted(bytes) + "]");
  if (dialect == "wetty") return framed(true, "42[\"data\"," + quoted(bytes) + "]");
  if (dialect == "ttyd") return framed(false, "0" + std::string(bytes));
  return framed(false, std::string(bytes));
}

/// What a server says before output.
std::string greeting(const std::string& dialect) {
  if (dialect == "native")
    return framed(true, R"({"type":"attached","output":0,"replayUntil":0,"engine":{}})");
  if (dialect == "legacy" || dialect == "node") return framed(true, R"({"type":"connected"})");
  if (dialect == "terminado") return framed(true, R"(["setup",{}])");
  if (dialect == "wetty") return framed(true, "40");
  return {};
}

/// Serves one connection on a thread: greeting, start marker, frames, end marker.
class Blaster {
 public:
  Blaster(const Options& options, const Pattern& pattern, std::uint64_t periods)
      : options_(options), periods_(periods), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    std::string period(pattern.at(0, pattern.period()));
    for (std::size_t at = 0; at < period.size();) {
      std::size_t n = std::min<std::size_t>(options.frame_bytes, period.size() - at);
      // No character in two frames: text dialects would not be JSON any more.
      while (at + n < period.size() && carries_text_only(options.dialect) &&
             (static_cast<unsigned char>(period[at + n]) & 0xc0) == 0x80)
        --n;
      frames_ += dressed(options.dialect, std::string_view(period).substr(at, n));
      at += n;
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, generic, size) != 0 || ::listen(listener_, 1) != 0 ||
        ::getsockname(listener_, generic, &size) != 0)
      throw Unable("the frame blaster cannot listen");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Blaster() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  Blaster(const Blaster&) = delete;
  Blaster& operator=(const Blaster&) = delete;
  unsigned short port() const { return port_; }

 private:
  void serve() {
    const int fd = ::accept(listener_, nullptr, nullptr);
    if (fd < 0) return;
    std::array<char, 4096> request{};
    if (::recv(fd, request.data(), request.size(), 0) > 0) blast(fd);
    // Acknowledgements pile up unread; their reset must not overtake what was sent.
    ::shutdown(fd, SHUT_WR);
    while (::recv(fd, request.data(), request.size(), 0) > 0) {
    }
    ::close(fd);
  }
  void blast(int fd) {
    // Nobody here looks at the key's answer.
    bool there =
        write_all(fd,
                  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                  "Connection: Upgrade\r\n\r\n" +
                      greeting(options_.dialect) + dressed(options_.dialect, std::string(kStart)));
    for (std::uint64_t i = 0; i < periods_ && there; ++i) there = write_all(fd, frames_);
    if (there) write_all(fd, dressed(options_.dialect, std::string(kEnd)));
  }

  const Options& options_;
  const std::uint64_t periods_;
  const int listener_;
  unsigned short port_ = 0;
  std::string frames_;
  std::thread thread_;
};

}  // namespace

Json frames(const Options& given) {
  const Pattern pattern(given.content, given.seed, given.cooked);
  const std::uint64_t periods = pattern.periods(given.mib_or(1024));
  const Blaster blaster(given, pattern, periods);
  Options options = given;
  options.url = Url{.port = blaster.port(), .path = ""};

  EventLoop loop;
  Terminals terminals;
  StreamCheck check(pattern, periods * pattern.period());
  terminals.push_back(std::make_unique<Terminal>(loop, options, "frames", ""));
  terminals[0]->on_output([&](std::string_view bytes) { check.feed(bytes); });
  Stretch stretch({});
  terminals[0]->connect();
  wait_for(loop, terminals, "receiving frames", Millis(1000 * options.patience_s),
           [&] { return check.done() || check.wrong(); });
  stretch.stop();
  Json out{{"value", 0.0}, {"unit", "MB/s"}, {"exact", !check.wrong()}};
  if (check.wrong()) out["wrong"] = *check.wrong();
  out.update(stretch.rates(periods * pattern.period()));
  out["value"] = out["mb_per_s"];
  out["messages"] = terminals[0]->messages();
  out["content"] = options.content_name;
  out["frame_bytes"] = options.frame_bytes;
  terminals[0]->cut();
  return out;
}

}  // namespace term::bench
