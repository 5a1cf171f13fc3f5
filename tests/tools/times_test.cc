#include "tools/times.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "tests/fixtures/test_run.h"

namespace esdb::tools {
namespace {

using std::chrono::nanoseconds;

Time at(std::int64_t ns) { return Time{nanoseconds{ns}}; }

TEST(Times, AreWrittenWithoutTrailingZeros) {
  EXPECT_EQ(format_time(at(0)), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_time(at(1'531'484'964'000'000'000)), "2018-07-13T12:29:24Z");
  EXPECT_EQ(format_time(at(1'531'484'964'500'000'000)), "2018-07-13T12:29:24.5Z");
  EXPECT_EQ(format_time(at(1'531'484'964'000'000'001)), "2018-07-13T12:29:24.000000001Z");
  EXPECT_EQ(format_time(at(-1)), "1969-12-31T23:59:59.999999999Z");
}

TEST(Times, AreReadWithAnyOffsetAndPrecision) {
  EXPECT_EQ(parse_time("2018-07-13T12:29:24Z").value(), at(1'531'484'964'000'000'000));
  EXPECT_EQ(parse_time("2018-07-13T14:29:24+02:00").value(), at(1'531'484'964'000'000'000));
  EXPECT_EQ(parse_time("2018-07-13 06:59:24.250-05:30").value(), at(1'531'484'964'250'000'000));
  EXPECT_EQ(parse_time("1969-12-31t23:59:59.9z").value(), at(-100'000'000));
}

TEST(Times, OfEveryNanosecondThatFitsAreReadBack) {
  const auto seed = fixtures::seed();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  std::vector<std::int64_t> values{std::numeric_limits<std::int64_t>::min(),
                                   std::numeric_limits<std::int64_t>::max(), 0, -1, 1};
  for (int i = 0; i < 1000; ++i) values.push_back(static_cast<std::int64_t>(random()));
  for (const auto value : values)
    EXPECT_EQ(parse_time(format_time(at(value))).value(), at(value)) << format_time(at(value));
}

TEST(Times, ThatAreNoneAreRefused) {
  for (const auto* text :
       {"", "yesterday", "2018-07-13", "2018-07-13T12:29:24", "2018-02-30T00:00:00Z",
        "2018-07-13T24:00:00Z", "2018-07-13T12:60:00Z", "2018-07-13T12:29:60Z",
        "2018-07-13T12:29:24.Z", "2018-07-13T12:29:24.1234567890Z", "2018-07-13T12:29:24Z ",
        "2018-07-13T12:29:24+2:00", "9999-01-01T00:00:00Z", "0001-01-01T00:00:00Z",
        "2262-04-11T23:47:16.854775808Z", "1677-09-21T00:12:43.145224191Z"})
    EXPECT_FALSE(parse_time(text)) << text;
}

TEST(Times, DurationsHaveUnits) {
  EXPECT_EQ(parse_duration("250ms").value(), std::chrono::milliseconds(250));
  EXPECT_EQ(parse_duration("30").value(), std::chrono::seconds(30));
  EXPECT_EQ(parse_duration("1.5h").value(), std::chrono::minutes(90));
  EXPECT_EQ(parse_duration("2w").value(), std::chrono::hours(14 * 24));
  for (const auto* text : {"", "h", "-1s", "1 h", "1y", "1e9999s", "99999999w", "nan"})
    EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(Times, AMomentIsATimeADayOrAgo) {
  const auto now = parse_time("2024-05-02T12:00:00Z").value();
  EXPECT_EQ(parse_moment("1h", now).value(), parse_time("2024-05-02T11:00:00Z").value());
  EXPECT_EQ(parse_moment("2024-05-01", now).value(), parse_time("2024-05-01T00:00:00Z").value());
  EXPECT_EQ(parse_moment("2024-05-01T01:00:00+01:00", now).value(),
            parse_time("2024-05-01T00:00:00Z").value());
  EXPECT_FALSE(parse_moment("soon", now));
}

TEST(Times, DurationsAreShownForPeople) {
  EXPECT_EQ(format_duration(std::chrono::microseconds(12)), "12.0us");
  EXPECT_EQ(format_duration(std::chrono::milliseconds(250)), "250.0ms");
  EXPECT_EQ(format_duration(std::chrono::seconds(245)), "4m 05s");
  EXPECT_EQ(format_duration(std::chrono::hours(49)), "2d 01h");
}

}  // namespace
}  // namespace esdb::tools
