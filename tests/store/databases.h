#pragma once
// The same tests on both databases.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <string>

#include "store/sql_store.h"
#include "support/postgres.h"

namespace term::test {

inline store::StoredSession session_of(const SessionId& id, const std::string& tab = "t") {
  store::StoredSession made;
  made.snapshot.session.id = id;
  made.snapshot.session.tab_name = tab;
  return made;
}
inline store::StoredSession with_data(store::StoredSession stored, std::string data, Offset next) {
  stored.snapshot.stream.first_offset = next - data.size();
  stored.snapshot.stream.next_offset = next;
  stored.snapshot.stream.data = std::move(data);
  return stored;
}

/// An empty database of its own for each test. The parameter: `sqlite` or `postgresql`.
class OnBoth : public testing::TestWithParam<std::string> {
 protected:
  OnBoth() {
    if (GetParam() == "postgresql") {
      database_ = Postgres::shared().create_database();
      place_.database_url = Postgres::shared().url(database_);
      return;
    }
    std::string path = (std::filesystem::temp_directory_path() / "term-db-XXXXXX").string();
    EXPECT_NE(::mkdtemp(path.data()), nullptr);
    directory_ = path;
    place_.sqlite_path = directory_ / "terminal.db";
  }
  ~OnBoth() override {
    std::error_code ignored;
    if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
  }

  std::unique_ptr<store::Store> open(bool migrate = true) const {
    auto opened = store::open_store(place_, migrate);
    if (!opened) throw std::runtime_error(opened.error().detail);
    return std::move(*opened);
  }
  /// Beside the store.
  store::Rows run(const std::string& sql) const {
    auto connection = place_.database_url.empty() ? store::open_sqlite(place_.sqlite_path)
                                                  : store::open_postgres(place_.database_url);
    auto rows = (*connection)->query(sql);
    if (!rows) throw std::runtime_error(rows.error().detail);
    return std::move(*rows);
  }
  static void put(store::Store& store, const store::StoredSession& stored, bool both = false) {
    store::Batch batch;
    batch.sessions.push_back({stored, both});
    const auto written = store.write(batch);
    ASSERT_TRUE(written) << written.error().detail;
  }

  store::Location place_;
  std::string database_;
  std::filesystem::path directory_;
};

}  // namespace term::test
