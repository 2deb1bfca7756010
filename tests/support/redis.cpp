#include "support/redis.h"

#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <thread>

namespace term::test {

namespace {

std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("no free port");
  ::close(fd);
  return ntohs(address.sin_port);
}

}  // namespace

RedisServer::RedisServer(std::string password)
    : password_(std::move(password)), port_(free_port()) {
  std::string path = (std::filesystem::temp_directory_path() / "term-redis-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("no directory for redis");
  directory_ = path;
  start();
}

RedisServer::~RedisServer() {
  kill();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void RedisServer::start() {
  const std::string port = std::to_string(port_);
  const std::string socket = directory_ / "redis.sock";
  std::vector<std::string> words{"redis-server", "--port",    port,
                                 "--bind",       "127.0.0.1", "--unixsocket",
                                 socket,         "--dir",     directory_,
                                 "--save",       "",          "--appendonly",
                                 "no",           "--logfile", directory_ / "log"};
  if (!password_.empty()) words.insert(words.end(), {"--requirepass", password_});
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    const int null = ::open("/dev/null", O_RDWR);
    for (const int fd : {0, 1, 2}) ::dup2(null, fd);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (run({"PING"}) != "PONG") {
    if (std::chrono::steady_clock::now() > end)
      throw std::runtime_error("redis-server does not answer; is it installed?");
    std::this_thread::yield();
  }
}

void RedisServer::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void RedisServer::stop() { ::kill(pid_, SIGSTOP); }
void RedisServer::go_on() { ::kill(pid_, SIGCONT); }

std::string RedisServer::unix_url() const {
  return "unix://" + (directory_ / "redis.sock").string();
}

std::string RedisServer::tcp_url() const {
  return "redis://" + (password_.empty() ? "" : ":" + password_ + "@") +
         "127.0.0.1:" + std::to_string(port_);
}

std::optional<std::string> RedisServer::run(const std::vector<std::string>& words) const {
  const std::unique_ptr<redisContext, void (*)(redisContext*)> context(
      redisConnect("127.0.0.1", port_), redisFree);
  if (!context || context->err != 0) return std::nullopt;
  const auto ask = [&](const std::vector<std::string>& command) -> std::optional<std::string> {
    std::vector<const char*> texts;
    std::vector<std::size_t> sizes;
    for (const std::string& word : command) {
      texts.push_back(word.data());
      sizes.push_back(word.size());
    }
    auto* const reply = static_cast<redisReply*>(redisCommandArgv(
        context.get(), static_cast<int>(command.size()), texts.data(), sizes.data()));
    if (reply == nullptr) return std::nullopt;
    std::optional<std::string> text;
    if (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS)
      text.emplace(reply->str, reply->len);
    if (reply->type == REDIS_REPLY_INTEGER) text = std::to_string(reply->integer);
    freeReplyObject(reply);
    return text;
  };
  if (!password_.empty()) (void)ask({"AUTH", password_});
  return ask(words);
}

}  // namespace term::test
