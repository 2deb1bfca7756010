// A program that takes part in a hand-over and fails at a chosen point; which, its own name tells:
//
//   bad-older-version       reads only states that nobody writes any more
//   bad-refuses-the-state   says so when it has it
//   bad-exits-frozen, bad-crashes-frozen, bad-hangs-frozen   with everything in its hands
//   bad-wrong-proof         says it has everything, and has not
//   bad-slow                at it for 2.5 s, as it says all the time, and then refuses
//   bad-never-done          at it, as it says all the time
//
// The channel is descriptor 3: one JSON object to a packet (server/handover_channel.h). Everything
// here is written anew, so that it also checks that the exchange is as it is described.

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

constexpr int kChannel = 3;

void say(const std::string& message) { ::send(kChannel, message.data(), message.size(), 0); }

/// The next packet; what comes beside it is closed with this process.
std::string hear() {
  std::array<char, 256 * 1024> text{};
  iovec part{text.data(), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(253 * sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  const ssize_t n = ::recvmsg(kChannel, &header, 0);
  if (n <= 0) std::_Exit(1);
  return {text.data(), static_cast<std::size_t>(n)};
}

void hear_until(const std::string& type) {
  while (hear().find("\"" + type + "\"") == std::string::npos) {
  }
}

}  // namespace

int main(int, char** argv) {
  const std::string path = argv[0];
  const std::string how = path.substr(path.rfind("bad-") + 4);
  hear_until("begin");
  const std::string states = how == "older-version" ? "0" : "1";
  say(R"({"type":"ready","version":"bad","oldest_state":)" + states + R"(,"newest_state":)" +
      states + "}");
  hear_until("state");
  if (how == "refuses-the-state") say(R"({"type":"failed","error":"I cannot read this"})");
  if (how == "exits-frozen") return 1;
  if (how == "crashes-frozen") std::raise(SIGSEGV);
  if (how == "wrong-proof") say(R"({"type":"adopted","sha256":"00","sessions":0,"connections":0})");
  for (int i = 0; how == "never-done" || (how == "slow" && i < 25); ++i) {
    say(R"({"type":"adopting"})");
    ::usleep(100'000);
  }
  if (how == "slow") say(R"({"type":"failed","error":"slow, and then refused"})");
  for (;;) ::pause();
}
