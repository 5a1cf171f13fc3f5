// Every call of the machine fails in every way, once and for ever: nothing is answered wrongly,
// nothing hangs, and on a sound machine everything acknowledged is there again.
//
// Two seams: what the engine asks of the machine (Io, its files and rings), and the system calls
// beneath it, where transfers can be short, and where LMDB is.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "storage/embedded_store.h"
#include "storage/posix_io.h"
#include "tests/faults/fault_plan.h"
#include "tests/faults/scenario.h"
#include "tests/faults/system_calls.h"
#include "tests/fixtures/faulty_io.h"
#include "tests/fixtures/figures.h"
#include "tests/fixtures/scratch_directory.h"
#include "tests/fixtures/test_run.h"

namespace esdb::faults {
namespace {

using fixtures::FaultyIo;
using fixtures::Operation;
using storage::Io;

// Threads race: a sealed segment is read from its file, one that has yet to be from memory. Points
// are what every one of some runs comes by, and a run that does not is made again.
constexpr int kCountings = 3;
constexpr int kAttemptsMax = 40;
constexpr std::size_t kFailuresShown = 10;
constexpr unsigned kHangSeconds = 120;

// What runs just now, for whoever finds that it hangs.
char running_now[256] = {};
void tell_hang(int) {
  [[maybe_unused]] const auto written = ::write(2, running_now, std::strlen(running_now));
  ::abort();
}

struct Life {
  std::string wrong{};
  bool was_hit = false;
  std::vector<std::vector<ErrorCode>> answers{};
  std::vector<std::string> states{};
};

// One life of a store on a machine that fails as the plan says, and what is found after it.
class FaultInjection : public ::testing::TestWithParam<Scenario::Kind> {
 protected:
  enum class Seam : std::uint8_t { kMachine, kSystemCalls, kIndex, kRings };
  static std::string name_of(Seam seam) {
    const char* const names[] = {"the machine", "the system", "the index", "rings"};
    return names[static_cast<std::size_t>(seam)];
  }
  static std::string name_of(Scenario::Kind kind) {
    return kind == Scenario::Kind::kBusy ? "a busy store" : "a quiet one";
  }

