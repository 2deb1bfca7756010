// What the service leaves in its store: the audit of calls, and all it has when it stops.

#include "server/service.h"

namespace term::server {

void Service::audit_calls() {
  if (!persistence_) return;
  operator_.on_call([this](const HttpServer::Call& call) {
    persistence_->audit("operator", call.peer, call.method + " " + call.path,
                        audit_detail(call.path, call.body), std::to_string(call.status));
  });
}

void Service::store_all() {
  if (!persistence_) return;
  const auto store = [](Shard& shard) {
    shard.sessions->store_all();
    // Shells that end with us were not closed by anybody: their rows stay, to be restored.
    shard.sessions->stop_storing();
    return std::size_t{0};
  };
  (void)wait_until_none(store);
}

}  // namespace term::server
