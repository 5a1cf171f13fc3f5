// Power's end, as far as a process can know it: kill -9 at random moments while several threads
// append, and everything acknowledged held against a ledger kept elsewhere.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <random>
#include <string>
#include <string_view>

#include "tests/end_to_end/interrupted_import.h"
#include "tests/end_to_end/ledger.h"
#include "tests/end_to_end/process.h"
#include "tests/end_to_end/recount.h"
#include "tests/end_to_end/server_process.h"
#include "tests/end_to_end/writer_process.h"
#include "tests/fixtures/figures.h"
#include "tests/fixtures/scratch_directory.h"
#include "tests/fixtures/test_run.h"

namespace esdb::end_to_end {
namespace {

using std::chrono::milliseconds;

// Whoever was told of the last append, and forgot, appends it again.
void expect_retry_of_the_last_is_recognised(EventStore& store, const Ledger& ledger) {
  const auto last = std::max_element(
      ledger.entries().begin(), ledger.entries().end(),
      [](const auto& a, const auto& b) { return a.second.position < b.second.position; });
  const auto first = last->second.position - last->second.part.index;
  AppendRequest request;
  const auto read = store.for_each(
      everything(), {.start = Start::after(first - 1), .limit = last->second.part.of},
      [&request](RecordedEvent event) { request.events.push_back(event.copy()); });
  ASSERT_TRUE(read.has_value()) << read.error().message;
  const auto again = store.append(request);
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_TRUE(again->repeated);
  EXPECT_EQ(again->first, Position{first});
}

void expect_agreement(const std::string& url, const Ledger& ledger,
                      Access access = Access::kReadWrite) {
  auto store = open(url, {.access = access, .memory = kMemoryMin});
  ASSERT_TRUE(store.has_value()) << store.error().message;
  ASSERT_EQ(disagreement(**store, ledger), "") << ledger.size() << " events in the ledger";
  if (ledger.size() != 0 && access == Access::kReadWrite)
    expect_retry_of_the_last_is_recognised(**store, ledger);
}

constexpr std::size_t kCycles = 15;  // of one store's life; ESDB_TEST_SCALE is the number of lives

void run_lives(std::string_view what, void (*live)(std::mt19937_64& random, std::size_t& events)) {
  auto random = random_from_printed_seed();
  std::size_t events = 0;
  for (std::size_t life = 0; life < fixtures::scaled(1); ++life)
    ASSERT_NO_FATAL_FAILURE(live(random, events)) << "life " << life;
  fixtures::tell(what,
                 {{kCycles * fixtures::scaled(1), "cycles"}, {events, "acknowledged events"}});
}

// A store's life: how many events were acknowledged in it.
void kill_a_process_that_appends(std::mt19937_64& random, std::size_t& events) {
  std::uniform_int_distribution<int> moment(5, 150), one_of_four(0, 3);
  const fixtures::ScratchDirectory scratch;
  const auto directory = scratch.path("data");
  Ledger ledger;
  for (std::size_t cycle = 0; cycle < kCycles; ++cycle) {
    WriterProcess writer(directory, {.seed = random()});
    // Mostly while it appends; at times while it opens the store.
    if (one_of_four(random) != 0) {
      ASSERT_TRUE(writer.listen_until_open(ledger)) << writer.process().err();
    }
    ASSERT_TRUE(writer.listen(ledger, milliseconds(moment(random)))) << writer.process().err();
    ASSERT_EQ(writer.process().kill(), Ended{.signal = SIGKILL});
    writer.listen_to_the_end(ledger);
    if (!ledger.writers()) continue;  // there may be no store yet
    // A reader alone finds the same, and leaves the torn end to whoever writes next.
    if (cycle % 3 == 0) {
      ASSERT_NO_FATAL_FAILURE(expect_agreement(directory, ledger, Access::kReadOnly))
          << "cycle " << cycle;
    }
    ASSERT_NO_FATAL_FAILURE(expect_agreement(directory, ledger)) << "cycle " << cycle;
  }
  EXPECT_GT(ledger.size(), 0U);
  // The same once more with an index that is built from nothing.
  std::filesystem::remove_all(directory + "/index");
  ASSERT_NO_FATAL_FAILURE(expect_agreement(directory, ledger));
  events += ledger.size();
}

TEST(Kill, OfAProcessThatAppendsLosesNothingThatWasAcknowledged) {
  run_lives("kill -9 of a process that appends", kill_a_process_that_appends);
}

std::string how_it_ended(ServerProcess& server) {
  const auto ended = server.process().wait();
  return (ended ? to_string(*ended) : "it runs on") + ": " + server.log();
}

void kill_a_server(std::mt19937_64& random, std::size_t& events) {
  std::uniform_int_distribution<int> moment(5, 150), one_of_four(0, 3);
  const fixtures::ScratchDirectory scratch;
  ServerProcess server(scratch, {.arguments = small_server(scratch)});
  Ledger ledger;
  ASSERT_TRUE(server.start()) << how_it_ended(server);
  WriterProcess writer(server.url(), {.seed = random()});
  ASSERT_TRUE(writer.listen_until_open(ledger)) << writer.process().err();
  for (std::size_t cycle = 0; cycle < kCycles; ++cycle) {
    // Mostly while it answers, which a client that backed off meets after a while; at times at
    // once.
    if (one_of_four(random) != 0) {
      ASSERT_TRUE(writer.listen_until(ledger, ledger.size() + 1)) << writer.process().err();
    }
    ASSERT_TRUE(writer.listen(ledger, milliseconds(moment(random)))) << writer.process().err();
    ASSERT_EQ(server.kill(), Ended{.signal = SIGKILL}) << server.log();
    ASSERT_TRUE(server.start()) << how_it_ended(server);
  }
  ASSERT_TRUE(writer.listen_until(ledger, ledger.size() + 1)) << writer.process().err();
  writer.process().kill();
  writer.listen_to_the_end(ledger);
  EXPECT_GT(ledger.size(), 0U);
  // What the writer had on its way may still be appended: a stop waits for it.
  EXPECT_EQ(server.stop(), Ended{.code = 0}) << server.log();
  ASSERT_TRUE(server.start()) << how_it_ended(server);
  ASSERT_NO_FATAL_FAILURE(expect_agreement(server.url(), ledger));
  EXPECT_EQ(server.stop(), Ended{.code = 0}) << server.log();
  ASSERT_NO_FATAL_FAILURE(expect_agreement(server.data(), ledger));
  events += ledger.size();
}

TEST(Kill, OfAServerLosesNothingThatWasAcknowledgedAndClientsGoOn) {
  run_lives("kill -9 of a server", kill_a_server);
}

TEST(Kill, OfAServerLetsItsClientsFinishEachAppendOnce) {
  auto random = random_from_printed_seed();
  std::uniform_int_distribution<int> moment(5, 100);
  const fixtures::ScratchDirectory scratch;
  ServerProcess server(scratch);
  Ledger ledger;
  ASSERT_TRUE(server.start()) << how_it_ended(server);
  constexpr std::size_t kThreads = 4, kAppends = 150;
  WriterProcess writer(server.url(), {.seed = random(), .threads = kThreads, .appends = kAppends});
  ASSERT_TRUE(writer.listen_until_open(ledger)) << writer.process().err();
  for (int cycle = 0; cycle < 5; ++cycle) {
    if (!writer.listen(ledger, milliseconds(moment(random)))) break;
    server.kill();
    ASSERT_TRUE(server.start()) << how_it_ended(server);
  }
  writer.listen_to_the_end(ledger);
  EXPECT_EQ(writer.process().wait(), Ended{.code = 0}) << writer.process().err();
  ASSERT_NO_FATAL_FAILURE(expect_agreement(server.url(), ledger));
  std::size_t appends = 0;
  for (const auto& [id, entry] : ledger.entries()) appends += entry.part.index == 0 ? 1 : 0;
  EXPECT_EQ(appends, kThreads * kAppends);
  const auto store = open(server.url());
  ASSERT_TRUE(store.has_value()) << store.error().message;
  const auto statistics = (*store)->statistics();
  ASSERT_TRUE(statistics.has_value()) << statistics.error().message;
  EXPECT_EQ(statistics->events, ledger.size()) << "events that nobody was told of";
}

}  // namespace
}  // namespace esdb::end_to_end
