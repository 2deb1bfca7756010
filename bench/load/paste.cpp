// One big message into a session whose program counts and hashes what it reads.

#include <nlohmann/json.hpp>

#include "load/figures.h"
#include "load/operator_api.h"
#include "load/probe.h"
#include "load/terminal.h"
#include "load/works.h"

namespace term::bench {

namespace {

std::uint64_t digest_of(std::string_view bytes) {
  std::uint64_t digest = 0xcbf29ce484222325;
  for (const char c : bytes) digest = (digest ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return digest;
}

/// `<<bench:hash COUNT DIGEST>>`, once all of it is there.
struct Report {
  std::uint64_t count = 0;
  std::uint64_t digest = 0;
};
std::optional<Report> report_in(const std::string& seen) {
  constexpr std::string_view kName = "<<bench:hash ";
  const auto at = seen.find(kName);
  if (at == std::string::npos || seen.find(">>", at) == std::string::npos) return std::nullopt;
  std::size_t digits = 0;
  const std::string text = seen.substr(at + kName.size());
  const std::uint64_t count = std::stoull(text, &digits);
  return Report{.count = count, .digest = std::stoull(text.substr(digits))};
}

}  // namespace

Json paste(const Options& options) {
  const Pattern pattern(options.content, options.seed, false);
  std::string pasted;
  for (std::uint64_t i = 0; i < pattern.periods(options.mib_or(9)); ++i)
    pasted += pattern.at(0, pattern.period());
  choose_engine(options);

  EventLoop loop;
  Terminals terminals;
  std::string seen;
  const Millis patience(1000 * options.patience_s);
  terminals.push_back(
      std::make_unique<Terminal>(loop, options, session_name(options, 0),
                                 source_command("hash --bytes=" + std::to_string(pasted.size()))));
  terminals[0]->on_output([&](std::string_view bytes) { seen += bytes; });
  terminals[0]->connect();
  wait_for(loop, terminals, "starting bench-source", patience,
           [&] { return seen.find(kStart) != std::string::npos; });

  const long before = pss_kib(options.pids);
  reset_peak(options.pids);
  Stretch stretch(options.pids);
  terminals[0]->type(pasted);
  std::optional<Report> report;
  std::string wrong;
  try {
    wait_for(loop, terminals, "pasting " + std::to_string(pasted.size()) + " bytes", patience,
             [&] { return (report = report_in(seen)).has_value(); });
  } catch (const Unable& error) {
    // A server that breaks off has lost what it did not pass on.
    wrong = error.what();
  }
  stretch.stop();
  const std::uint64_t arrived = report ? report->count : 0;
  if (wrong.empty() && arrived != pasted.size()) wrong = "bytes are missing";
  if (wrong.empty() && report->digest != digest_of(pasted)) wrong = "other bytes than were pasted";

  Json out{{"value", 0.0}, {"unit", "MB/s"}, {"exact", wrong.empty()}};
  if (!wrong.empty()) out["wrong"] = wrong;
  out.update(stretch.rates(pasted.size()));
  out["value"] = out["mb_per_s"];
  out["lost_bytes"] = pasted.size() - arrived;
  if (!options.pids.empty())
    out["pss_kib"] = {{"before", before}, {"peak_rss", peak_kib(options.pids)}};
  end_all(loop, terminals);
  return out;
}

}  // namespace term::bench