  static void SetUpTestSuite() {
    if (std::filesystem::is_directory("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 0);
    std::signal(SIGALRM, tell_hang);
  }
  static void TearDownTestSuite() { ::alarm(0); }

  Life run(Seam seam, FaultPlan& plan) {
    const fixtures::ScratchDirectory scratch;
    const auto path = scratch.path("store");
    ledger_ = {};
    Life result = seam == Seam::kMachine ? run_machine(path, plan) : run_calls(seam, path, plan);
    plan.disarm();
    result.was_hit = plan.was_hit();
    if (!result.wrong.empty()) return result;
    Scenario sound(
        {.kind = Scenario::Kind::kBusy, .ledger = ledger_, .open = opener(path, nullptr)});
    if (result.wrong = sound.run_soundly(); !result.wrong.empty())
      result.wrong = "on a sound machine: " + result.wrong;
    return result;
  }

  // Every point that a run without faults comes by, with everything that can go wrong there.
  void go_through(Seam seam, const std::vector<Fault>& faults, std::size_t ordinary) {
    FaultPlan plan;
    std::vector<Point> points;
    std::set<std::string> ever;
    const int countings = fixtures::scale() < 10 ? kCountings : kCountings * 5;
    for (int counted = 0; counted < countings; ++counted) {
      plan.count();
      ASSERT_EQ(run(seam, plan).wrong, "") << "without any fault";
      const auto found = plan.points();
      for (const auto& point : found) ever.insert(to_string(point));
      if (counted == 0) points = found;
      std::erase_if(points, [&](const Point& point) {
        return std::ranges::find(found, point) == found.end();
      });
    }
    std::vector<std::pair<Point, Fault>> all;
    for (const auto& point : points)
      for (const auto& fault : faults)
        if (fault.kind == Fault::Kind::kError || point.moves_bytes) all.emplace_back(point, fault);
    const auto all_pairs = all.size();
    if (fixtures::scale() < 10) all = slice_of(std::move(all), fixtures::scaled(ordinary));
    std::size_t hit = 0, failures = 0;
    for (const auto& [point, fault] : all) {
      const auto name = to_string(point) + ": " + to_string(fault);
      const auto done = inject(seam, plan, point, fault, name);
      hit += done.was_hit ? 1 : 0;
      if (!done.was_hit) ADD_FAILURE() << name << ": no run came by there";
      if (!done.wrong.empty()) ADD_FAILURE() << name << ": " << done.wrong;
      if ((!done.wrong.empty() || !done.was_hit) && ++failures >= kFailuresShown) break;
    }
    fixtures::tell("calls that fail, " + name_of(seam) + ", " + name_of(GetParam()),
                   {{points.size(), "points each"},
                    {ever.size() - points.size(), "met by some runs only each"},
                    {all_pairs, "points with an error each"},
                    {all.size(), "runs"},
                    {hit, "runs that met their point"}});
  }

 private:
  Life inject(Seam seam, FaultPlan& plan, const Point& point, const Fault& fault,
              const std::string& name) {
    std::strncpy(running_now, ("hangs: " + name + "\n").c_str(), sizeof(running_now) - 1);
    Life done;
    for (int attempt = 0; attempt < kAttemptsMax && !done.was_hit && done.wrong.empty();
         ++attempt) {
      ::alarm(kHangSeconds);
      plan.arm(point, fault);
      done = run(seam, plan);
    }
    ::alarm(0);
    if (done.wrong.empty() && done.was_hit) done.wrong = broken_rule(seam, point, fault, done);
    return done;
  }

  // By chance, but half of it writes: there are many more reads.
  static std::vector<std::pair<Point, Fault>> slice_of(std::vector<std::pair<Point, Fault>> all,
                                                       std::size_t count) {
    std::ranges::shuffle(all, std::mt19937_64(fixtures::seed()));
    const auto reads = std::stable_partition(all.begin(), all.end(), [](const auto& pair) {
      return pair.first.call.find("write") != std::string::npos;
    });
    const auto writes =
        std::min<std::size_t>(count / 2, static_cast<std::size_t>(reads - all.begin()));
    std::rotate(all.begin() + static_cast<std::ptrdiff_t>(writes), reads, all.end());
    all.resize(std::min(all.size(), count));
    return all;
  }

  static std::function<Result<std::unique_ptr<EventStore>>(const OpenOptions&)> opener(
      const std::string& path, Io* machine) {
    return [path, machine](const OpenOptions& options) {
      return storage::open_directory(path, options, machine);
    };
  }

  // Whether a segment is sealed when it is read decides which calls there are.
  static void settle(const FaultPlan& plan) {
    auto calls = plan.calls();
    for (int quiet = 0, waited = 0; quiet < 6 && waited < 200 && !plan.was_hit(); ++waited) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      quiet = std::exchange(calls, plan.calls()) == calls ? quiet + 1 : 0;
    }
  }

  Life live(const std::string& path, FaultPlan& plan, Io& machine,
            std::function<void(std::chrono::milliseconds)> ahead) {
    Scenario scenario({.kind = GetParam(),
                       .ledger = ledger_,
                       .open = opener(path, &machine),
                       .may_fail = plan.is_armed(),
                       .disturbed = [&plan] { return plan.was_hit(); },
                       .settle = [&plan] { settle(plan); },
                       .ahead = std::move(ahead)});
    Life result{.wrong = scenario.run()};
    result.answers = scenario.answers();
    result.states = scenario.states();
    return result;
  }

  Life run_machine(const std::string& path, FaultPlan& plan) {
    const auto machine = storage::make_directory_io({});
    FaultyIo io(*machine);
    io.ask([&plan, &path](Operation operation, std::string_view file, std::size_t bytes) {
      const auto fault = plan.turn(std::string(to_string(operation)) + " " +
                                       std::string(file.substr(std::min(file.size(), path.size()))),
                                   bytes > 0);
      if (!fault) return FaultyIo::Hit{};
      // Where a write stays short the machine has given up: what it did of it is there.
      const auto part = fault->kind == Fault::Kind::kShortByOne ? bytes - 1 : bytes / 2;
      if (fault->kind != Fault::Kind::kError) return FaultyIo::Hit{.error = EIO, .done = part};
      return FaultyIo::Hit{.error = fault->error};
    });
    return live(path, plan, io, [&io](auto by) { io.set_ahead(by); });
  }

  Life run_calls(Seam seam, const std::string& path, FaultPlan& plan) {
    using Which = WatchedCalls::Which;
    std::unique_ptr<Io> machine = std::make_unique<storage::PosixIo>();
    if (seam == Seam::kRings) machine = storage::make_directory_io({});
    const WatchedCalls calls(plan, path,
                             seam == Seam::kIndex   ? Which::kIndex
                             : seam == Seam::kRings ? Which::kRings
                                                    : Which::kAll);
    // A ring takes the files of its own machine only.
    if (seam == Seam::kRings) return live(path, plan, *machine, [](auto) {});
    FaultyIo io(*machine);  // without faults: for its clock
    return live(path, plan, io, [&io](auto by) { io.set_ahead(by); });
  }

  // What the failure has to look like to those who use the store. "": as it should.
  static std::string broken_rule(Seam seam, const Point& point, const Fault& fault,
                                 const Life& done) {
    for (const auto& opening : done.answers) {
      const auto unknown = std::ranges::find(opening, ErrorCode::kOutcomeUnknown);
      if (unknown == opening.end()) continue;
      for (auto later = unknown; later != opening.end(); ++later)
        if (*later != ErrorCode::kOutcomeUnknown && *later != ErrorCode::kReadOnly)
          return "an append behind a failed write was answered " + std::string(to_string(*later));
    }
    const auto answered = [&](ErrorCode code) {
      return std::ranges::any_of(done.answers, [&](const auto& opening) {
        return std::ranges::find(opening, code) != opening.end();
      });
    };
    const auto is = [&](std::string_view call) { return point.call.starts_with(call); };
    if (seam == Seam::kMachine && is("ring write") && !answered(ErrorCode::kOutcomeUnknown))
      return "no append was answered outcome_unknown";
    // Interrupted, or done in part: gone on with, and nobody learns of it.
    const bool goes_on = fault.kind != Fault::Kind::kError || fault.error == EINTR ||
                         fault.error == EAGAIN || fault.error == ECANCELED;
    const bool writes = is("uring write") || is("pwritev2 /log");
    if (writes && goes_on && !fault.for_ever &&
        (answered(ErrorCode::kOutcomeUnknown) || answered(ErrorCode::kReadOnly)))
      return "a write that could be gone on with ended writing";
    if (is("uring write") && !goes_on && !answered(ErrorCode::kOutcomeUnknown))
      return "no append was answered outcome_unknown";
    const storage::IoError error{fault.error};
    const bool harmless = fault.kind == Fault::Kind::kError && !fault.for_ever &&
                          (storage::is_passing(error) || storage::is_full(error));
    if (seam == Seam::kMachine && harmless && (is("reserve") || is("allocate")) &&
        (answered(ErrorCode::kReadOnly) || answered(ErrorCode::kOutcomeUnknown)))
      return "a shortage while the next segment was prepared ended writing";
    if (seam == Seam::kIndex &&
        (answered(ErrorCode::kReadOnly) || answered(ErrorCode::kOutcomeUnknown)))
      return "a failure of the index ended writing";
    return "";
  }

  Ledger ledger_{};
};

TEST_P(FaultInjection, EveryCallOfTheMachineMayFail) {
  go_through(Seam::kMachine, all_faults(), GetParam() == Scenario::Kind::kBusy ? 24 : 8);
}

TEST_P(FaultInjection, EverySystemCallMayFail) {
  go_through(Seam::kSystemCalls, all_faults(), GetParam() == Scenario::Kind::kBusy ? 24 : 8);
}

// Of LMDB: what was acknowledged does not depend on it, and writing does not end.
TEST_P(FaultInjection, EverySystemCallOfTheIndexMayFail) {
  std::vector<Fault> faults;
  for (const bool for_ever : {false, true})
    for (const int error : {EIO, ENOSPC}) faults.push_back({.error = error, .for_ever = for_ever});
  go_through(Seam::kIndex, faults, GetParam() == Scenario::Kind::kBusy ? 8 : 4);
}

// A busy store has all of them.
class RingInjection : public FaultInjection {};

TEST_P(RingInjection, EveryOperationOfARingMayFail) {
  if (!rings_can_fail()) GTEST_SKIP() << "this kernel does not let an operation fail on demand";
  go_through(Seam::kRings, all_faults(), 15);
}

std::string name_of_kind(const ::testing::TestParamInfo<Scenario::Kind>& kind) {
  return kind.param == Scenario::Kind::kBusy ? "ABusyStore" : "AQuietStore";
}
INSTANTIATE_TEST_SUITE_P(Of, FaultInjection,
                         ::testing::Values(Scenario::Kind::kBusy, Scenario::Kind::kQuiet),
                         name_of_kind);
INSTANTIATE_TEST_SUITE_P(Of, RingInjection, ::testing::Values(Scenario::Kind::kBusy), name_of_kind);

}  // namespace
}  // namespace esdb::faults
