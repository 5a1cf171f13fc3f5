// esctl bench as its users run it: through a server, and ended by Ctrl-C.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

#include "esdb/event_store.h"
#include "tests/end_to_end/event_lines.h"
#include "tests/end_to_end/process.h"
#include "tests/end_to_end/server_process.h"
#include "tests/fixtures/scratch_directory.h"

namespace esdb::end_to_end {
namespace {

TEST(Bench, MeasuresThroughAServerAndCountsWhatItWroteThere) {
  const fixtures::ScratchDirectory scratch;
  ServerProcess server(scratch);
  ASSERT_TRUE(server.start()) << server.log();
  const auto done = run_esctl({"bench", "--seconds", "1", "--json", "--store", server.url()});
  ASSERT_TRUE(done.ok()) << done.err;
  EXPECT_EQ(raw_value(done.out, "kind"), "\"server\"") << done.out;
  for (const char* row :
       {"echo", "append", "in-flight", "bulk", "read", "streams", "tags", "delivery"})
    EXPECT_NE(done.out.find(R"("name":")" + std::string(row) + '"'), std::string::npos) << row;
  EXPECT_EQ(done.out.find("durable_write"), std::string::npos) << "the disk is the server's";
  const auto store = open(server.url());
  ASSERT_TRUE(store.has_value()) << store.error().message;
  const auto written = (*store)->count(types({"EsctlBenchWritten"})).value();
  EXPECT_GT(written, 0U);
  EXPECT_EQ(raw_value(done.out, "events_written"), std::to_string(written));
  // What it left there is in the way of the next.
  const auto again = run_esctl({"bench", "--seconds", "1", "--store", server.url()});
  EXPECT_EQ(again.ended, Ended{.code = 2});
  EXPECT_NE(again.err.find("--yes"), std::string::npos) << again.err;
  EXPECT_EQ((*store)->count(everything()).value(), written);
}

class InterruptedBench : public ::testing::TestWithParam<int> {};

TEST_P(InterruptedBench, RemovesItsScratchStore) {
  const fixtures::ScratchDirectory scratch;
  Process bench(esctl({"bench", "--seconds", "600", "--directory", scratch.path()}));
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (std::filesystem::is_empty(scratch.path()) && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_FALSE(std::filesystem::is_empty(scratch.path())) << bench.err();
  bench.signal(GetParam());
  EXPECT_EQ(bench.wait(), Ended{.code = 1}) << bench.err();
  EXPECT_NE(bench.err().find("interrupted"), std::string::npos) << bench.err();
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
}
INSTANTIATE_TEST_SUITE_P(Signals, InterruptedBench, ::testing::Values(SIGINT, SIGTERM));

}  // namespace
}  // namespace esdb::end_to_end
