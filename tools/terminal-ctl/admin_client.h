#pragma once
// Finding a service, and asking its operator's port.

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "command.h"

namespace term::ctl {

/// What service.json says. A plain value.
struct ServiceInfo {
  std::filesystem::path state_dir;
  pid_t pid = 0;
  std::string host;  ///< Where to connect to: never a wildcard address.
  std::uint16_t ws_port = 0;
  std::uint16_t http_port = 0;
  std::string version;
  pid_t holder_pid = 0;  ///< 0: shells end with the service.
};

/// The state directory that a service started here would use: the option, else what the service's
/// own configuration says (environment, `.env`, default).
std::filesystem::path state_dir(const Context& context);
/// The service that runs with that state directory. Errors: os_error (none does; says what to do).
Result<ServiceInfo> find_service(const Context& context);
/// The same without a word, for waiting: nothing if there is none now.
std::optional<ServiceInfo> look_up(const std::filesystem::path& state_dir);

/// Blocking, one request at a time. The token is TERMINAL_ADMIN_TOKEN of the environment or `.env`.
class AdminClient {
 public:
  explicit AdminClient(ServiceInfo service);

  /// The answer's JSON, whatever its status says, if the service could judge the request at all.
  struct Answer {
    unsigned status = 0;
    std::string text;
    nlohmann::json json() const;  ///< An empty object if it is none.
    std::string error() const;    ///< What went wrong, in the service's words.
  };
  /// Errors: os_error (not reachable, no answer in time, the connection ended), not_permitted (the
  /// token), bad_argument (this service has no such route).
  Result<Answer> get(const std::string& target, Millis at_most = Millis(10'000));
  Result<Answer> post(const std::string& target, const nlohmann::json& body,
                      Millis at_most = Millis(60'000));
  Result<Answer> remove(const std::string& target, Millis at_most = Millis(10'000));

  /// Takes an answer's bytes as they come; false = it wants no more.
  using Take = std::function<bool(std::string_view)>;
  /// GET of any size. With status 200 its body went to `take`, else it is in the answer.
  /// Errors: those of get(); os_error when it broke off.
  Result<Answer> download(const std::string& target, const Take& take);
  /// Gives a request's next bytes; none at its end.
  using Give = std::function<Result<std::string>()>;
  /// POST of any size. An answer that comes before the end ends it. Errors: those of post(), and
  /// of `give`: then nothing was changed, since the service never saw the end.
  Result<Answer> upload(const std::string& target, const Give& give, Millis at_most);

 private:
  Result<Answer> ask(const std::string& method, const std::string& target, std::string body,
                     Millis at_most);
  std::string name() const;  ///< For error messages.
  std::vector<std::pair<std::string, std::string>> fields(const std::string& method) const;
  Error unanswered(const std::string& failure, bool connected) const;
  Result<void> judge(const Answer& answer, const std::string& target) const;

  ServiceInfo service_;
  std::string token_;
};

}  // namespace term::ctl
