#include "protocol/refusal.h"

#include <gtest/gtest.h>

#include "esdb/limits.h"

namespace esdb::protocol {
namespace {

ErrorCode code_of(const Result<void>& result) { return result ? ErrorCode{} : result.error().code; }

TEST(Refusal, AQueryAsksForSomethingWithinItsLimits) {
  EXPECT_EQ(code_of(check_query(esdb::Query{})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of(check_query(everything())), ErrorCode{});
  esdb::Query items;
  for (std::size_t i = 0; i < kQueryItemsMax; ++i) items = std::move(items) | everything();
  EXPECT_EQ(code_of(check_query(items)), ErrorCode{});
  EXPECT_EQ(code_of(check_query(std::move(items) | everything())), ErrorCode::kTooLarge);

  using Item = esdb::QueryItem;
  for (auto kind : {&Item::streams, &Item::categories, &Item::types}) {
    Item item;
    item.*kind = std::vector<std::string>(kQueryNamesMax, "n");
    EXPECT_EQ(code_of(check_query(esdb::Query(item))), ErrorCode{});
    (item.*kind).push_back("n");
    EXPECT_EQ(code_of(check_query(esdb::Query(item))), ErrorCode::kTooLarge);
    item.*kind = {""};
    EXPECT_EQ(code_of(check_query(esdb::Query(item))), ErrorCode::kInvalidArgument);
    item.*kind = {std::string(kStreamBytesMax + 1, 'n')};
    EXPECT_EQ(code_of(check_query(esdb::Query(item))), ErrorCode::kTooLarge);
  }
  EXPECT_EQ(code_of(check_query(tagged(std::vector<Tag>(kQueryNamesMax, "t")))), ErrorCode{});
  EXPECT_EQ(code_of(check_query(tagged(std::vector<Tag>(kQueryNamesMax + 1, "t")))),
            ErrorCode::kTooLarge);
}

TEST(Refusal, AStartFitsItsQueryAndDirection) {
  const auto backwards = Direction::kBackwards;
  EXPECT_TRUE(check_read(stream("s"), {.start = Start::after_version(1), .direction = backwards}));
  EXPECT_TRUE(check_read(stream("s").types({"T"}), {.start = Start::after_version(1)}));
  EXPECT_EQ(code_of(check_read(category("s"), {.start = Start::after_version(1)})),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of(check_read(stream("s") | stream("t"), {.start = Start::after_version(1)})),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(
      code_of(check_read(everything(), {.start = Start::since(Time{}), .direction = backwards})),
      ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of(check_read(everything(), {.start = Start::end(), .direction = backwards})),
            ErrorCode::kInvalidArgument);
  EXPECT_TRUE(check_read(everything(), {.start = Start::after(7), .direction = backwards}));
}

TEST(Refusal, OnlyAQueryThatNamesOneStreamAloneIsOfOneStream) {
  EXPECT_EQ(one_stream_of(stream("s")), "s");
  EXPECT_EQ(one_stream_of(stream("s").types({"A"}) | stream("s").tagged({"t"})), "s");
  EXPECT_EQ(one_stream_of(stream("s") | stream("t")), "");
  EXPECT_EQ(one_stream_of(stream("s") | everything()), "");
  EXPECT_EQ(one_stream_of(esdb::Query(esdb::QueryItem{.streams = {"s"}, .categories = {"c"}})), "");
  EXPECT_EQ(one_stream_of(esdb::Query{}), "");
}

TEST(Refusal, EveryViolationIsToldWithWhatWasFound) {
  const std::vector<Check> checks{
      Check::stream("order-1", Expect::exactly(3)), Check::stream("order-2", Expect::none()),
      Check::stream("order-3", Expect::exists()), Check::unchanged(types({"A"}), 7)};
  const auto error =
      not_appended({stream_violation(0, checks[0], 5), stream_violation(1, checks[1], 1),
                    stream_violation(2, checks[2], 0), query_violation(3, checks[3], 9)},
                   checks);
  EXPECT_EQ(error.code, ErrorCode::kConflict);
  EXPECT_EQ(error.message,
            "not appended: [stream order-1 at version 3 (found 5)] "
            "[stream order-2 not written (found 1)] [stream order-3 written (found nothing)] "
            "[unchanged type:A after 7 (found position 9)]");
  ASSERT_EQ(error.violations.size(), 4u);
  EXPECT_EQ(error.violations[0].what, "stream order-1 at version 3");
  EXPECT_EQ(error.violations[0].actual, Version{5});
  EXPECT_EQ(error.violations[3].conflicting, Position{9});
}

TEST(Refusal, TrackingComesBeforeExistenceAndExistenceBeforeConflict) {
  const std::vector<Check> checks{Check::absent(tagged({"t"})), Check::stream("s", Expect::none())};
  const auto conflict = stream_violation(1, checks[1], 1);
  const auto exists = query_violation(0, checks[0], 4);
  const auto tracked = tracking_violation({"src", 3}, 5);
  EXPECT_EQ(not_appended({conflict}, checks).code, ErrorCode::kConflict);
  EXPECT_EQ(not_appended({exists, conflict}, checks).code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(not_appended({conflict, exists}, checks).code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(not_appended({exists, conflict, tracked}, checks).code, ErrorCode::kAlreadyTracked);
  const auto error = not_appended({tracked, exists}, checks);
  EXPECT_EQ(error.code, ErrorCode::kAlreadyTracked);
  EXPECT_EQ(error.message,
            "not appended: [tracking src at 3 (found 5)] [absent tag:t (found position 4)]");
  EXPECT_EQ(error.violations[0].check, Violation::kTrackingCheck);
  EXPECT_EQ(error.violations[0].conflicting, Position{5});
}

TEST(Refusal, AMessageStaysShortWhereViolationsAreMany) {
  const std::vector<Check> checks(1000, Check::stream(std::string(500, 's'), Expect::none()));
  std::vector<Violation> violations;
  for (std::size_t i = 0; i < checks.size(); ++i)
    violations.push_back(stream_violation(i, checks[i], 1));
  const auto error = not_appended(violations, checks);
  EXPECT_EQ(error.violations.size(), 1000u);
  EXPECT_LT(error.message.size(), 10'000u);
  EXPECT_TRUE(error.message.ends_with(" and 992 more"));
}

}  // namespace
}  // namespace esdb::protocol
