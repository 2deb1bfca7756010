// terminal-ctl db: the store's schema and its two tables of sessions (STATE.md 3).

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "offline.h"
#include "store/transfer.h"

namespace term::ctl {

namespace {

using Json = nlohmann::json;

constexpr const char* kLegacyTable = "terminal_sessions";
constexpr const char* kRefactoredTable = "terminal_sessions_v2";

struct MoveArguments {
  std::string source = kRefactoredTable;
  std::string target = kLegacyTable;
  bool dry_run = false;
  bool beside_service = false;
};

Result<std::size_t> rows(store::Store& store, store::Table table) {
  constexpr std::size_t kPage = 500;
  std::size_t count = 0;
  SessionId after;
  for (;;) {
    const auto page = store.sessions(table, after, kPage, /*scrollback=*/false);
    if (!page) return page.error();
    count += page->size();
    if (page->size() < kPage) return count;
    after = page->back().snapshot.session.id;
  }
}

Result<int> status(const Context& context) {
  const auto store = open_offline(context, /*migrate=*/false);
  if (!store) return store.error();
  const auto version = (*store)->version();
  if (!version) return version.error();
  Json json{{"store", (*store)->name()}, {"version", *version}};
  std::string text = std::string((*store)->name()) + ", migration " + std::to_string(*version);
  for (const auto table : {store::Table::legacy, store::Table::refactored}) {
    const char* name = table == store::Table::legacy ? kLegacyTable : kRefactoredTable;
    const auto count = rows(**store, table);  // Of an older schema there may be none.
    json[name] = count ? Json(*count) : Json(nullptr);
    text += std::string("\n") + name + ": " +
            (count ? std::to_string(*count) + " sessions" : printable(count.error().detail));
  }
  if (context.json)
    print(json);
  else
    std::printf("%s\n", text.c_str());
  return kDone;
}

Result<int> migrate(const Context& context, int target) {
  if (auto alone = check_no_service(context, "migrating its store"); !alone) return alone.error();
  const auto store = open_offline(context, /*migrate=*/false);
  if (!store) return store.error();
  const auto before = (*store)->version();
  if (!before) return before.error();
  if (auto done = (*store)->migrate(target); !done) return done.error();
  if (context.json)
    print({{"success", true}, {"from", *before}, {"to", target}});
  else
    std::printf("%s: migration %d, was %d\n", std::string((*store)->name()).c_str(), target,
                *before);
  return kDone;
}

Result<int> migrate_sessions(const Context& context, const MoveArguments& arguments) {
  if (!arguments.dry_run && !arguments.beside_service)
    if (auto alone = check_no_service(context, "migrating its sessions"); !alone)
      return alone.error();
  const auto store = open_offline(context, /*migrate=*/false);
  if (!store) return store.error();
  if (!arguments.dry_run)
    if (auto left = write_left(context, **store); !left) return left.error();
  const auto from =
      arguments.source == kLegacyTable ? store::Table::legacy : store::Table::refactored;
  const auto report = store::transfer(
      **store, from, arguments.dry_run, [&context](const store::TransferReport& so_far) {
        progress(context, std::to_string(so_far.rows) + " sessions read ...");
      });
  if (!report) return report.error();
  if (context.json)
    print({{"success", true},
           {"source", arguments.source},
           {"target", arguments.target},
           {"dry_run", arguments.dry_run},
           {"rows", report->rows},
           {"written", report->written},
           {"unchanged", report->unchanged},
           {"newer", report->newer}});
  else
    std::printf("%s to %s: %zu sessions, %zu %s, %zu unchanged, %zu newer in the target\n",
                arguments.source.c_str(), arguments.target.c_str(), report->rows, report->written,
                arguments.dry_run ? "would be written" : "written", report->unchanged,
                report->newer);
  return kDone;
}

void add_move(CLI::App& db, Context& context, const char* name, bool to_legacy) {
  auto* command = db.add_subcommand(
      name, to_legacy ? "Sessions into the legacy table" : "Sessions into the refactored table");
  auto arguments = std::make_shared<MoveArguments>();
  if (!to_legacy) std::swap(arguments->source, arguments->target);
  command->add_option("--source", arguments->source, "Table to read; it stays as it is")
      ->check(CLI::IsMember({arguments->source}))
      ->capture_default_str();
  command->add_option("--target", arguments->target, "Table to write")
      ->check(CLI::IsMember({arguments->target}))
      ->capture_default_str();
  command->add_flag("--dry-run", arguments->dry_run, "Only say what would be written");
  command->add_flag("--beside-service", arguments->beside_service,
                    "Also while a service runs, whose live sessions are with the target's engine "
                    "already: their rows are newer and stay");
  command->callback([&context, arguments] {
    context.run = [&context, arguments] { return migrate_sessions(context, *arguments); };
  });
}

}  // namespace

void add_db(CLI::App& app, Context& context) {
  auto* db = app.add_subcommand("db", "The store itself: its schema, its tables");
  db->require_subcommand(1);
  db->fallthrough();
  db->add_subcommand("status", "Which store, which migration, how many sessions")
      ->callback([&context] { context.run = [&context] { return status(context); }; });
  auto* command =
      db->add_subcommand("migrate", "The schema forward or back, while no service runs");
  auto target = std::make_shared<int>(0);
  command->add_option("--to", *target, "Number of the migration that is to be the newest")
      ->required()
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  command->callback([&context, target] {
    context.run = [&context, target] { return migrate(context, *target); };
  });
  add_move(*db, context, "migrate-to-legacy", true);
  add_move(*db, context, "migrate-to-refactored", false);
  add_db_file(*db, context);
}

}  // namespace term::ctl
