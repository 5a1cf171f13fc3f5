// Calls with completions, on stores that drive themselves and on those that their caller drives:
// where and when completions run, what ends them, and that each runs once.
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/model/answers.h"
#include "tests/model/stores.h"

namespace esdb::model {
namespace {

using namespace std::chrono_literals;

// What a completion was given, to be looked at from the test's thread.
template <class T>
class Told {
 public:
  Completion<T> completion() {
    return [this](Result<T> result) {
      const std::lock_guard lock(mutex_);
      answers_.push_back(std::move(result));
      thread_ = std::this_thread::get_id();
    };
  }
  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return answers_.size();
  }
  const Result<T>& answer() const { return answers_.at(0); }
  std::thread::id thread() const { return thread_; }

 private:
  mutable std::mutex mutex_;
  std::vector<Result<T>> answers_;
  std::thread::id thread_;
};

NewEvent event_that_is_too_large() {
  auto large = event("s");
  large.data = std::string(kSegmentBytesMin, 'x');
  return large;
}

class Completions : public EveryStore {
 protected:
  bool is_driven_by_caller() const { return body().drive == Drive::kCaller; }
  template <class T>
  bool wait_for(const Told<T>& told) {
    return run_until(store(), [&] { return told.count() > 0; });
  }
  // Lets time pass in which a completion that must not come would come.
  void linger() {
    const auto until = std::chrono::steady_clock::now() + 30ms;
    run_until(store(), [&] { return std::chrono::steady_clock::now() >= until; });
  }
};

// ---- where they run

TEST_P(Completions, RunInsideAdvanceOrOnAnotherThreadAndNeverInsideTheCall) {
  Told<Appended> told;
  store().append(encoded({.events = {event("s")}}), {}, told.completion());
  if (is_driven_by_caller()) {
    std::this_thread::sleep_for(30ms);
    EXPECT_EQ(told.count(), 0u) << "nobody drives it";
    pollfd fd{.fd = store().wake_fd(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&fd, 1, 10'000), 1) << "and it asks to be driven";
  }
  ASSERT_TRUE(wait_for(told));
  EXPECT_EQ(told.thread() == std::this_thread::get_id(), is_driven_by_caller());
  EXPECT_EQ(told.answer()->first, Position{1});
}

TEST_P(Completions, OfRefusedCallsDoNotRunInsideTheCallEither) {
  std::atomic<bool> inside = true;
  std::atomic<int> ran_inside = 0, ran = 0;
  auto cursor = store().read(Query{});
  std::stop_source stop;
  stop.request_stop();
  cursor.next({}, [&](Result<Batch>) { ran_inside += inside && is_driven_by_caller(), ++ran; });
  store().append(encoded({.events = {event_that_is_too_large()}}), {},
                 [&](Result<Appended>) { ran_inside += inside && is_driven_by_caller(), ++ran; });
  store().append(encoded({.events = {event("s")}}), {.stop = stop.get_token()},
                 [&](Result<Appended>) { ran_inside += inside && is_driven_by_caller(), ++ran; });
  inside = false;
  EXPECT_TRUE(run_until(store(), [&] { return ran == 3; }));
  EXPECT_EQ(ran_inside, 0);
}

TEST_P(Completions, ThatMakeABlockingCallAreRefusedIt) {
  store().append("s", event("")).value();
  auto cursor = store().read(everything());
  auto other = store().read(everything());
  Told<Appended> told;
  std::string append, next, append_later;
  store().append(encoded({.events = {event("s")}}), {}, [&](Result<Appended> result) {
    append = word_of(store().append("t", event("")));
    next = word_of(cursor.next());
    told.completion()(std::move(result));
  });
  ASSERT_TRUE(wait_for(told));
  EXPECT_EQ(append, "invalid_argument");
  EXPECT_EQ(next, "invalid_argument");
  Told<Batch> read;
  other.next({}, [&](Result<Batch> batch) {
    append_later = word_of(store().append("t", event("")));
    read.completion()(std::move(batch));
  });
  ASSERT_TRUE(wait_for(read));
  EXPECT_EQ(append_later, "invalid_argument");
  EXPECT_EQ(store().statistics()->durable, Position{2});
}

TEST_P(Completions, MayMakeFurtherCallsThatHaveCompletions) {
  // Each append is made by the completion of the one before it.
  std::atomic<int> left = 40;
  std::function<void(Result<Appended>)> go_on = [&](Result<Appended> appended) {
    if (!appended) return;
    if (--left > 0)
      store().append(encoded({.events = {event("s")}}), {.session = 3},
                     [&](Result<Appended> next) { go_on(std::move(next)); });
  };
  store().append(encoded({.events = {event("s")}}), {.session = 3},
                 [&](Result<Appended> next) { go_on(std::move(next)); });
  EXPECT_TRUE(run_until(store(), [&] { return left == 0; })) << left;
  EXPECT_EQ(store().stream_info("s")->version, Version{40});
}

TEST_P(Completions, OfAppendsRunInTheOrderOfTheLogAmongBlockingOnes) {
  std::mutex mutex;
  std::vector<std::uint64_t> positions;
  {
    std::jthread blocking([&] {
      for (int i = 0; i < 30; ++i) store().append("blocking", event("")).value();
    });
    for (int i = 0; i < 100; ++i)
      store().append(encoded({.events = {event("s")}}), {.session = 1 + i % 3u},
                     [&](Result<Appended> appended) {
                       const std::lock_guard lock(mutex);
                       positions.push_back(appended.value().first.value);
                     });
    EXPECT_TRUE(run_until(store(), [&] {
      const std::lock_guard lock(mutex);
      return positions.size() == 100;
    }));
  }
  EXPECT_TRUE(std::ranges::is_sorted(positions));
}

// ---- cursors

TEST_P(Completions, OfASubscriptionComeWhenSomethingDoes) {
  auto cursor = store().subscribe(stream("wanted"));
  Told<Batch> told;
  cursor.next({}, told.completion());
  linger();
  EXPECT_EQ(told.count(), 0u);
  store().append("other", event("")).value();
  linger();
  EXPECT_EQ(told.count(), 0u) << "it does not match";
  store().append("wanted", event("")).value();
  ASSERT_TRUE(wait_for(told));
  ASSERT_TRUE(told.answer().has_value());
  ASSERT_EQ(told.answer()->size(), 1u);
  EXPECT_EQ((*told.answer()->begin()).position(), Position{2});
  EXPECT_EQ(told.answer()->version(), Version{1});
}

TEST_P(Completions, OfAWaitThatPassesBringAnEmptyBatchThatHasComeFurther) {
  auto cursor = store().subscribe(stream("wanted"));
  Told<Batch> before, after;
  cursor.next({.wait = 20ms}, before.completion());
  ASSERT_TRUE(wait_for(before));
  store().append("other", event("")).value();
  cursor.next({.wait = 20ms}, after.completion());
  ASSERT_TRUE(wait_for(after));
  for (const auto* told : {&before, &after}) {
    ASSERT_TRUE(told->answer().has_value()) << told->answer().error().message;
    EXPECT_TRUE(told->answer()->empty());
    EXPECT_FALSE(told->answer()->finished());
    EXPECT_EQ(told->answer()->considered(), Position(told == &after ? 1 : 0));
  }
}

TEST_P(Completions, EndWithCancelStopAndCloseAndTheCursorStaysUsable) {
  auto cursor = store().subscribe(everything());
  Told<Batch> cancelled, stopped, given, closed;
  cursor.next({}, cancelled.completion());
  linger();
  cursor.cancel();
  ASSERT_TRUE(wait_for(cancelled));
  EXPECT_EQ(word_of(cancelled.answer()), "cancelled");
  std::stop_source stop;
  cursor.next({.stop = stop.get_token()}, stopped.completion());
  linger();
  stop.request_stop();
  ASSERT_TRUE(wait_for(stopped));
  EXPECT_EQ(word_of(stopped.answer()), "cancelled");
  store().append("s", event("")).value();
  cursor.next({}, given.completion());
  ASSERT_TRUE(wait_for(given));
  EXPECT_EQ(given.answer()->size(), 1u);
  cursor.next({}, closed.completion());
  linger();
  store().close();
  ASSERT_TRUE(wait_for(closed));
  EXPECT_EQ(word_of(closed.answer()), "closed");
}

TEST_P(Completions, AreForOneNextAtATime) {
  auto cursor = store().subscribe(everything());
  Told<Batch> first, second;
  cursor.next({}, first.completion());
  cursor.next({}, second.completion());
  ASSERT_TRUE(wait_for(second));
  EXPECT_EQ(word_of(second.answer()), "invalid_argument");
  EXPECT_EQ(word_of(cursor.next({.wait = 0ms})), "invalid_argument");
  EXPECT_EQ(first.count(), 0u);
  store().append("s", event("")).value();
  ASSERT_TRUE(wait_for(first));
  EXPECT_EQ(first.answer()->size(), 1u);
}

TEST_P(Completions, OfADestroyedCursorNeverRun) {
  for (int i = 0; i < 20; ++i) {
    std::atomic<bool> destroyed = false, late = false;
    {
      auto cursor = store().subscribe(everything(), Start::end());
      cursor.next({}, [&](Result<Batch>) { late = late || destroyed; });
      if (i % 2 == 0) store().append("s", event("")).value();
    }
    destroyed = true;
    store().append("s", event("")).value();
    if (i % 5 == 0) linger();
    EXPECT_FALSE(late);
  }
}

TEST_P(Completions, MayDestroyTheirOwnCursor) {
  auto cursor = std::make_unique<Cursor>(store().subscribe(everything()));
  std::atomic<bool> ran = false;
  cursor->next({}, [&](Result<Batch>) {
    cursor.reset();
    ran = true;
  });
  store().append("s", event("")).value();
  EXPECT_TRUE(run_until(store(), [&] { return ran.load(); }));
  EXPECT_EQ(cursor, nullptr);
}

// A reader that asks for the next batch in the completion of the one before it.
class Follower {
 public:
  Follower(EventStore& store, Query query) : cursor_(store.subscribe(std::move(query))) { ask(); }
  std::size_t seen() const { return seen_; }
  bool in_order() const { return in_order_; }

 private:
  void ask() {
    cursor_.next({.max_bytes = 300}, [this](Result<Batch> batch) {
      if (!batch) return;
      for (const auto e : *batch) {
        in_order_ = in_order_ && e.position() > last_;
        last_ = e.position();
        ++seen_;
      }
      ask();
    });
  }

  std::atomic<std::size_t> seen_ = 0;
  std::atomic<bool> in_order_ = true;
  Position last_{};
  Cursor cursor_;
};

TEST_P(Completions, TwoFollowersSeeEverythingOnceAndInOrder) {
  Follower all(store(), everything()), some(store(), stream("s-1"));
  for (int i = 0; i < 60; ++i)
    store().append({.events = {event("s-" + std::to_string(i % 3)), event("t")}}).value();
  EXPECT_TRUE(run_until(store(), [&] { return all.seen() == 120 && some.seen() == 20; }))
      << all.seen() << " " << some.seen();
  EXPECT_TRUE(all.in_order() && some.in_order());
}

// ---- the end

TEST_P(Completions, OfAppendsTakenUpRunBeforeCloseReturnsAndEachOnce) {
  constexpr std::size_t kAppends = 200;
  std::vector<std::atomic<int>> ran(kAppends);
  std::atomic<int> written = 0;
  for (std::size_t i = 0; i < kAppends; ++i)
    store().append(encoded({.events = {event("s")}}), {}, [&, i](Result<Appended> appended) {
      ++ran[i];
      written += appended.has_value();
    });
  store().close();
  run_until(store(),
            [&] { return std::ranges::all_of(ran, [](const auto& times) { return times > 0; }); });
  for (std::size_t i = 0; i < kAppends; ++i) EXPECT_EQ(ran[i], 1) << i;
  Told<Appended> late;
  store().append(encoded({.events = {event("s")}}), {}, late.completion());
  ASSERT_TRUE(wait_for(late));
  EXPECT_EQ(word_of(late.answer()), "closed");
}

TEST_P(Completions, CloseEndsEveryBlockedCall) {
  auto waiting = store().subscribe(everything());
  std::promise<std::string> told;
  std::jthread blocked([&] { told.set_value(word_of(waiting.next())); });
  std::this_thread::sleep_for(20ms);
  store().close();
  auto answer = told.get_future();
  ASSERT_EQ(answer.wait_for(30s), std::future_status::ready);
  EXPECT_EQ(answer.get(), "closed");
  EXPECT_EQ(word_of(store().append("s", event(""))), "closed");
  EXPECT_EQ(word_of(store().stream_info("s")), "closed");
  EXPECT_EQ(word_of(store().streams()), "closed");
  EXPECT_EQ(word_of(store().terms(TermKind::kTag)), "closed");
  EXPECT_EQ(word_of(store().count(everything())), "closed");
  EXPECT_EQ(word_of(store().tracked("s")), "closed");
  EXPECT_EQ(word_of(store().tracking()), "closed");
  EXPECT_EQ(word_of(store().statistics()), "closed");
  EXPECT_EQ(word_of(store().read(everything()).next()), "closed");
}

INSTANTIATE_TEST_SUITE_P(Every, Completions, ::testing::ValuesIn(bodies()), name_of_body);

}  // namespace
}  // namespace esdb::model
