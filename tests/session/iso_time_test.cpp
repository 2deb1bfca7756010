#include <gtest/gtest.h>

#include "session/snapshot_json.h"

namespace term {
namespace {

TEST(IsoTime, IsWrittenWithMillisecondsAndReadBack) {
  const WallTime time{Millis{1'795'341'600'007}};
  EXPECT_EQ(iso_time(time), "2026-11-22T10:00:00.007Z");
  EXPECT_EQ(*parse_iso_time("2026-11-22T10:00:00.007Z"), time);
  EXPECT_EQ(*parse_iso_time("2026-11-22T10:00:00.0071234Z"), time);
  EXPECT_EQ(*parse_iso_time("2026-11-22T11:30:00.007+01:30"), time);
  EXPECT_EQ(iso_time(*parse_iso_time("1969-12-31T23:59:59Z")), "1969-12-31T23:59:59.000Z");
  EXPECT_EQ(iso_time(WallTime::max()), "9999-12-31T23:59:59.999Z");
}

TEST(IsoTime, WhatIsNoTimeIsRefused) {
  for (const char* text :
       {"", "2026", "2026-11-22", "2026-02-30T10:00:00.000Z", "2026-11-22T24:00:00.000Z",
        "2026-11-22T10:60:00.000Z", "2026-11-22T10:00:00.000", "2026-11-22T10:00:00.Z",
        "2026-11-22T10:00:00.000Zx", "2026-11-22 10:00:00.000Z", "-026-11-22T10:00:00.000Z",
        "2026-11-22T10:00:00.000+99:00"}) {
    const auto read = parse_iso_time(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, Errc::bad_argument);
  }
}

}  // namespace
}  // namespace term
