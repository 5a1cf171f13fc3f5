#include "storage/recovery_table.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace esdb::storage {
namespace {

std::vector<Evidence> every_evidence() {
  std::vector<Evidence> all;
  for (int files = 0; files <= static_cast<int>(FoundFiles::kHeaderDamaged); ++files)
    for (const bool index_exists : {false, true})
      for (const auto claims : {Claims::kBelow, Claims::kReach})
        for (const auto rest : {Rest::kClean, Rest::kDirty})
          for (const auto access : {Access::kReadWrite, Access::kReadOnly})
            for (const auto create : {Create::kIfMissing, Create::kNever})
              all.push_back(
                  {static_cast<FoundFiles>(files), index_exists, claims, rest, access, create});
  return all;
}

bool writes(Verdict verdict) { return verdict == Verdict::kMakeStore || verdict == Verdict::kMend; }

TEST(RecoveryTable, ExactlyOneRowHoldsForEveryEvidence) {
  for (const auto& evidence : every_evidence()) {
    int rows = 0;
    for (const auto& row : recovery_table()) rows += holds(row, evidence) ? 1 : 0;
    EXPECT_EQ(rows, 1) << to_string(evidence.files) << ", index " << evidence.index_exists;
  }
}

TEST(RecoveryTable, EveryRowHoldsForSomeEvidence) {
  for (const auto& row : recovery_table()) {
    bool used = false;
    for (const auto& evidence : every_evidence()) used = used || holds(row, evidence);
    EXPECT_TRUE(used) << row.why;
  }
}

TEST(RecoveryTable, ReadingOnlyNeverWrites) {
  for (const auto& evidence : every_evidence())
    EXPECT_FALSE(evidence.access == Access::kReadOnly && writes(decide(evidence)));
}

TEST(RecoveryTable, AcknowledgedDataThatIsDamagedIsNeverServed) {
  for (const auto& evidence : every_evidence()) {
    const bool damaged = evidence.files == FoundFiles::kSound && evidence.claims == Claims::kReach;
    EXPECT_EQ(damaged, decide(evidence) == Verdict::kRefuseDamage);
  }
}

TEST(RecoveryTable, AStoreIsMadeOnlyWhereNothingEverWas) {
  for (const auto& evidence : every_evidence()) {
    if (decide(evidence) != Verdict::kMakeStore) continue;
    EXPECT_FALSE(evidence.index_exists);
    EXPECT_TRUE(evidence.files == FoundFiles::kNone || evidence.files == FoundFiles::kOneHalfMade);
    EXPECT_EQ(evidence.create, Create::kIfMissing);
  }
}

// The table as docs/durability.md has it.
std::string as_text() {
  std::ostringstream text;
  text << "| Segment files | Index | Claims | Rest | Access | Create | Verdict | Because |\n"
       << "|---|---|---|---|---|---|---|---|\n";
  for (const auto& row : recovery_table()) {
    text << "| " << to_string(row.files) << " | "
         << (row.index_exists ? *row.index_exists ? "there" : "none" : "any") << " | "
         << (row.claims ? *row.claims == Claims::kBelow ? "D < X" : "D ≥ X" : "any") << " | "
         << (row.rest ? *row.rest == Rest::kClean ? "clean" : "dirty" : "any") << " | "
         << (row.access ? *row.access == Access::kReadOnly ? "read" : "write" : "any") << " | "
         << (row.create ? *row.create == Create::kNever ? "never" : "if missing" : "any") << " | "
         << to_string(row.verdict) << " | " << row.why << " |\n";
  }
  return text.str();
}

TEST(RecoveryTable, TheDocumentHasTheSameTable) {
  std::ifstream file(std::string(ESDB_SOURCE_DIR) + "/docs/durability.md");
  const std::string document((std::istreambuf_iterator<char>(file)), {});
  EXPECT_NE(document.find(as_text()), std::string::npos) << "copy this into docs/durability.md:\n"
                                                         << as_text();
}

}  // namespace
}  // namespace esdb::storage
