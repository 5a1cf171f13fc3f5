#include "esdb/projection.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <stdexcept>
#include <thread>
#include <vector>

#include "esdb/memory_view.h"
#include "tests/fixtures/reference_store.h"

namespace esdb {
namespace {

using namespace std::chrono_literals;
using Counts = std::map<std::string, int>;

class ProjectionTest : public ::testing::Test {
 protected:
  void write(int events, const std::string& type = "Placed") {
    for (int i = 0; i < events; ++i)
      store_
          ->append("order-" + std::to_string(i % 3), {.type = type, .data = std::string(100, 'x')})
          .value();
  }
  Projection make() { return Projection(*store_, "orders", category("order"), view_); }
  int total() const {
    int all = 0;
    for (const auto& [stream, count] : *view_.committed()) all += count;
    return all;
  }
  auto counting() {
    return [this](RecordedEvent e) { ++view_.state()[std::string(e.stream())]; };
  }

  std::unique_ptr<EventStore> store_ = fixtures::make_reference_store();
  MemoryView<Counts> view_{};
};

TEST_F(ProjectionTest, CountsEveryEventOnce) {
  write(10);
  store_->append("noise", {.type = "Placed"}).value();
  auto projection = make();
  projection.on("Placed", counting());
  EXPECT_EQ(projection.run_until_caught_up().value(), Position{11});
  EXPECT_EQ(total(), 10);
  EXPECT_EQ(projection.run_until_caught_up().value(), Position{11});
  EXPECT_EQ(total(), 10) << "a second run adds nothing";
  EXPECT_EQ(projection.lag(), 0u);
  EXPECT_EQ(projection.considered(), Position{11});
  write(5);
  projection.run_until_caught_up().value();
  EXPECT_EQ(total(), 15);
}

TEST_F(ProjectionTest, AnEmptyStoreIsCaughtUpWith) {
  EXPECT_EQ(make().run_until_caught_up().value(), Position{});
}

TEST_F(ProjectionTest, TypesWithoutAHandlerArePassedOverOrGivenToOtherwise) {
  write(2, "Placed"), write(3, "Paid"), write(4, "Sent");
  int placed = 0, paid = 0, other = 0;
  auto projection = make();
  projection.on("Placed", [&](RecordedEvent) { ++placed; });
  projection.on("Paid", [&](RecordedEvent) { ADD_FAILURE() << "replaced"; });
  projection.on("Paid", [&](RecordedEvent) -> Result<void> { return ++paid, Result<void>{}; });
  projection.run_until_caught_up().value();
  EXPECT_EQ(placed, 2);
  EXPECT_EQ(paid, 3);
  MemoryView<Counts> second;
  Projection with_fallback(*store_, "all", category("order"), second);
  with_fallback.otherwise([&](RecordedEvent) { ++other; });
  with_fallback.run_until_caught_up().value();
  EXPECT_EQ(other, 9);
}

TEST_F(ProjectionTest, AFailureInTheMiddleRollsBackAndTheNextRunTakesEachEventOnce) {
  write(20'000);  // several batches
  auto projection = make();
  int left = 12'345, handled = 0;
  projection.on("Placed", [&, count = counting()](RecordedEvent e) -> Result<void> {
    ++handled;
    if (--left == 0) return reject("simulated crash");
    return count(e), Result<void>{};
  });
  const auto failed = projection.run_until_caught_up();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kRejected) << "a handler's error keeps its code";
  EXPECT_EQ(failed.error().message, "projection orders: event 12345 (Placed): simulated crash");
  EXPECT_EQ(static_cast<std::uint64_t>(total()), view_.checkpoint().position.value)
      << "the view and its checkpoint agree";
  EXPECT_GT(total(), 0) << "earlier batches were committed";
  EXPECT_LT(total(), 12'345);
  projection.run_until_caught_up().value();
  EXPECT_EQ(total(), 20'000);
  EXPECT_GT(handled, 20'000) << "some were handled again, with no effect of the first time left";
}

TEST_F(ProjectionTest, AnExceptionOfAHandlerBecomesTheRunsError) {
  write(3);
  auto projection = make();
  projection.on("Placed", [](RecordedEvent e) {
    if (e.position() == Position{2}) throw std::runtime_error("bad JSON");
  });
  const auto failed = projection.run_until_caught_up();
  EXPECT_EQ(failed.error().code, ErrorCode::kFailed);
  EXPECT_EQ(failed.error().message, "projection orders: event 2 (Placed): bad JSON");
  projection.on("Placed", [](RecordedEvent) { throw 7; });
  EXPECT_EQ(projection.run_until_caught_up().error().code, ErrorCode::kFailed);
}

TEST_F(ProjectionTest, AViewOfAnotherStoreIsToldApart) {
  write(5);
  make().run_until_caught_up().value();
  const auto elsewhere = fixtures::make_reference_store();
  for (int i = 0; i < 9; ++i) elsewhere->append("order-1", {.type = "Placed"}).value();
  Projection projection(*elsewhere, "orders", category("order"), view_);
  const auto failed = projection.run_until_caught_up();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kOtherStore);
  EXPECT_TRUE(failed.error().message.starts_with("projection orders: ")) << failed.error().message;
  std::stop_source stop;
  EXPECT_EQ(projection.run(stop.get_token()).error().code, ErrorCode::kOtherStore);
}

TEST_F(ProjectionTest, AStoreRestoredToAnEarlierPointIsToldApart) {
  const auto restored =
      fixtures::make_reference_store(OpenOptions{}, {.store_id = store_->statistics()->store_id});
  write(5);
  make().run_until_caught_up().value();
  restored->append("order-1", {.type = "Placed"}).value();
  Projection projection(*restored, "orders", category("order"), view_);
  EXPECT_EQ(projection.run_until_caught_up().error().code, ErrorCode::kOtherStore);
}

TEST_F(ProjectionTest, RunsUntilItIsStopped) {
  auto projection = make();
  projection.on("Placed", counting());
  Result<void> outcome = reject("never ran");
  std::jthread runner([&](std::stop_token stop) { outcome = projection.run(stop); });
  write(100);
  while (view_.checkpoint().position < 100) std::this_thread::sleep_for(1ms);
  const auto asked = std::chrono::steady_clock::now();
  runner.request_stop();
  runner.join();
  EXPECT_TRUE(outcome) << outcome.error().message;
  EXPECT_LT(std::chrono::steady_clock::now() - asked, 10s);
  EXPECT_EQ(total(), 100);
  EXPECT_EQ(projection.lag(), 0u);
}

TEST_F(ProjectionTest, ClosingTheStoreEndsARun) {
  auto projection = make();
  Result<void> outcome{};
  std::jthread runner([&](std::stop_token stop) { outcome = projection.run(stop); });
  std::this_thread::sleep_for(5ms);
  store_->close();
  runner.join();
  EXPECT_EQ(outcome.error().code, ErrorCode::kClosed);
}

TEST_F(ProjectionTest, WhatDoesNotMatchIsConsideredToo) {
  auto projection = make();
  std::jthread runner([&](std::stop_token stop) { (void)projection.run(stop); });
  store_->append("noise", {.type = "Noise"}).value();
  // The view learns of it although no event came: the next start does not read the noise again.
  while (view_.checkpoint().position < 1) std::this_thread::sleep_for(5ms);
  EXPECT_EQ(projection.considered(), Position{1});
}

// ---- views that fail

struct FailingView final : View {
  Result<Checkpoint> begin() override {
    if (fail_begin) return reject("no begin");
    return ++open, Checkpoint{};
  }
  Result<void> commit(const Checkpoint&) override { return reject("no commit"); }
  void rollback() override { --open; }
  bool fail_begin = false;
  int open = 0;
};

// Another projection commits to it between this one's look and its transaction.
struct SharedView final : View {
  Result<Checkpoint> begin() override {
    return looked++ == 0 ? Checkpoint{} : Checkpoint{.position = 3};
  }
  Result<void> commit(const Checkpoint&) override {
    ADD_FAILURE() << "committed what someone else did already";
    return {};
  }
  void rollback() override {}
  int looked = 0;
};

TEST_F(ProjectionTest, AViewThatSomeoneElseMovesIsNotWrittenTwice) {
  write(5);
  SharedView view;
  Projection projection(*store_, "p", category("order"), view);
  const auto failed = projection.run_until_caught_up();
  EXPECT_EQ(failed.error().code, ErrorCode::kFailed);
  EXPECT_EQ(failed.error().message,
            "projection p: the view stands at position 3 and not at 0, where this projection left "
            "it: someone else moves it too");
}

TEST_F(ProjectionTest, AViewsErrorEndsTheRunAndEveryTransactionIsRolledBack) {
  write(1);
  FailingView view;
  Projection projection(*store_, "p", category("order"), view);
  EXPECT_EQ(projection.run_until_caught_up().error().message, "projection p: no commit");
  EXPECT_EQ(view.open, 0);
  view.fail_begin = true;
  EXPECT_EQ(projection.run_until_caught_up().error().message, "projection p: no begin");
  EXPECT_EQ(view.open, 0);
}

}  // namespace
}  // namespace esdb
