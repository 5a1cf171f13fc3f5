// Random histories: whatever is done to a store, it answers as the reference does.
// ESDB_SEED repeats a run, ESDB_TEST_SCALE makes it longer.
#include <chrono>
#include <numeric>

#include "tests/fixtures/figures.h"
#include "tests/fixtures/test_run.h"
#include "tests/model/chance.h"
#include "tests/model/history.h"

namespace esdb::model {
namespace {

constexpr std::size_t kSteps = 800;
constexpr std::size_t kStepsShown = 25;
constexpr auto kShorteningTime = std::chrono::seconds(20);

using Steps = std::vector<std::uint64_t>;

struct Failure {
  std::size_t steps{};  // up to and with the one that failed
  std::string text{};
};

std::optional<Failure> run(const Body& body, std::uint64_t seed, const Steps& steps) {
  History history(body);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    auto difference = history.step(seed ^ ((steps[i] + 1) * 0x9E3779B97F4A7C15));
    if (!difference) continue;
    std::string text = *difference + "\nafter:\n";
    const auto& told = history.told();
    for (auto from = told.size() > kStepsShown ? told.size() - kStepsShown : 0;
         from + 1 < told.size(); ++from)
      text += "  " + told[from] + "\n";
    return Failure{i + 1, std::move(text)};
  }
  return std::nullopt;
}

// Leaves out what the failure does not need, in ever smaller pieces, as long as there is time.
Failure shorten(const Body& body, std::uint64_t seed, Steps steps, Failure failure) {
  const auto deadline = std::chrono::steady_clock::now() + kShorteningTime;
  steps.resize(failure.steps);
  for (auto piece = steps.size() / 2; piece != 0; piece /= 2) {
    for (std::size_t from = 0; from + piece < steps.size();) {
      if (std::chrono::steady_clock::now() >= deadline) return failure;
      Steps fewer = steps;
      const auto begin = fewer.begin() + static_cast<std::ptrdiff_t>(from);
      fewer.erase(begin, begin + static_cast<std::ptrdiff_t>(piece));
      if (auto again = run(body, seed, fewer)) {
        steps = std::move(fewer);
        steps.resize(again->steps);
        failure = *std::move(again);
      } else {
        from += piece;
      }
    }
  }
  return failure;
}

class Model : public ::testing::TestWithParam<Body> {};

TEST_P(Model, ARandomHistoryIsAnsweredAsByTheReference) {
  const auto seed = fixtures::seed();
  Steps steps(fixtures::scaled(kSteps));
  std::iota(steps.begin(), steps.end(), std::uint64_t{0});
  auto failure = run(GetParam(), seed, steps);
  if (!failure)
    return fixtures::tell("random histories", {{1, "histories"}, {steps.size(), "operations"}});
  const auto at = failure->steps;
  failure = shorten(GetParam(), seed, std::move(steps), *std::move(failure));
  FAIL() << "ESDB_SEED=" << seed << ", step " << at << ", in a history shortened to "
         << failure->steps << " steps:\n"
         << failure->text;
}

INSTANTIATE_TEST_SUITE_P(Every, Model, ::testing::ValuesIn(bodies()), name_of_body);

}  // namespace
}  // namespace esdb::model
