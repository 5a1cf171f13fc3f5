// Memory runs out at every block in turn, once and for ever, in a process of its own: a request
// fails or the process ends, and nothing else. It does not hang, answers nothing wrongly and does
// not touch memory that is not its own; what it had acknowledged is there afterwards.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <new>
#include <random>
#include <vector>

#include "storage/embedded_store.h"
#include "tests/faults/apart.h"
#include "tests/faults/failing_memory.h"
#include "tests/faults/scenario.h"
#include "tests/fixtures/figures.h"
#include "tests/fixtures/scratch_directory.h"
#include "tests/fixtures/test_run.h"

namespace esdb::faults {
namespace {

constexpr unsigned kHangSeconds = 60;
constexpr std::uint64_t kAllOf = 5'000, kThenEvery = 7;

// What the process that runs out of memory leaves behind.
struct Left {
  Ledger ledger{};
  std::uint64_t blocks{};
  char wrong[512]{};
};

struct Refusal {
  std::uint64_t nth{};
  bool for_ever{};
};

class Allocation : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (std::filesystem::is_directory("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 0);
  }

  static auto opener(const std::string& path) {
    return [path](const OpenOptions& options) { return storage::open_directory(path, options); };
  }

  static void live(const std::string& path, const Refusal& refusal, Left& left) {
    Scenario scenario({.kind = Scenario::Kind::kShort,
                       .ledger = left.ledger,
                       .open = opener(path),
                       .may_fail = refusal.nth != 0,
                       .disturbed = was_memory_refused,
                       .may_throw = refusal.nth != 0});
    refuse_memory(refusal.nth, refusal.for_ever);
    const auto wrong = scenario.run();
    refuse_memory_no_more();
    left.blocks = blocks_asked_for();
    std::strncpy(left.wrong, wrong.c_str(), sizeof(left.wrong) - 1);
  }

  // "" or what is wrong with how the process ended, what it answered, or what it left.
  std::string run(const Refusal& refusal) {
    const fixtures::ScratchDirectory scratch;
    const auto path = scratch.path("store");
    new (&*left_) Left;
    const auto ended =
        run_apart(path + ".said", kHangSeconds, [&] { live(path, refusal, *left_); });
    went_on_ += ended.at_its_end ? 1 : 0;
    aborted_ += ended.aborted ? 1 : 0;
    if (!ended.at_its_end && !ended.aborted) return ended.how;
    if (ended.by_a_check) return ended.how;
    if (left_->wrong[0] != '\0') return left_->wrong;
    left_->ledger.process_ended();
    Scenario sound({.kind = Scenario::Kind::kShort, .ledger = left_->ledger, .open = opener(path)});
    if (auto wrong = sound.run_soundly(); !wrong.empty()) return "with enough memory: " + wrong;
    return "";
  }

  Shared<Left> left_{};
  std::size_t went_on_ = 0, aborted_ = 0;
};

TEST_F(Allocation, EveryBlockMayBeRefused) {
  if (!memory_can_fail()) GTEST_SKIP() << "the sanitizer's allocator does not fail on demand";
  ASSERT_EQ(run({}), "") << "with enough memory";
  ASSERT_EQ(went_on_, 1U);
  const auto blocks = left_->blocks;
  std::vector<Refusal> all;
  for (const bool for_ever : {false, true})
    for (std::uint64_t nth = 1; nth <= blocks; nth += nth < kAllOf ? 1 : kThenEvery)
      all.push_back({nth, for_ever});
  if (fixtures::scale() < 10) {
    std::ranges::shuffle(all, std::mt19937_64(fixtures::seed()));
    all.resize(std::min(all.size(), fixtures::scaled(30)));
  }
  went_on_ = aborted_ = 0;
  int failures = 0;
  for (const auto& refusal : all) {
    const auto wrong = run(refusal);
    if (wrong.empty()) continue;
    ADD_FAILURE() << "block " << refusal.nth << (refusal.for_ever ? " and all after it" : "")
                  << ": " << wrong;
    if (++failures >= 10) break;
  }
  fixtures::tell(
      "memory refused",
      {{blocks, "blocks each"}, {all.size(), "runs"}, {went_on_, "went on"}, {aborted_, "ended"}});
}

}  // namespace
}  // namespace esdb::faults
