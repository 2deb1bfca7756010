#include "chaos/totals.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace term::chaos {

using Json = nlohmann::json;

namespace {

Json times(const std::vector<double>& values) {
  return {{"count", values.size()},
          {"p50", quantile(values, 0.5)},
          {"p99", quantile(values, 0.99)},
          {"max", quantile(values, 1)}};
}

std::string row(const std::string& name, const std::string& value) {
  std::string line = "  " + name;
  line.resize(std::max<std::size_t>(line.size() + 1, 26), ' ');
  return line + value + "\n";
}

/// The first of many say enough; the JSON has them all.
std::string rows(const std::string& name, const std::vector<std::string>& values) {
  constexpr std::size_t kShown = 25;
  std::string text;
  for (std::size_t i = 0; i < std::min(values.size(), kShown); ++i) text += row(name, values[i]);
  if (values.size() > kShown)
    text += row(name, "and " + std::to_string(values.size() - kShown) + " more");
  return text;
}

std::string times_text(const Json& value) {
  char text[128];
  std::snprintf(text, sizeof text, "p50 %.1f, p99 %.1f, max %.1f ms (%llu)",
                value["p50"].get<double>(), value["p99"].get<double>(), value["max"].get<double>(),
                value["count"].get<unsigned long long>());
  return text;
}

template <class Key>
std::string counts_text(const std::map<Key, std::uint64_t>& counts) {
  std::string text;
  for (const auto& [key, count] : counts) {
    if (!text.empty()) text += ", ";
    if constexpr (std::is_same_v<Key, int>) {
      text += std::to_string(key);
    } else {
      text += key;
    }
    text += " " + std::to_string(count);
  }
  return text.empty() ? "none" : text;
}

std::string bytes_text(std::uint64_t checked, std::uint64_t lost, std::uint64_t repeated,
                       std::uint64_t wrong) {
  return std::to_string(checked) + " bytes right, " + std::to_string(lost) + " lost, " +
         std::to_string(repeated) + " repeated, " + std::to_string(wrong) + " wrong";
}

}  // namespace

double quantile(std::vector<double> values, double p) {
  if (values.empty()) return 0;
  const auto last = static_cast<double>(values.size() - 1);
  const auto nth = values.begin() + static_cast<std::ptrdiff_t>(p * last);
  std::ranges::nth_element(values, nth);
  return *nth;
}

std::uint64_t Totals::inexact() const {
  return out_lost + out_repeated + out_wrong + in_lost + in_repeated + in_wrong;
}

bool exact(const Totals& totals, const test::ClientLog& log) {
  return totals.sessions > 0 && totals.sessions_lost == 0 && totals.inexact() == 0 &&
         totals.exits_wrong == 0 && totals.exits_unknown == 0 && totals.closed_in_handovers == 0 &&
         totals.failures.empty() && log.violations.empty();
}

Json to_json(const Totals& totals, const test::ClientLog& log) {
  Json closes = Json::object();
  for (const auto& [code, count] : log.closes) closes[std::to_string(code)] = count;
  return {{"exact", exact(totals, log)},
          {"sessions", totals.sessions},
          {"sessions_lost", totals.sessions_lost},
          {"output",
           {{"checked", totals.out_checked},
            {"lost", totals.out_lost},
            {"repeated", totals.out_repeated},
            {"wrong", totals.out_wrong},
            {"gaps_told", log.gaps},
            {"gap_bytes_told", log.gap_bytes}}},
          {"input",
           {{"checked", totals.in_checked},
            {"lost", totals.in_lost},
            {"repeated", totals.in_repeated},
            {"wrong", totals.in_wrong}}},
          {"exits",
           {{"right", totals.exits_right},
            {"wrong", totals.exits_wrong},
            {"unknown", totals.exits_unknown},
            {"orphaned", totals.exits_orphaned}}},
          {"faults", totals.faults},
          {"left_out", totals.left_out},
          {"connections", log.connections},
          {"disconnects", log.disconnects},
          {"closes", closes},
          {"tiers", log.tiers},
          {"resumed_ms", times(log.resumed_ms)},
          {"handover_pause_ms", times(totals.pauses_ms)},
          {"handover_stall_ms", times(totals.stalls_ms)},
          {"closed_in_handovers", totals.closed_in_handovers},
          {"violations", log.violations},
          {"failures", totals.failures}};
}

std::string to_table(const Totals& totals, const test::ClientLog& log) {
  const Json json = to_json(totals, log);
  std::string text = "totals\n";
  text += row("faults", counts_text(totals.faults));
  if (!totals.left_out.empty()) text += row("left out", counts_text(totals.left_out));
  text += row("sessions", std::to_string(totals.sessions) + ", " +
                              std::to_string(totals.sessions_lost) + " lost");
  text += row("output", bytes_text(totals.out_checked, totals.out_lost, totals.out_repeated,
                                   totals.out_wrong));
  text += row("input",
              bytes_text(totals.in_checked, totals.in_lost, totals.in_repeated, totals.in_wrong));
  text +=
      row("gaps told", std::to_string(log.gaps) + ", " + std::to_string(log.gap_bytes) + " bytes");
  text += row("exit statuses",
              std::to_string(totals.exits_right) + " right, " + std::to_string(totals.exits_wrong) +
                  " wrong, " + std::to_string(totals.exits_unknown) + " not told, " +
                  std::to_string(totals.exits_orphaned) + " unknown after their holder was killed");
  text +=
      row("connections", std::to_string(log.connections) + "; ended by " + counts_text(log.closes) +
                             "; attached as " + counts_text(log.tiers));
  text += row("resumed after", times_text(json["resumed_ms"]));
  if (!totals.pauses_ms.empty() || totals.closed_in_handovers > 0) {
    text += row("hand-over, told", times_text(json["handover_pause_ms"]));
    text += row("hand-over, longest wait", times_text(json["handover_stall_ms"]));
    text += row("closed in hand-overs", std::to_string(totals.closed_in_handovers));
  }
  text += rows("violation", log.violations);
  text += rows("failure", totals.failures);
  text += exact(totals, log) ? "all exact\n" : "NOT EXACT\n";
  return text;
}

}  // namespace term::chaos
