// The full history, through everything: esctl, server, client, engine, projection.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "esdb/event_store.h"
#include "tests/end_to_end/event_lines.h"
#include "tests/end_to_end/interrupted_import.h"
#include "tests/end_to_end/known_answers.h"
#include "tests/end_to_end/process.h"
#include "tests/end_to_end/server_process.h"
#include "tests/fixtures/scratch_directory.h"

namespace esdb::end_to_end {
namespace {

class History : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!history_is_there())
      GTEST_SKIP() << "the history is not at " << kHistory << ", beside the checkout";
  }
  // Imports all of it; then a second time, which adds nothing.
  void import_into(const std::string& store) {
    for (const auto* expected : {"307008", "0"}) {
      const auto imported = run_esctl(
          {"import", kHistory, "--commit-by", "correlationId", "--store", store, "--json"});
      ASSERT_TRUE(imported.ok()) << to_string(imported.ended) << imported.err;
      EXPECT_EQ(raw_value(imported.out, "events"), expected) << imported.out;
    }
  }
  std::string difference_of(const std::string& store) {
    return difference(LineFile(kHistory), store, scratch_.path("exported.ndjson"));
  }
  std::string directory() const { return scratch_.path("data"); }

  const fixtures::ScratchDirectory scratch_{};
};

TEST_F(History, ThroughAServerGivesEveryKnownAnswer) {
  ServerProcess server(scratch_);
  ASSERT_TRUE(server.start()) << server.log();
  ASSERT_NO_FATAL_FAILURE(import_into(server.url()));
  const auto store = open(server.url());
  ASSERT_TRUE(store.has_value()) << store.error().message;
  expect_known_answers(**store, history_answers());
  expect_known_answers_of_esctl(server.url(), history_answers(), scratch_);
  EXPECT_EQ(difference_of(server.url()), "");
  EXPECT_EQ(server.stop(), Ended{.code = 0}) << server.log();
}

TEST_F(History, InADirectoryGivesEveryKnownAnswer) {
  ASSERT_NO_FATAL_FAILURE(import_into(directory()));
  expect_known_answers_of_esctl(directory(), history_answers(), scratch_);
  EXPECT_EQ(difference_of(directory()), "");
  const auto store = open(directory(), {.create = Create::kNever});
  ASSERT_TRUE(store.has_value()) << store.error().message;
  expect_known_answers(**store, history_answers());
}

TEST_F(History, KilledTenTimesOnItsWayIntoADirectoryGivesTheSameStore) {
  auto random = random_from_printed_seed();
  const LineFile history(kHistory);
  ASSERT_EQ(import_with_kills(history, directory(), random_lines(history, 10, random)), "");
  EXPECT_EQ(difference(history, directory(), scratch_.path("exported.ndjson")), "");
}

TEST_F(History, WhoseServerIsKilledTenTimesGivesTheSameStore) {
  auto random = random_from_printed_seed();
  const LineFile history(kHistory);
  ServerProcess server(scratch_);
  ASSERT_TRUE(server.start()) << server.log();
  ASSERT_EQ(import_with_server_kills(history, server, random_lines(history, 10, random)), "");
  EXPECT_EQ(difference(history, server.url(), scratch_.path("exported.ndjson")), "");
}

// Anonymous memory of a process, in MiB; 0 when it is gone.
std::uint64_t anonymous_memory(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; status >> word;) {
    std::uint64_t kilobytes = 0;
    if (word == "RssAnon:" && status >> kilobytes) return kilobytes >> 10;
  }
  return 0;
}

// Reads on and on, and takes its time over each batch.
void subscribe_slowly(EventStore& store, std::stop_token stop, std::atomic<std::uint64_t>& read) {
  auto cursor = store.subscribe(everything());
  while (!stop.stop_requested()) {
    const auto batch = cursor.next({.wait = std::chrono::milliseconds(100), .stop = stop});
    if (!batch) return;
    read += batch->size();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

TEST_F(History, ImportedBesideTenSlowSubscribersKeepsTheServerWithinItsMemory) {
  ServerProcess server(scratch_, {.arguments = {"--memory", "256MiB"}});
  ASSERT_TRUE(server.start()) << server.log();
  std::uint64_t most = 0;
  std::atomic<std::uint64_t> read = 0;
  {
    std::vector<std::unique_ptr<EventStore>> stores;
    std::vector<std::jthread> subscribers;
    for (int i = 0; i < 10; ++i) {
      auto store = open(server.url());
      ASSERT_TRUE(store.has_value()) << store.error().message;
      stores.push_back(std::move(*store));
      subscribers.emplace_back([&store = *stores.back(), &read](std::stop_token stop) {
        subscribe_slowly(store, std::move(stop), read);
      });
    }
    Process importer(
        esctl({"import", kHistory, "--commit-by", "correlationId", "--store", server.url()}));
    while (!importer.wait(std::chrono::milliseconds(5)))
      most = std::max(most, anonymous_memory(server.process().pid()));
    EXPECT_EQ(importer.wait(), Ended{.code = 0}) << importer.err();
  }
  EXPECT_GT(read, 0U);
  RecordProperty("most_anonymous_memory_mib", static_cast<int>(most));
  std::cout << "the server's anonymous memory was " << most << " MiB at the most" << std::endl;
#ifndef ESDB_SANITIZED
  EXPECT_LE(most, 300U);
#endif
  EXPECT_EQ(server.stop(), Ended{.code = 0}) << server.log();
}

}  // namespace
}  // namespace esdb::end_to_end
