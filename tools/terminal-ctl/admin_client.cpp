#include "admin_client.h"

#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "exchange.h"
#include "server/config.h"
#include "server/json_read.h"
#include "session/shell.h"

namespace term::ctl {

namespace {

namespace net = boost::asio;
namespace http = boost::beast::http;
using Json = nlohmann::json;
using Response = http::response<http::string_body>;

constexpr std::uint64_t kMaxAnswer = 256ULL * 1024 * 1024;

/// The configuration of a service started here; nothing if it would refuse it.
std::optional<server::Config> configuration(const std::filesystem::path& state_dir) {
  std::map<std::string, std::string> flags;
  if (!state_dir.empty()) flags["TERMINAL_STATE_DIR"] = state_dir.string();
  auto config = server::load_config(flags, process_environment(), ".env");
  return config ? std::optional(std::move(*config)) : std::nullopt;
}

/// A pid is used again after a crash, so the name decides.
bool is_service(pid_t pid) {
  const std::string proc = "/proc/" + std::to_string(pid);
  std::ifstream comm(proc + "/comm");
  std::string name;
  std::getline(comm, name);
  std::ifstream stat(proc + "/stat");
  std::string line;
  std::getline(stat, line);
  const auto after = line.rfind(") ");
  return name.starts_with("terminal-servic") && after != std::string::npos &&
         line[after + 2] != 'Z';
}

struct Exchange {
  std::string host;
  std::uint16_t port = 0;
  http::request<http::string_body> request;
  Millis at_most{0};
  std::optional<Response> response;
  std::string failure;  ///< Words; empty = there is a response.
  bool connected = false;
};

/// `exchange` outlives it: the caller runs the loop until the end.
net::awaitable<void> carry_out(Exchange& exchange) {
  boost::beast::tcp_stream stream(co_await net::this_coro::executor);
  exchange.failure = co_await connect(stream, exchange.host, exchange.port,
                                      std::min(exchange.at_most, Millis(5000)));
  if (!exchange.failure.empty()) co_return;
  exchange.connected = true;
  stream.expires_after(exchange.at_most);
  auto [unsent, sent] = co_await http::async_write(stream, exchange.request, kAnswer);
  boost::beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(kMaxAnswer);
  auto [unread, got] = co_await http::async_read(stream, buffer, parser, kAnswer);
  if (unread)
    exchange.failure = (unsent ? unsent : unread).message();
  else
    exchange.response = parser.release();
}

}  // namespace

net::awaitable<std::string> connect(boost::beast::tcp_stream& stream, std::string host,
                                    std::uint16_t port, Millis at_most) {
  boost::system::error_code bad_address;
  const auto address = net::ip::make_address(host, bad_address);
  net::ip::tcp::resolver resolver(stream.get_executor());
  net::ip::tcp::resolver::results_type places;
  if (bad_address) {
    auto [ec, found] = co_await resolver.async_resolve(host, std::to_string(port), kAnswer);
    if (ec) co_return ec.message();
    places = found;
  } else {
    places = net::ip::tcp::resolver::results_type::create(net::ip::tcp::endpoint(address, port),
                                                          host, "");
  }
  stream.expires_after(at_most);
  auto [refused, endpoint] = co_await stream.async_connect(places, kAnswer);
  co_return refused ? refused.message() : std::string{};
}

std::filesystem::path state_dir(const Context& context) {
  if (!context.state_dir.empty()) return std::filesystem::absolute(context.state_dir);
  if (const auto config = configuration({})) return config->state_dir;
  // Its configuration is refused now, which must not hide a service that runs.
  const auto environment = process_environment();
  const auto set = environment.find("TERMINAL_STATE_DIR");
  if (set != environment.end() && !set->second.empty()) return set->second;
  return server::default_state_dir(environment, ::geteuid() == 0);
}

std::optional<ServiceInfo> look_up(const std::filesystem::path& state_dir) {
  std::ifstream file(state_dir / "service.json");
  std::stringstream text;
  text << file.rdbuf();
  const auto json = server::parse_object(text.str(), 64 * 1024);
  if (!json) return std::nullopt;
  const auto pid = server::read_integer(*json, "pid", 1, 1 << 30);
  const auto port = server::read_integer(*json, "http_port", 1, 65535);
  if (!pid || !port || !is_service(static_cast<pid_t>(*pid))) return std::nullopt;
  ServiceInfo info;
  info.state_dir = state_dir;
  info.pid = static_cast<pid_t>(*pid);
  info.http_port = static_cast<std::uint16_t>(*port);
  info.ws_port =
      static_cast<std::uint16_t>(server::read_integer(*json, "ws_port", 1, 65535).value_or(0));
  info.version = server::read_string(*json, "version").value_or("?");
  info.holder_pid =
      static_cast<pid_t>(server::read_integer(*json, "holder_pid", 1, 1 << 30).value_or(0));
  info.host = server::read_string(*json, "host").value_or("");
  if (info.host.empty() || info.host == "0.0.0.0" || info.host == "::") info.host = "127.0.0.1";
  return info;
}

Result<ServiceInfo> find_service(const Context& context) {
  const auto dir = state_dir(context);
  if (auto info = look_up(dir)) return *info;
  std::error_code ec;
  const auto file = dir / "service.json";
  std::string why = "no service runs with the state in " + dir.string();
  if (std::filesystem::exists(file, ec) && ::access(file.c_str(), R_OK) != 0)
    why = "cannot read " + file.string() + "; be the service's user";
  return Error{Errc::os_error,
               why +
                   ". Start one (./dev start, systemctl start terminal-service), or name the "
                   "directory of the one you mean with --state-dir or TERMINAL_STATE_DIR"};
}

AdminClient::AdminClient(ServiceInfo service) : service_(std::move(service)) {
  if (const auto config = configuration(service_.state_dir); config && config->admin_token)
    token_ = *config->admin_token;
  else if (const char* set = std::getenv("TERMINAL_ADMIN_TOKEN"))  // NOLINT: one thread
    token_ = set;
}

Json AdminClient::Answer::json() const {
  Json parsed = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return parsed.is_object() ? parsed : Json::object();
}

std::string AdminClient::Answer::error() const {
  return text_of(json(), "error", "status " + std::to_string(status));
}

Result<AdminClient::Answer> AdminClient::get(const std::string& target, Millis at_most) {
  return ask("GET", target, "", at_most);
}

Result<AdminClient::Answer> AdminClient::post(const std::string& target, const Json& body,
                                              Millis at_most) {
  return ask("POST", target, body.dump(), at_most);
}

Result<AdminClient::Answer> AdminClient::remove(const std::string& target, Millis at_most) {
  return ask("DELETE", target, "", at_most);
}

Result<AdminClient::Answer> AdminClient::ask(const std::string& method, const std::string& target,
                                             std::string body, Millis at_most) {
  Exchange exchange{.host = service_.host, .port = service_.http_port, .at_most = at_most};
  auto& request = exchange.request;
  request.method_string(method);
  request.target(target);
  request.version(11);
  for (const auto& [name, value] : fields(method)) request.set(name, value);
  request.body() = std::move(body);
  request.prepare_payload();
  net::io_context loop(1);
  // NOLINTNEXTLINE(coroutine): named, and `exchange` outlives run().
  net::co_spawn(loop, carry_out(exchange), [&exchange](const std::exception_ptr& escaped) {
    if (escaped) exchange.failure = "out of memory";
  });
  loop.run();

  if (!exchange.response) return unanswered(exchange.failure, exchange.connected);
  Answer answer{.status = exchange.response->result_int(),
                .text = std::move(exchange.response->body())};
  if (auto judged = judge(answer, target); !judged) return judged.error();
  return answer;
}

std::string AdminClient::name() const {
  return "process " + std::to_string(service_.pid) + " at " + service_.host + ":" +
         std::to_string(service_.http_port);
}

std::vector<std::pair<std::string, std::string>> AdminClient::fields(
    const std::string& method) const {
  std::vector<std::pair<std::string, std::string>> all{
      {"Host", "localhost:" + std::to_string(service_.http_port)}, {"Connection", "close"}};
  if (!token_.empty()) all.emplace_back("Authorization", "Bearer " + token_);
  if (method != "GET") all.emplace_back("Content-Type", "application/json");
  return all;
}

Error AdminClient::unanswered(const std::string& failure, bool connected) const {
  if (!connected)
    return {Errc::os_error, "cannot reach " + name() + ": " + failure +
                                ". Is it in another container or network namespace?"};
  return {Errc::os_error, "no answer from " + name() + ": " + failure};
}

Result<void> AdminClient::judge(const Answer& answer, const std::string& target) const {
  if (answer.status == 401)
    return Error{
        Errc::not_permitted,
        token_.empty()
            ? name() + " asks for a token: put its TERMINAL_ADMIN_TOKEN into the environment"
            : name() + " refuses TERMINAL_ADMIN_TOKEN of this environment: it has another"};
  if (answer.status == 404 && answer.error().starts_with("no such route"))
    return Error{Errc::bad_argument, name() + " (version " + service_.version + ") has no " +
                                         target + ": it is older than this tool"};
  return {};
}

}  // namespace term::ctl
