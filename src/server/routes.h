#pragma once
// Which routes there are (PROTOCOLS.md 3 and 4); one function per group, one file each.

#include "server/http.h"

namespace term::server {

class Service;

void add_terminal_routes(Router& router, Service& service);  ///< /api/terminal/*
void add_raw_routes(Router& router, Service& service);       ///< /terminals, for addon-attach pages
void add_flag_routes(Router& router, Service& service);      ///< /api/admin/feature-flags, flips
void add_health_routes(Router& router, Service& service);    ///< /api/health/*
/// /api/terminal/health.
void add_user_health_routes(Router& router, Service& service);
void add_session_routes(Router& router, Service& service);    ///< /api/admin/sessions
void add_metrics_routes(Router& router, Service& service);    ///< /api/metrics/*, /metrics
void add_admission_routes(Router& router, Service& service);  ///< maintenance, traffic
void add_audit_routes(Router& router, Service& service);      ///< /api/admin/audit
void add_event_routes(Router& router, Service& service);      ///< /api/events
void add_restart_routes(Router& router, Service& service);    ///< /api/admin/restart
void add_state_routes(Router& router, Service& service);      ///< /api/admin/state
void add_analytics_routes(Router& router, Service& service);  ///< /api/terminal/logs, /patterns
void add_routing_routes(Router& router, Service& service);    ///< /api/admin/routing
void add_parity_routes(Router& router, Service& service);     ///< /api/admin/parity

}  // namespace term::server
