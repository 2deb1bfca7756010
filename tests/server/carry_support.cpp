#include "carry_support.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <boost/asio/post.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <thread>

#include "server/frame_scan.h"
#include "support/any_client.h"

namespace term::test {

using Json = nlohmann::json;

namespace {

/// The shell of all sessions here: what its directory says.
const std::string& shell() {
  static const TempFile file("#!/bin/sh\nstty raw -echo\n: > ready\nexec /bin/sh ./run\n");
  static const bool done = ::chmod(file.path().c_str(), 0700) == 0;
  EXPECT_TRUE(done);
  return file.path();
}

server::Connection* only(server::Shard& shard) {
  return shard.connections.size() == 1 ? *shard.connections.begin() : nullptr;
}

}  // namespace

CarryServer::CarryServer(const std::string& script,
                         const std::function<void(server::Config&)>& adjust)
    : directory_(testing::TempDir() + "carry-XXXXXX") {
  if (::mkdtemp(directory_.data()) == nullptr) throw std::runtime_error("mkdtemp");
  std::ofstream(directory_ + "/run") << script << "\n";
  const char* before = std::getenv("SHELL");  // NOLINT: one thread
  const std::string old = before != nullptr ? before : "/bin/sh";
  ::setenv("SHELL", shell().c_str(), 1);  // NOLINT: no thread reads it now
  server_ = std::make_unique<TestServer>([&](server::Config& config) {
    config.ring_bytes = 16 * 1024 * 1024;
    if (adjust) adjust(config);
  });
  ::setenv("SHELL", old.c_str(), 1);  // NOLINT
}

CarryServer::~CarryServer() {
  server_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void CarryServer::create(const SessionId& id) {
  const auto reply =
      server_->post("/api/terminal/create",
                    Json{{"projectId", "p"}, {"sessionId", id}, {"projectPath", directory_}});
  EXPECT_EQ(reply.status, 200U) << reply.body;
  EXPECT_TRUE(file_has("ready", 0)) << "its tty would echo until then";
}

void CarryServer::go() { std::ofstream(directory_ + "/go") << "go"; }

bool CarryServer::printed(const SessionId& id, Offset bytes) {
  auto& home = shard(id);
  return until([&] {
    return on_shard(home, [&] { return home.sessions->find(id)->ring().next() >= bytes; });
  });
}

std::string CarryServer::output(const SessionId& id) {
  auto& home = shard(id);
  return on_shard(home, [&] {
    const OutputRing& ring = home.sessions->find(id)->ring();
    return ring.copy(ring.first(), ring.size());
  });
}

std::string CarryServer::file(const std::string& name) const {
  std::ifstream in(directory_ + "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

bool CarryServer::file_has(const std::string& name, std::size_t bytes) const {
  const std::string path = directory_ + "/" + name;
  return until([&] {
    std::error_code ec;
    const auto size = std::filesystem::file_size(path, ec);
    return !ec && size >= bytes;
  });
}

InputOffsets CarryServer::input(const SessionId& id, const std::string& client) {
  auto& home = shard(id);
  return on_shard(home,
                  [&] { return home.sessions->find(id)->streams().input_offsets(id, client); });
}

std::optional<Parcel> freeze(CarryServer& from, const SessionId& id) {
  auto& shard = from.shard(id);
  Parcel parcel;
  parcel.from = on_shard(shard, [&] {
    auto* connection = only(shard);
    if (connection != nullptr) connection->freeze();
    return connection;
  });
  if (parcel.from == nullptr) return std::nullopt;
  const bool quiet = until([&] {
    ++parcel.turns;
    return on_shard(shard, [&] { return only(shard) == nullptr || parcel.from->quiet(); });
  });
  EXPECT_TRUE(quiet);
  const bool carried = on_shard(shard, [&] {
    if (only(shard) == nullptr) return false;
    const auto all = parcel.from->carry();
    if (!all) return false;
    parcel.fd.reset(::fcntl(all->fd, F_DUPFD_CLOEXEC, 0));  // NOLINT
    parcel.session = all->session;
    parcel.state = all->state;
    return true;
  });
  if (!carried) return std::nullopt;
  return parcel;
}

void thaw(CarryServer& from, const SessionId& id) {
  auto& shard = from.shard(id);
  on_shard(shard, [&] {
    if (auto* connection = only(shard)) connection->thaw();
    return true;
  });
}

void forget(CarryServer& from, const SessionId& id) {
  auto& shard = from.shard(id);
  on_shard(shard, [&] {
    if (auto* connection = only(shard)) connection->forget();
    return true;
  });
  EXPECT_TRUE(until([&] { return on_shard(shard, [&] { return shard.connections.empty(); }); }));
}

Result<void> adopt(CarryServer& to, Parcel parcel) {
  auto& shard = to.shard(parcel.session);
  auto& operations = to.server().service().operations();
  return on_shard(shard, [&] {
    return server::adopt_websocket(shard, operations, std::move(parcel.fd), parcel.state);
  });
}

testing::AssertionResult hand_over(CarryServer& from, CarryServer& to, const SessionId& id) {
  auto parcel = freeze(from, id);
  if (!parcel) return testing::AssertionFailure() << "it is ending";
  if (auto adopted = adopt(to, std::move(*parcel)); !adopted) {
    thaw(from, id);
    return testing::AssertionFailure() << adopted.error().detail;
  }
  forget(from, id);
  thaw(to, id);
  return testing::AssertionSuccess();
}

RawPeer::RawPeer(unsigned short port, const std::string& target, const std::string& more_headers)
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const int small = 4096;
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  if (target.empty()) return;
  send("GET " + target +
       " HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
       "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
       "Sec-WebSocket-Protocol: terminal.v1\r\n" +
       more_headers + "\r\n");
  while (bytes_.find("\r\n\r\n") == std::string::npos && more()) {
  }
  const auto end = bytes_.find("\r\n\r\n") + 4;
  response_ = bytes_.substr(0, end);
  bytes_.erase(0, end);
}

void RawPeer::send(const std::string& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const auto n = ::send(fd_.get(), bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    if (n <= 0) return;
    done += static_cast<std::size_t>(n);
  }
}

std::string RawPeer::frame(unsigned opcode, bool fin, const std::string& payload) {
  std::string out;
  out += static_cast<char>((fin ? 0x80U : 0U) | opcode);
  if (payload.size() < 126) {
    out += static_cast<char>(0x80U | payload.size());
  } else {
    const bool middle = payload.size() < 65536;
    out += static_cast<char>(middle ? 0xfeU : 0xffU);
    for (unsigned shift = middle ? 16 : 64; shift > 0; shift -= 8)
      out += static_cast<char>(payload.size() >> (shift - 8) & 0xffU);
  }
  const std::string key = "\x5a\x01\xf0\x33";
  out += key;
  for (std::size_t i = 0; i < payload.size(); ++i)
    out += static_cast<char>(payload[i] ^ key[i % 4]);
  return out;
}

bool RawPeer::more() {
  pollfd ready{fd_.get(), POLLIN, 0};
  if (::poll(&ready, 1, 10'000) <= 0) return false;
  std::array<char, 65536> part{};
  const auto n = ::recv(fd_.get(), part.data(), part.size(), 0);
  if (n <= 0) return false;
  bytes_.append(part.data(), static_cast<std::size_t>(n));
  return true;
}

std::optional<RawPeer::Frame> RawPeer::receive() {
  for (;;) {
    if (const auto size = server::complete_frame(bytes_)) {
      const auto head = server::read_frame_head(bytes_);
      Frame frame{head->opcode, head->fin,
                  bytes_.substr(head->head_bytes, *size - head->head_bytes)};
      bytes_.erase(0, *size);
      return frame;
    }
    if (!more()) return std::nullopt;
  }
}

bool RawPeer::reads(const std::string& part) {
  auto at = bytes_.find(part);
  while (at == std::string::npos && more()) at = bytes_.find(part);
  if (at == std::string::npos) return false;
  bytes_.erase(0, at + part.size());
  return true;
}

bool RawPeer::receives(unsigned opcode, const std::string& part, std::vector<Frame>* before) {
  while (auto frame = receive()) {
    if (frame->opcode == opcode && frame->payload.find(part) != std::string::npos) return true;
    if (before != nullptr) before->push_back(std::move(*frame));
  }
  return false;
}

std::string attach_frame(const std::string& client) {
  return RawPeer::frame(
      1, true,
      Json{{"type", "attach"}, {"client", client}, {"input", 0}, {"cols", 80}, {"rows", 24}}
          .dump());
}

}  // namespace term::test
