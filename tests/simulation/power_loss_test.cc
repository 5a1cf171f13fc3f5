// Power losses, simulated: in every state that one may leave, what was acknowledged is there.
#include <gtest/gtest.h>
#include <malloc.h>

#include <filesystem>
#include <random>
#include <string>

#include "tests/fixtures/figures.h"
#include "tests/fixtures/scratch_directory.h"
#include "tests/fixtures/test_run.h"
#include "tests/simulation/crash_run.h"

namespace esdb::simulation {
namespace {

void tell(const std::string& what, const Figures& figures) {
  fixtures::tell("power loss, " + what, {{figures.states, "states"},
                                         {figures.crash_points, "crash points"},
                                         {figures.nested_states, "states in recovery"}});
}

struct Machine {
  const char* name;
  CrashRun::Options options;
};

CrashRun::Options sectors() { return {}; }
// Blocks of 4 KiB over sectors of 512 bytes: what is torn ruins a whole block. And the page cache
// believes in writes that failed.
CrashRun::Options blocks() {
  CrashRun::Options options;
  options.disk = {.blocks = {.physical = 4096, .alignment = fixtures::kSectorBytes},
                  .torn_ruins_block = true,
                  .phantom_pages = true};
  options.store.segment_bytes = std::size_t{64} << 10;
  return options;
}
std::vector<Machine> machines() { return {{"sectors", sectors()}, {"blocks", blocks()}}; }

// The ordinary slice takes fewer states of each crash point, and shorter workloads.
bool is_slice() { return fixtures::scale() < 10; }

// Of every order of so many steps.
template <class Each>
void each_workload(int length, const Each& each) {
  int count = 1;
  for (int i = 0; i < length; ++i) count *= kStepKindsOfLog;
  for (int number = 0; number < count; ++number) {
    std::vector<Step> workload;
    for (int i = 0, rest = number; i < length; ++i, rest /= kStepKindsOfLog)
      workload.push_back(static_cast<Step>(rest % kStepKindsOfLog));
    each(workload);
  }
}

// Millions of stores are opened: memory that is given back to the system and touched again would
// cost more than everything else.
const bool kept =
    ::mallopt(M_TRIM_THRESHOLD, 1 << 30) == 1 && ::mallopt(M_MMAP_THRESHOLD, 1 << 28) == 1;

TEST(PowerLoss, LeavesNothingUnrecoverableInAnyStateOfAnyShortWorkload) {
  const int longest = is_slice() ? 2 : 3;
  for (auto& machine : machines()) {
    if (is_slice()) {
      machine.options.exhaustive = 6;
      machine.options.samples = 8;
    }
    Figures figures;
    for (int length = 1; length <= longest; ++length)
      each_workload(length, [&](const std::vector<Step>& workload) {
        CrashRun run(machine.options, 1);
        ASSERT_EQ(run.run(workload), "") << machine.name << ": " << to_string(workload);
        figures += run.figures();
      });
    tell(std::string("short workloads, ") + machine.name, figures);
  }
}

TEST(PowerLoss, LosesNothingInLongLives) {
  const auto first = fixtures::seed();
  const auto seeds = fixtures::scaled(6);
  for (const auto& machine : machines()) {
    auto options = machine.options;
    options.exhaustive = 4;
    options.samples = 20;
    options.look_one_in = 6;
    Figures figures;
    for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
      std::mt19937_64 random(seed);
      std::vector<Step> workload;
      for (int i = 0; i < 60; ++i)
        workload.push_back(static_cast<Step>(random() % kStepKindsOfLog));
      CrashRun run(options, seed);
      ASSERT_EQ(run.run(workload), "")
          << machine.name << ", seed " << seed << ": " << to_string(workload);
      figures += run.figures();
    }
    tell(std::string("long lives, ") + machine.name, figures);
  }
}

constexpr std::size_t kFewEntries = 500;  // bytes that a transaction of the index writes

// The log and the index are cut at the same moment, each in its own way.
TEST(PowerLoss, LeavesAnIndexThatTellsTheTruthBesideAnyLog) {
  if (!std::filesystem::exists("/dev/shm"))
    GTEST_SKIP() << "thousands of indexes need a directory in memory: /dev/shm is not there";
  const fixtures::ScratchDirectory scratch(fixtures::memory_directory());
  const auto first = fixtures::seed();
  for (const auto& machine : machines()) {
    auto options = machine.options;
    options.scratch = scratch.path();
    options.exhaustive = 2;
    options.samples = 6;
    options.look_one_in = 4;
    options.nest_one_in = 16;
    Figures figures;
    for (std::uint64_t seed = first; seed < first + fixtures::scaled(1); ++seed) {
      std::mt19937_64 random(seed);
      std::vector<Step> workload;
      for (int i = 0; i < 40; ++i) workload.push_back(static_cast<Step>(random() % kStepKinds));
      for (const std::size_t dirty_bytes : {storage::IndexOptions{}.dirty_bytes, kFewEntries}) {
        options.store.index_dirty_bytes = dirty_bytes;
        CrashRun run(options, seed);
        ASSERT_EQ(run.run(workload), "") << machine.name << ", seed " << seed << ", " << dirty_bytes
                                         << " bytes: " << to_string(workload);
        figures += run.figures();
      }
    }
    tell(std::string("with an index, ") + machine.name, figures);
  }
}

}  // namespace
}  // namespace esdb::simulation
