#pragma once
// The store itself, without a service.

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "admin_client.h"
#include "store/store.h"

namespace term::ctl {

/// The store of the configuration that a service started here would have. Errors: bad_argument (no
/// usable configuration), store_unavailable.
Result<std::unique_ptr<store::Store>> open_offline(const Context& context, bool migrate);
/// What an earlier service could not write before it ended: newer than what is stored, so it goes
/// in first. Of a service that runs it is the business. Errors: store_unavailable.
Result<void> write_left(const Context& context, store::Store& store);
/// For what must not happen behind a service's back. Errors: busy, naming the service.
Result<void> check_no_service(const Context& context, const std::string& what);

struct OfflineFilter {
  std::string project;  ///< Empty: all.
  std::string session;
  std::string reason;
};
/// The document of what is stored. Errors: store_unavailable, no_such_session; os_error when `take`
/// wants no more.
Result<void> offline_export(const Context& context, const OfflineFilter& filter,
                            const AdminClient::Take& take);
/// As the service would; its report. `engine`: empty = as the configuration says. Errors: busy,
/// bad_snapshot, os_error, store_unavailable: nothing was changed then.
Result<nlohmann::json> offline_restore(const Context& context, const std::string& engine,
                                       const AdminClient::Give& give);

}  // namespace term::ctl
