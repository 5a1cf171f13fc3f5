// A random history: executed on a store and on the reference, step by step, and every answer
// compared.
//
// A step draws all it does from its own seed and from how far the history has come, so that a
// history of which steps are left out is a history too: that is how a failing one is made short.
//
// Threads: one.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "esdb/testing.h"
#include "tests/model/chance.h"
#include "tests/model/stores.h"

namespace esdb::model {

// A clock that another thread may read while it is set.
class SettableClock final : public Clock {
 public:
  Time now() override { return Time(std::chrono::nanoseconds(now_.load())); }
  void set(Time time) { now_ = time.time_since_epoch().count(); }

 private:
  std::atomic<std::int64_t> now_{1'900'000'000'000'000'000};
};

class History {
 public:
  explicit History(const Body& body);

  // What differed; nothing when all was as the reference has it.
  std::optional<std::string> step(std::uint64_t seed);
  // What the steps did, one entry each.
  const std::vector<std::string>& told() const { return told_; }

 private:
  struct Subscription {
    Query query{};
    Cursor tested;
    Cursor expected;
    Checkpoint seen{};  // of the tested one
  };

  void append(Chance& chance);
  void append_many(Chance& chance);
  void read(Chance& chance);
  void subscribe(Chance& chance);
  void follow(Subscription& subscription);
  void look(Chance& chance);
  void look_at_pages(Chance& chance);
  void reopen();
  void open_read_only(Chance& chance);
  void pass_time(Chance& chance);

  AppendRequest next_request(Chance& chance);
  // The reference's answer to an append that the tested store answered so.
  Result<Appended> expected_of(const AppendRequest& request, const Result<Appended>& tested);
  void tell(std::string text) { told_.push_back(std::move(text)); }
  void compare(const std::string& tested, const std::string& expected);

  const Body body_;
  SettableClock clock_{};
  OpenOptions options_;
  std::unique_ptr<Home> home_;
  std::unique_ptr<EventStore> tested_;
  std::unique_ptr<EventStore> reference_;
  std::vector<AppendRequest> requests_{};
  std::vector<Subscription> subscriptions_{};
  std::vector<std::string> told_{};
  std::optional<std::string> difference_{};
};

}  // namespace esdb::model
