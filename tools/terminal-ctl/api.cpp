// terminal-ctl api: one call of the operator's port, for scripts.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "admin_client.h"

namespace term::ctl {

namespace {

using Json = nlohmann::json;

struct Call {
  std::string method;
  std::string target;
  std::string body;
  std::uint64_t seconds = 60;
};

Result<int> call(const Context& context, const Call& call) {
  const auto service = find_service(context);
  if (!service) return service.error();
  const Json body = call.body.empty() ? Json::object() : Json::parse(call.body, nullptr, false);
  if (!body.is_object())
    return Error{Errc::bad_argument, "the body is no JSON object: " + call.body.substr(0, 200)};
  AdminClient client(*service);
  const Millis at_most(static_cast<Millis::rep>(call.seconds) * 1000);
  const auto answer = call.method == "GET"    ? client.get(call.target, at_most)
                      : call.method == "POST" ? client.post(call.target, body, at_most)
                                              : client.remove(call.target, at_most);
  if (!answer) return answer.error();
  std::printf("%s\n", context.json ? answer->text.c_str() : printable(answer->text).c_str());
  return answer->status < 400 ? kDone : kFailed;
}

}  // namespace

void add_api(CLI::App& app, Context& context) {
  auto* command =
      app.add_subcommand("api", "One call of the operator's API; prints the answer's body");
  auto what = std::make_shared<Call>();
  command->add_option("METHOD", what->method, "GET, POST or DELETE")
      ->required()
      ->check(CLI::IsMember({"GET", "POST", "DELETE"}));
  command->add_option("TARGET", what->target, "Like /api/health/terminal")
      ->required()
      ->check([](const std::string& text) {
        return text.starts_with("/") ? std::string{} : "must begin with /";
      });
  command->add_option("BODY", what->body, "A JSON object, for POST");
  command->add_option("--timeout", what->seconds, "Seconds to wait for the answer")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  command->callback(
      [&context, what] { context.run = [&context, what] { return call(context, *what); }; });
}

}  // namespace term::ctl
