#include "esdb/deciding.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "tests/fixtures/reference_store.h"

namespace esdb {
namespace {

using namespace std::chrono_literals;

struct Account {
  int balance = 0;
  void apply(RecordedEvent e) {
    const int amount = std::stoi(std::string(e.data()));
    if (e.type() == "Deposited") balance += amount;
    if (e.type() == "Withdrawn") balance -= amount;
  }
};

Events one(std::string type, int amount) {
  return {{.type = std::move(type), .data = std::to_string(amount)}};
}

Result<Events> withdraw(const Account& account, int amount) {
  if (account.balance < amount) return reject("insufficient funds");
  return one("Withdrawn", amount);
}

class Deciding : public ::testing::Test {
 protected:
  void SetUp() override {
    store_->append("account", Expect::none(), one("Deposited", 100)).value();
  }
  // An append by someone else, between the read and the append of a decision.
  void deposit(int amount) {
    store_->append("account", Expect::any(), one("Deposited", amount)).value();
  }
  std::unique_ptr<EventStore> store_ = fixtures::make_reference_store();
};

TEST_F(Deciding, DecidesOnWhatWasReadAndAppends) {
  const auto done =
      decide<Account>(*store_, "account", [](const Account& a) { return withdraw(a, 30); }).value();
  EXPECT_EQ(done.state.balance, 100) << "the new events are not applied";
  EXPECT_EQ(done.appended.version(), Version{2});
  EXPECT_EQ(done.attempts, 1);
}

TEST_F(Deciding, ARejectionIsTheAnswerAndNothingIsWritten) {
  const auto done =
      decide<Account>(*store_, "account", [](const Account& a) { return withdraw(a, 101); });
  EXPECT_EQ(done.error().code, ErrorCode::kRejected);
  EXPECT_EQ(done.error().message, "insufficient funds");
  EXPECT_EQ(store_->statistics()->durable, Position{1});
}

TEST_F(Deciding, NothingToDoWritesNothing) {
  const auto done = decide<Account>(*store_, "account",
                                    [](const Account&) -> Result<Events> { return Events{}; });
  EXPECT_EQ(done->appended.first, Position{});
}

TEST_F(Deciding, AfterAConflictItDecidesAgainOnWhatIsNew) {
  int calls = 0;
  const auto done = decide<Account>(*store_, "account", [&](const Account& a) {
    if (++calls == 1) deposit(50);
    return withdraw(a, 120);
  });
  EXPECT_EQ(done.error().code, ErrorCode::kRejected) << "100 at first: rejected, no second try";
  calls = 0;
  const auto again = decide<Account>(*store_, "account", [&](const Account& a) {
                       if (++calls == 1) deposit(50);
                       return withdraw(a, 120);
                     }).value();
  EXPECT_EQ(again.attempts, 2);
  EXPECT_EQ(again.state.balance, 200);
}

TEST_F(Deciding, AttemptsAreCounted) {
  int calls = 0;
  const auto done = decide<Account>(*store_, "account",
                                    [&](const Account& a) {
                                      ++calls;
                                      deposit(1);
                                      return withdraw(a, 1);
                                    },
                                    {.attempts = 3});
  EXPECT_EQ(done.error().code, ErrorCode::kConflict);
  EXPECT_EQ(calls, 3);
}

TEST_F(Deciding, TheDeadlineAndTheStopAreThoseOfTheWholeLoop) {
  const auto always_late = [&](const Account& a) {
    deposit(1);
    return withdraw(a, 1);
  };
  EXPECT_EQ(decide<Account>(*store_, "account", always_late,
                            {.attempts = 1'000'000, .call = {.timeout = 30ms}})
                .error()
                .code,
            ErrorCode::kTimedOut);
  std::stop_source stop;
  int calls = 0;
  const auto stopped = decide<Account>(*store_, "account",
                                       [&](const Account& a) {
                                         if (++calls == 5) stop.request_stop();
                                         return always_late(a);
                                       },
                                       {.attempts = 1'000'000, .call = {.stop = stop.get_token()}});
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
}

TEST_F(Deciding, ABackOffIsCutShortByAStop) {
  std::stop_source stop;
  std::jthread stopper([&] {
    std::this_thread::sleep_for(5ms);
    stop.request_stop();
  });
  EXPECT_FALSE(internal::pause(10min, stop.get_token()));
  EXPECT_TRUE(internal::pause(1ms, {}));
}

TEST_F(Deciding, BackOffsGrowAndAreBounded) {
  for (int attempt = 1; attempt < 100; ++attempt) {
    EXPECT_GE(internal::back_off(attempt), 0ns);
    EXPECT_LE(internal::back_off(attempt), 128ms);
  }
  EXPECT_LE(internal::back_off(1), 1ms);
}

TEST_F(Deciding, OverAQueryOnlyWhatItFindsIsAConflict) {
  struct Count {
    int events = 0;
    void apply(RecordedEvent) { ++events; }
  };
  const auto boundary = tagged({{"course", "c1"}});
  const auto subscribe = [&](const char* disturbance) {
    int calls = 0;
    return decide<Count>(
               *store_, boundary,
               [&](const Count&) -> Result<Events> {
                 if (++calls == 1)
                   store_->append({.events = {{.stream = "x", .type = "T", .tags = {disturbance}}}})
                       .value();
                 return Events{{.stream = "s", .type = "Subscribed", .tags = {{"course", "c1"}}}};
               })
        .value()
        .attempts;
  };
  EXPECT_EQ(subscribe("course:c2"), 1);
  EXPECT_EQ(subscribe("course:c1"), 2);
}

TEST_F(Deciding, TheFoldBeginsWithWhatIsGiven) {
  const auto done = decide(*store_, stream("account"), Account{.balance = 1000},
                           [](const Account& a) { return withdraw(a, 1100); });
  EXPECT_EQ(done.error().code, ErrorCode::kInvalidArgument) << "no stream is named";
  const auto named = decide(*store_, stream("account"), Account{.balance = 1000},
                            [](const Account& a) -> Result<Events> {
                              auto events = withdraw(a, 1100);
                              events->at(0).stream = "account";
                              return events;
                            });
  EXPECT_EQ(named->state.balance, 1100);
}

TEST_F(Deciding, ACommandThatComesTwiceHasOneEffectAndOneAnswer) {
  const auto command = EventId::make();
  const auto run = [&] {
    return decide<Account>(*store_, "account",
                           [](const Account& a) -> Result<Events> {
                             auto events = withdraw(a, 60);
                             if (!events) return events;
                             events->push_back({.stream = "audit", .type = "Noted", .data = "0"});
                             return events;
                           },
                           {.command = command})
        .value();
  };
  const auto first = run();
  deposit(5);
  const auto again = run();
  EXPECT_FALSE(first.appended.repeated);
  EXPECT_TRUE(again.appended.repeated);
  EXPECT_EQ(again.appended.first, first.appended.first);
  EXPECT_EQ(again.appended.last, first.appended.last);
  EXPECT_EQ(again.appended.committed, first.appended.committed);
  ASSERT_EQ(again.appended.streams.size(), 2u);
  EXPECT_EQ(again.appended.streams[0].version, first.appended.streams[0].version);
  EXPECT_EQ(again.appended.streams[1].stream, "audit");
  EXPECT_EQ(store_->stream_info("audit")->version, Version{1});
}

TEST_F(Deciding, ThreadsThatMeetTakeTurns) {
  std::atomic<int> done = 0, rejected = 0, other = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 10; ++i) {
          const auto result =
              decide<Account>(*store_, "account", [](const Account& a) { return withdraw(a, 3); },
                              {.attempts = 1000});
          ++(result ? done : result.error().code == ErrorCode::kRejected ? rejected : other);
        }
      });
  }
  EXPECT_EQ(done, 33);
  EXPECT_EQ(rejected, 7);
  EXPECT_EQ(other, 0);
}

}  // namespace
}  // namespace esdb
