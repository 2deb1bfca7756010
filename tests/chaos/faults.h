#pragma once
// The faults, each by its name.

#include <memory>
#include <string>
#include <vector>

#include "chaos/fleet.h"
#include "chaos/options.h"
#include "chaos/schedule.h"
#include "support/service_process.h"

namespace term::chaos {

/// All that a fault may touch.
struct World {
  test::EventLoop& loop;
  test::ServiceProcess& service;
  Fleet& fleet;
  test::ClientLog& log;
  Totals& totals;
  const Options& options;
};

/// How long everything may take to be as before: every client attached again.
inline constexpr test::Millis kRecovery{20'000};

/// One kind of fault. Clients and loop go on while it lasts.
class Fault {
 public:
  virtual ~Fault() = default;
  virtual std::string name() const = 0;
  virtual unsigned weight() const { return 1; }
  /// Empty if it can be made here and now, else the reason why not.
  virtual std::string impossible(World&) const { return ""; }
  /// Makes it, and waits until it is over as far as the service goes. What was done, in words.
  virtual std::string run(World& world, const Step& step) = 0;
};

/// cut, away, stall, end, stop-program, flip (faults_clients.cpp).
std::vector<std::unique_ptr<Fault>> client_faults();
/// kill, stop-service, stop-holder, kill-holder, full-disk, clock (faults_service.cpp).
std::vector<std::unique_ptr<Fault>> service_faults();
/// restart, rush, upgrade, bad-binary (faults_handover.cpp, bad_binaries.cpp).
std::vector<std::unique_ptr<Fault>> handover_faults();

/// Runs a blocking call on a thread of its own while the loop goes on.
test::HttpAnswer post_meanwhile(World& world, const std::string& target, const std::string& body,
                                test::Millis at_most);
/// Adds to the failures of the run.
void fail(World& world, const std::string& text);
/// Waits until a service serves (the fault before may have left it starting); a failure otherwise.
bool wait_serving(World& world, const std::string& after);
/// Waits until every client is attached; a failure otherwise.
bool wait_attached(World& world, const std::string& after);
/// Does this service know the route by which it hands over?
bool can_hand_over(World& world);
/// Asks for one and goes on serving the clients; the service's answer.
test::HttpAnswer ask_for_hand_over(World& world, const std::string& binary);
/// A hand-over to `binary` (empty: the service's own), with all that must hold; what was done. In a
/// `rush` connections are cut by the harness meanwhile.
std::string hand_over(World& world, const std::string& binary, bool rush = false);

}  // namespace term::chaos
