#include "storage/replay.h"

#include <gtest/gtest.h>

#include "tests/fixtures/test_run.h"
#include "tests/storage/lookup_against.h"
#include "tests/storage/written_log.h"

namespace esdb::storage {
namespace {

TEST(Replay, GivesTheTailIndexThatTheWriterFilled) {
  const std::uint64_t seed = fixtures::seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  TermHistory history(seed);
  WrittenLog log;
  FrameMark from{};
  for (int i = 0; i < 40; ++i) {
    history.add_frame();
    log.append(history);
    if (i == 20) log.reopen();
  }
  TailIndex tail(from);
  replay_tail(*log, tail).value();
  auto lookup = Lookup::begin(*log, tail, nullptr).value();
  EXPECT_EQ(lookup.position(), history.last().last);
  expect_truth(lookup, history);
  EXPECT_EQ(tail.first_frame(), 0U);
}

TEST(Replay, BringsBackTheEpochs) {
  TermHistory history(1);
  WrittenLog log;
  std::vector<Uuid> epochs;
  for (int i = 0; i < 3; ++i) {
    history.add_frame();
    epochs.push_back(log.append(history).mark.epoch_id);
    log.reopen();
  }
  TailIndex tail(FrameMark{});
  replay_tail(*log, tail).value();
  tail.freeze();
  const auto found = tail.oldest_frozen()->epochs();
  EXPECT_EQ(std::vector(found.begin(), found.end()), epochs);
}

}  // namespace
}  // namespace esdb::storage
