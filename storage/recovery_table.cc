#include "storage/recovery_table.h"

#include <algorithm>
#include <array>

#include "storage/check.h"

namespace esdb::storage {
namespace {

constexpr auto kAny = std::nullopt;
using enum FoundFiles;

// files, index, D and X, rest, access, create -> verdict
constexpr std::array kTable = std::to_array<RecoveryRow>({
    {kNone, true, kAny, kAny, kAny, kAny, Verdict::kRefuseLogGone,
     "the index is made after the log's first segment: the log was deleted"},
    {kOneHalfMade, true, kAny, kAny, kAny, kAny, Verdict::kRefuseLogGone,
     "the index is made after the log's first segment: the log was overwritten"},
    {kNone, false, kAny, kAny, Access::kReadWrite, Create::kIfMissing, Verdict::kMakeStore,
     "a new store, or a crash before its first segment had a name"},
    {kNone, false, kAny, kAny, Access::kReadWrite, Create::kNever, Verdict::kNoStore,
     "the caller wants a store that is there"},
    {kNone, false, kAny, kAny, Access::kReadOnly, kAny, Verdict::kNoStore,
     "reading only makes nothing"},
    {kOneHalfMade, false, kAny, kAny, Access::kReadWrite, Create::kIfMissing, Verdict::kMakeStore,
     "a crash while the first segment was made: nothing was ever in it"},
    {kOneHalfMade, false, kAny, kAny, Access::kReadWrite, Create::kNever, Verdict::kNoStore,
     "a crash while the first segment was made; the caller wants a store that is there"},
    {kOneHalfMade, false, kAny, kAny, Access::kReadOnly, kAny, Verdict::kNoStore,
     "a crash while the first segment was made; reading only makes nothing"},
    {kMissing, kAny, kAny, kAny, kAny, kAny, Verdict::kRefuseMissing,
     "segments are made one behind the other and not deleted: a file was lost"},
    {kForeign, kAny, kAny, kAny, kAny, kAny, Verdict::kRefuseForeign,
     "a file was copied in, or restored from another time"},
    {kLastSealed, kAny, kAny, kAny, kAny, kAny, Verdict::kRefuseLastSealed,
     "a segment is sealed only when its successor exists: the newest file was lost"},
    {kHeaderDamaged, kAny, kAny, kAny, kAny, kAny, Verdict::kRefuseHeader,
     "a header is written before anything else is, and never again: it rotted"},
    {kSound, kAny, Claims::kReach, kAny, kAny, kAny, Verdict::kRefuseDamage,
     "every claim names frames that were durable: what was acknowledged rotted or was lost"},
    {kSound, kAny, Claims::kBelow, kAny, Access::kReadOnly, kAny, Verdict::kServe,
     "reading only writes nothing; what is behind X - 1 was never acknowledged"},
    {kSound, kAny, Claims::kBelow, Rest::kClean, Access::kReadWrite, kAny, Verdict::kServe,
     "closed in order, or crashed with nothing in flight"},
    {kSound, kAny, Claims::kBelow, Rest::kDirty, Access::kReadWrite, kAny, Verdict::kMend,
     "a crash with frames or a segment under way: none of it was acknowledged"},
});

template <class T>
bool fits(const std::optional<T>& column, const T& value) {
  return !column || *column == value;
}

}  // namespace

std::span<const RecoveryRow> recovery_table() { return kTable; }

bool holds(const RecoveryRow& row, const Evidence& evidence) {
  return row.files == evidence.files && fits(row.index_exists, evidence.index_exists) &&
         fits(row.claims, evidence.claims) && fits(row.rest, evidence.rest) &&
         fits(row.access, evidence.access) && fits(row.create, evidence.create);
}

Verdict decide(const Evidence& evidence) {
  const auto row = std::find_if(kTable.begin(), kTable.end(), [&](const RecoveryRow& candidate) {
    return holds(candidate, evidence);
  });
  ESDB_CHECK(row != kTable.end());
  return row->verdict;
}

std::string_view to_string(FoundFiles files) {
  switch (files) {
    case kNone:
      return "no segment";
    case kOneHalfMade:
      return "the first, half-made";
    case kSound:
      return "sound";
    case kMissing:
      return "one missing";
    case kForeign:
      return "foreign or contradicting";
    case kLastSealed:
      return "the last sealed";
    case kHeaderDamaged:
      return "a header damaged";
  }
  return "";
}

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kMakeStore:
      return "make a store";
    case Verdict::kNoStore:
      return "answer that there is none";
    case Verdict::kServe:
      return "serve up to X - 1";
    case Verdict::kMend:
      return "cut behind X - 1, write the witness, serve";
    case Verdict::kRefuseLogGone:
      return "refuse: the log is gone";
    case Verdict::kRefuseMissing:
      return "refuse: a segment is missing";
    case Verdict::kRefuseForeign:
      return "refuse: a segment does not belong";
    case Verdict::kRefuseLastSealed:
      return "refuse: the newest segment is gone";
    case Verdict::kRefuseHeader:
      return "refuse: a header is damaged";
    case Verdict::kRefuseDamage:
      return "refuse: acknowledged data is damaged";
  }
  return "";
}

}  // namespace esdb::storage
