#include "server/service_books.h"

#include <nlohmann/json.hpp>

namespace term::server {

using Json = nlohmann::json;

std::string join_service_books(std::string_view flags, std::string_view admission) {
  Json json = Json::parse(flags, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) json = Json::object();
  json["admission"] = Json::parse(admission, nullptr, /*allow_exceptions=*/false);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string admission_share(std::string_view books) {
  const Json json = Json::parse(books, nullptr, /*allow_exceptions=*/false);
  const auto share = json.is_object() ? json.find("admission") : json.end();
  if (share == json.end() || !share->is_object()) return {};
  return share->dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace term::server
