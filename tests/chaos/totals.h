#pragma once
// What a run has added up to.

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "support/resuming_client.h"

namespace term::chaos {

/// Sums over all sessions and clients of a run.
struct Totals {
  std::uint64_t sessions = 0;
  std::uint64_t sessions_lost = 0;  ///< The program ended unasked, or was started a second time.
  std::uint64_t out_checked = 0;
  std::uint64_t out_lost = 0;
  std::uint64_t out_repeated = 0;
  std::uint64_t out_wrong = 0;
  std::uint64_t in_checked = 0;
  std::uint64_t in_lost = 0;
  std::uint64_t in_repeated = 0;
  std::uint64_t in_wrong = 0;
  std::uint64_t exits_right = 0;
  std::uint64_t exits_wrong = 0;
  std::uint64_t exits_unknown = 0;
  std::uint64_t exits_orphaned = 0;  ///< Told as unknown, rightly: their holder was killed.
  std::map<std::string, std::uint64_t> faults;    ///< By kind.
  std::map<std::string, std::uint64_t> left_out;  ///< Faults that could not be made here.
  std::vector<double> pauses_ms;                  ///< Of hand-overs, as the service told.
  std::vector<double> stalls_ms;  ///< Of hand-overs: the longest wait of any client.
  std::uint64_t closed_in_handovers = 0;
  std::vector<std::string> failures;  ///< What else went wrong, in words.

  /// Bytes lost, repeated or wrong, in both directions.
  std::uint64_t inexact() const;
};

/// Everything as it must be.
bool exact(const Totals& totals, const test::ClientLog& log);
nlohmann::json to_json(const Totals& totals, const test::ClientLog& log);
/// For people.
std::string to_table(const Totals& totals, const test::ClientLog& log);

/// The p-th part (0..1) of the values, 0 when there is none.
double quantile(std::vector<double> values, double p);

}  // namespace term::chaos
