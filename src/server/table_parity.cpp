#include "server/table_parity.h"

#include <algorithm>

#include "server/ask_store.h"

namespace term::server {

namespace {

constexpr std::size_t kPage = 50;

std::string owners_text(const Owners& owners) {
  std::string text(to_string(owners.sessions));
  text += "/" + std::string(to_string(owners.streams));
  return text + "/" + std::string(to_string(owners.telemetry));
}

void add(TableParity& parity, const SessionId& id, std::vector<FieldDifference> found) {
  if (found.empty()) return;
  ++parity.differing;
  for (FieldDifference& difference : found) {
    if (parity.differences.size() >= TableParity::kMaxListed) return;
    parity.differences.push_back(
        {id, "row." + difference.field, std::move(difference.left), std::move(difference.right)});
  }
}

void compare(TableParity& parity, const SessionId& id,
             const std::optional<store::StoredSession>& legacy,
             const std::optional<store::StoredSession>& refactored) {
  if (!legacy && !refactored) return;
  ++parity.compared;
  if (!legacy || !refactored) {
    const auto text = [](bool there) { return there ? "(present)" : "(missing)"; };
    return add(parity, id, {{"session", text(legacy.has_value()), text(refactored.has_value())}});
  }
  auto found = differences(legacy->snapshot, refactored->snapshot);
  if (legacy->owners != refactored->owners)
    found.push_back({"owners", owners_text(legacy->owners), owners_text(refactored->owners)});
  add(parity, id, std::move(found));
}

void merge(TableParity& into, TableParity from) {
  into.compared += from.compared;
  into.differing += from.differing;
  for (auto& difference : from.differences)
    if (into.differences.size() < TableParity::kMaxListed)
      into.differences.push_back(std::move(difference));
  if (into.error.empty()) into.error = std::move(from.error);
}

}  // namespace

TableParity compare_tables(store::Store& store, std::span<const SessionId> ids) {
  TableParity parity;
  for (const SessionId& id : ids) {
    const auto legacy = store.session(store::Table::legacy, id);
    const auto refactored = store.session(store::Table::refactored, id);
    if (!legacy || !refactored) {
      parity.error = (legacy ? refactored : legacy).error().detail;
      return parity;
    }
    compare(parity, id, *legacy, *refactored);
  }
  return parity;
}

net::awaitable<TableParity> check_tables(store::Writer& writer, std::vector<SessionId> ids) {
  TableParity all;
  for (std::size_t at = 0; at < ids.size() && all.error.empty(); at += kPage) {
    const std::size_t end = std::min(at + kPage, ids.size());
    const std::vector<SessionId> page(ids.begin() + static_cast<std::ptrdiff_t>(at),
                                      ids.begin() + static_cast<std::ptrdiff_t>(end));
    auto question = [page](store::Store& store) -> Result<TableParity> {
      return compare_tables(store, page);
    };
    auto part = co_await ask_store(writer, std::move(question));
    if (part)
      merge(all, std::move(*part));
    else
      all.error = part.error().detail;
  }
  co_return all;
}

}  // namespace term::server
