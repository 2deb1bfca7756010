// terminal-ctl recover-connections: which sessions of a document answer on their WebSocket.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "admin_client.h"
#include "exchange.h"
#include "server/config.h"
#include "session/ids.h"
#include "session/shell.h"
#include "store/document_cutter.h"

namespace term::ctl {

namespace {

namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using Json = nlohmann::json;

constexpr Millis kAnswerTime{10'000};

/// The session ids of a document's connections; of its sessions where it has none.
class Ids final : public store::DocumentCutter::Sink {
 public:
  Result<void> key(const std::string&) override { return {}; }
  Result<void> value(const std::string&, std::string_view) override { return {}; }
  Result<void> element(const std::string& key, std::string_view text) override {
    const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    const char* name = key == "connections" ? "sessionId" : "id";
    const std::string id = text_of(json, name, "");
    if (key == "projects") return {};
    if (!valid_session_id(id))
      return Error{Errc::bad_snapshot, "an element of " + key + " has no usable " + name};
    (key == "connections" ? connected_ : sessions_).insert(id);
    return {};
  }
  void outside(std::string_view) override {}
  const std::set<SessionId>& wanted() const { return connected_.empty() ? sessions_ : connected_; }

 private:
  std::set<SessionId> connected_;
  std::set<SessionId> sessions_;
};

Result<std::set<SessionId>> ids_from_stdin() {
  Ids ids;
  store::DocumentCutter cutter(ids);
  std::string bytes(256 * 1024, '\0');
  for (;;) {
    const auto n = ::read(STDIN_FILENO, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error{Errc::os_error, "cannot read stdin"};
    if (n == 0) break;
    if (auto fed = cutter.feed({bytes.data(), static_cast<std::size_t>(n)}); !fed)
      return fed.error();
  }
  if (auto whole = cutter.finish(); !whole) return whole.error();
  return ids.wanted();
}

struct Attempt {
  ServiceInfo service;
  SessionId id;
  std::string token;
  std::string tier;     ///< What it answered; empty when it did not.
  std::string failure;  ///< Why not.
};

/// As a viewer that only watches, so that nobody's window changes. `attempt` outlives it.
net::awaitable<void> attach(Attempt& attempt) {
  websocket::stream<beast::tcp_stream> ws(co_await net::this_coro::executor);
  attempt.failure = co_await connect(beast::get_lowest_layer(ws), attempt.service.host,
                                     attempt.service.ws_port, kAnswerTime);
  if (!attempt.failure.empty()) co_return;
  const std::string host = "localhost:" + std::to_string(attempt.service.ws_port);
  const std::string target = "/terminal/" + attempt.id + "?create=false";
  ws.set_option(websocket::stream_base::decorator([](websocket::request_type& request) {
    request.set(beast::http::field::sec_websocket_protocol, "terminal.v1");
  }));
  auto [refused] = co_await ws.async_handshake(host, target, kAnswer);
  if (refused) {
    attempt.failure = "refused: " + refused.message();
    co_return;
  }
  Json hello{{"type", "attach"}, {"client", "recover-" + std::to_string(::getpid())},
             {"input", 0},       {"cols", 80},
             {"rows", 24},       {"role", "viewer"}};
  if (!attempt.token.empty()) hello["token"] = attempt.token;
  const std::string text = hello.dump();
  ws.text(true);
  auto [unsent, sent] = co_await ws.async_write(net::buffer(text), kAnswer);
  beast::flat_buffer buffer;
  boost::system::error_code ec = unsent;
  while (!ec && attempt.tier.empty()) {
    buffer.clear();
    auto [failed, n] = co_await ws.async_read(buffer, kAnswer);
    ec = failed;
    if (ec || !ws.got_text()) continue;
    const auto data = buffer.cdata();
    const Json json = Json::parse(static_cast<const char*>(data.data()),
                                  static_cast<const char*>(data.data()) + data.size(), nullptr,
                                  /*allow_exceptions=*/false);
    if (text_of(json, "type") == "attached") attempt.tier = text_of(json, "tier");
  }
  if (attempt.tier.empty()) {
    const auto why = ws.reason();
    attempt.failure = why.code == websocket::close_code::none
                          ? ec.message()
                          : "closed with " + std::to_string(why.code) + " " + why.reason.c_str();
    co_return;
  }
  (void)co_await ws.async_close(websocket::close_code::normal, kAnswer);
}

Result<int> recover(const Context& context) {
  const auto service = find_service(context);
  if (!service) return service.error();
  const auto ids = ids_from_stdin();
  if (!ids) return ids.error();
  std::map<std::string, std::string> flags{{"TERMINAL_STATE_DIR", service->state_dir.string()}};
  const auto config = server::load_config(flags, process_environment(), ".env");
  Json report = Json::array();
  std::size_t answered = 0;
  for (const auto& id : *ids) {
    Attempt attempt{.service = *service, .id = id};
    if (config && config->token) attempt.token = *config->token;
    net::io_context loop(1);
    // NOLINTNEXTLINE(coroutine): named, and `attempt` outlives run().
    net::co_spawn(loop, attach(attempt), [&attempt](const std::exception_ptr& escaped) {
      if (escaped) attempt.failure = "out of memory";
    });
    loop.run();
    const bool ok = !attempt.tier.empty();
    answered += ok ? 1 : 0;
    report.push_back({{"id", id},
                      {"answers", ok},
                      {ok ? "tier" : "error", ok ? attempt.tier : attempt.failure}});
    if (!context.json)
      std::printf("%s %s: %s\n", ok ? "answers" : "failed ", id.c_str(),
                  printable(ok ? attempt.tier : attempt.failure).c_str());
  }
  if (context.json) print({{"success", answered == ids->size()}, {"sessions", report}});
  if (answered == ids->size()) return kDone;
  return answered > 0 ? kPartlyDone : kFailed;
}

}  // namespace

void add_recover_connections(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("recover-connections",
                                     "Attach to each session of a document (stdin): which answer?");
  command->description(
      "Reads an export document from stdin and attaches as a mere viewer to the session of each "
      "of\n"
      "its connections, or to all its sessions if it has none. One that is stored and not live "
      "gets\n"
      "its new shell by that. Exit status 3: some do not answer, 1: none does.");
  command->callback([&context] { context.run = [&context] { return recover(context); }; });
}

}  // namespace term::ctl
