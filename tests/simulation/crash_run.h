// CrashRun: one workload on a simulated machine whose power fails everywhere. Wherever something is
// about to become durable, states that a power loss may leave then are made from the running
// machine, and each is opened by the real recovery and checked:
//
//   1. everything acknowledged, and everything that was shown, is there with its bytes, positions,
//      versions and tracking, and every look-up finds it
//   2. what is there is a beginning of what was asked for, whole appends only
//   3. no state is refused
//   4. opening it once more changes nothing
//   5. the next append works and survives another power loss
//   6. a power loss during recovery leaves a state for which 1 to 5 hold again
//
// With a scratch directory the index takes part: its LMDB file is cut at the same moments, and at
// each of its own flushes.
//
// One seed replays a run.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/fixtures/simulated_io.h"
#include "tests/simulation/index_recording.h"
#include "tests/simulation/simulated_store.h"

namespace esdb::simulation {

using fixtures::Fate;

enum class Step : std::uint8_t {
  kAppend,      // one event
  kBatch,       // several events over several sectors
  kPipeline,    // four appends under way at once
  kRoll,        // appends until another segment is begun
  kBackground,  // whatever is due: the next segment, a footer, a witness
  kPowerLoss,   // into a state that the seed chooses, and recovery
  kClose,       // with the clean mark, and opened again
  kIndex,       // what is in memory goes into the index; appends may be under way
};
inline constexpr int kStepKinds = 8;
inline constexpr int kStepKindsOfLog = 7;  // without an index
std::string to_string(const std::vector<Step>& workload);

struct Figures {
  std::uint64_t crash_points = 0;
  std::uint64_t states = 0;         // opened and checked
  std::uint64_t nested_states = 0;  // of them, of a power loss during recovery
  Figures& operator+=(const Figures& other);
};

class CrashRun {
 public:
  struct Options {
    SimulatedIo::Options disk{};
    SimulatedStore::Options store{};
    std::size_t exhaustive = 10;  // so many undecided things: every combination of old and new
    std::size_t samples = 64;     // else so many by chance, behind the regular ones
    unsigned look_one_in = 1;     // of the crash points
    unsigned nest_one_in = 8;     // of the states: with a power loss during their recovery
    std::string scratch{};        // where indexes are put; empty: there is none
  };
  CrashRun(const Options& options, std::uint64_t seed);
  ~CrashRun();

  // "" or what was wrong, and where.
  std::string run(const std::vector<Step>& workload);
  const Figures& figures() const { return figures_; }

 private:
  std::string start();
  std::string take(Step step);
  std::string append(std::size_t events, std::size_t bytes);
  std::string pipeline();
  std::string roll();
  std::string lose_power();
  std::string index();
  void look();
  std::vector<std::vector<Fate>> choose(const SimulatedIo& machine);
  std::vector<Fate> by_chance(const SimulatedIo::Undecided& undecided);
  std::vector<Fate> of_the_index();
  // A directory for the index of another machine; "" when there is no index.
  std::string new_directory();
  std::string left_by_power_loss();
  std::string copied(const std::string& directory);
  SimulatedStore::Options store_in(const std::string& directory) const;
  std::string check(std::unique_ptr<SimulatedIo> machine, const std::string& directory,
                    Ledger ledger, Position shown, int depth);
  std::string goes_on(SimulatedIo& machine, SimulatedStore& store, const std::string& directory,
                      Ledger& ledger);
  bool one_in(unsigned n) { return random_() % n == 0; }

  const Options options_;
  std::mt19937_64 random_;
  std::uint64_t directories_ = 0;
  std::unique_ptr<SimulatedIo> machine_{};
  std::unique_ptr<IndexRecording> recording_{};
  std::unique_ptr<SimulatedStore> store_{};
  Ledger ledger_{};
  Position shown_{};     // of what is closed or being opened
  std::string found_{};  // by look()
  Figures figures_{};
};

}  // namespace esdb::simulation
