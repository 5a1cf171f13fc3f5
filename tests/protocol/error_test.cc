#include "esdb/error.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace esdb {
namespace {

constexpr ErrorCode kAll[] = {
    ErrorCode::kInvalidArgument, ErrorCode::kTooLarge,      ErrorCode::kRejected,
    ErrorCode::kDenied,          ErrorCode::kUnsupported,   ErrorCode::kFailed,
    ErrorCode::kConflict,        ErrorCode::kAlreadyExists, ErrorCode::kAlreadyTracked,
    ErrorCode::kIdConflict,      ErrorCode::kUnavailable,   ErrorCode::kOverloaded,
    ErrorCode::kDiskFull,        ErrorCode::kReadOnly,      ErrorCode::kTimedOut,
    ErrorCode::kCancelled,       ErrorCode::kClosed,        ErrorCode::kLocked,
    ErrorCode::kOutcomeUnknown,  ErrorCode::kCorrupt,       ErrorCode::kRefused,
    ErrorCode::kOtherStore};

TEST(ErrorCode, EveryCodeHasAWordOfItsOwn) {
  std::set<std::string_view> words;
  for (const auto code : kAll) words.insert(to_string(code));
  EXPECT_EQ(words.size(), std::size(kAll));
  EXPECT_FALSE(words.contains("unknown"));
  EXPECT_EQ(to_string(static_cast<ErrorCode>(999)), "unknown");
}

TEST(ErrorCode, ItsNumbersAndWordsNeverChange) {
  EXPECT_EQ(static_cast<int>(ErrorCode::kConflict), 10);
  EXPECT_EQ(static_cast<int>(ErrorCode::kUnavailable), 20);
  EXPECT_EQ(static_cast<int>(ErrorCode::kOutcomeUnknown), 40);
  EXPECT_EQ(static_cast<int>(ErrorCode::kOtherStore), 43);
  EXPECT_EQ(to_string(ErrorCode::kOutcomeUnknown), "outcome_unknown");
}

TEST(ErrorCode, EveryCodeHasTheRemedyItsCommentSays) {
  const std::map<ErrorCode, Remedy> other_than_none{
      {ErrorCode::kConflict, Remedy::kDecide},     {ErrorCode::kUnavailable, Remedy::kRepeat},
      {ErrorCode::kOverloaded, Remedy::kRepeat},   {ErrorCode::kDiskFull, Remedy::kRepeat},
      {ErrorCode::kTimedOut, Remedy::kRepeat},     {ErrorCode::kOutcomeUnknown, Remedy::kRepeat},
      {ErrorCode::kReadOnly, Remedy::kIntervene},  {ErrorCode::kLocked, Remedy::kIntervene},
      {ErrorCode::kCorrupt, Remedy::kIntervene},   {ErrorCode::kRefused, Remedy::kIntervene},
      {ErrorCode::kOtherStore, Remedy::kIntervene}};
  for (const auto code : kAll) {
    const auto found = other_than_none.find(code);
    EXPECT_EQ(remedy(code), found == other_than_none.end() ? Remedy::kNone : found->second)
        << to_string(code);
  }
}

TEST(Result, AnErrorUsedAsAValueThrowsItsMessage) {
  const Result<int> result = reject("no", "detail");
  try {
    (void)result.value();
    FAIL() << "an error had a value";
  } catch (const Failure& failure) {
    EXPECT_STREQ(failure.what(), "no");
    EXPECT_EQ(failure.error.code, ErrorCode::kRejected);
    EXPECT_EQ(failure.error.detail, "detail");
  }
}

}  // namespace
}  // namespace esdb
