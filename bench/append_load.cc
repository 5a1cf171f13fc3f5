#include "bench/append_load.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>

namespace esdb::bench {
namespace {

class Caller;

// What the callers of one load share.
//
// A store refuses what is more than its queue holds. Whoever is refused waits for somebody else's
// answer, and then sends the same again.
class Round {
 public:
  Round(const Amount& amount, std::size_t callers) : budget_(amount), running_(callers) {}
  void begin() { budget_.begin(); }

  // Whether one more is to be made.
  bool take(bool is_first, Clock::time_point now) {
    return !failed_.load(std::memory_order_relaxed) && budget_.take(is_first, now);
  }
  void fail(const Error& error) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = error;
    failed_ = true;
  }
  void leave() {
    // Under the lock, because whoever waits takes everything down.
    const std::lock_guard lock(mutex_);
    if (--running_ == 0) all_left_.notify_one();
  }
  void sent() { ++in_flight_; }
  // One less waits for its answer: the refused caller that may send again, if there is one.
  Caller* answered() {
    --in_flight_;
    return refused_count_ > 0 ? next_refused() : nullptr;
  }
  // The same for one that was refused itself: it may be told to send again at once, when nobody is
  // left whose answer it could wait for.
  Caller* refused(Caller& caller) {
    {
      const std::lock_guard lock(mutex_);
      refused_.push_back(&caller);
      ++refused_count_;
    }
    return --in_flight_ == 0 ? next_refused() : nullptr;
  }
  void wait() {
    std::unique_lock lock(mutex_);
    all_left_.wait(lock, [this] { return running_ == 0; });
  }
  double taken() const { return budget_.taken(); }
  const std::optional<Error>& error() const { return error_; }

 private:
  Caller* next_refused() {
    const std::lock_guard lock(mutex_);
    if (refused_.empty()) return nullptr;
    auto* caller = refused_.back();
    refused_.pop_back();
    --refused_count_;
    return caller;
  }

  Budget budget_;
  std::atomic<bool> failed_{false};
  std::atomic<std::size_t> in_flight_{0}, refused_count_{0};
  std::mutex mutex_;
  std::vector<Caller*> refused_;
  std::condition_variable all_left_;
  std::size_t running_;
  std::optional<Error> error_;
};

// It counts in what its connection has told, whose completions all run on one thread.
class Caller {
 public:
  Caller(EventStore& store, const AppendLoad& load, std::size_t number, Round& round, Appends& told)
      : store_(store),
        told_(told),
        shape_(own_shape(load, number)),
        author_(shape_, load.seed * 1'000'003 + number),
        checked_tags_(load.checked_tags),
        numbers_(load.seed + number),
        condition_(load.condition == Condition::kUnchanged && number % 2 == 0 ? Condition::kNone
                                                                              : load.condition),
        round_(round) {}

  // Where its appends stand upon: what is in the store already.
  Result<void> prepare() {
    if (condition_ == Condition::kVersion) {
      auto info = store_.stream_info(stream_name(shape_, shape_.first_stream));
      if (!info) return std::unexpected(info.error());
      version_ = info->version;
    } else if (condition_ == Condition::kUnchanged || condition_ == Condition::kHead) {
      auto statistics = store_.statistics();
      if (!statistics) return std::unexpected(statistics.error());
      seen_ = statistics->durable;
    }
    return {};
  }

  // One after another, until there are no more to make.
  void block() {
    auto now = Clock::now();
    for (bool is_first = true; round_.take(is_first, now); is_first = false) {
      auto append = encode();
      if (!append) return round_.fail(append.error());
      begun_ = Clock::now();
      auto appended = store_.append(*std::move(append));
      now = Clock::now();
      if (!appended) return round_.fail(appended.error());
      note(*appended, now);
    }
  }

  void begin() { next(true, Clock::now()); }

 private:
  // Streams that only callers with a version write to.
  static constexpr std::uint64_t kFirstOwnStream = std::uint64_t{1} << 40;

  static Shape own_shape(const AppendLoad& load, std::size_t number) {
    Shape shape = load.shape;
    if (load.condition == Condition::kVersion) {
      shape.streams = 1;
      shape.first_stream = kFirstOwnStream + number;
    } else if (load.condition == Condition::kUnchanged && number % 2 == 1) {
      shape.first_tag += number % shape.tags;
      shape.tags = 1;
    }
    return shape;
  }
  Query own_tag() const { return tagged({Tag(author_tag_)}); }

  Result<EncodedAppend> encode() {
    auto& request = author_.next();
    if (condition_ == Condition::kVersion) {
      if (request.checks.empty())
        request.checks.push_back(Check::stream(request.events.front().stream, Expect::any()));
      request.checks.front().expect = Expect::exactly(version_);
    } else if (condition_ == Condition::kUnchanged) {
      author_tag_ = request.events.front().tags.front().text;
      if (request.checks.empty()) request.checks.push_back(Check::unchanged(own_tag(), seen_));
      request.checks.front().after = seen_;
    } else if (condition_ == Condition::kHead) {
      author_tag_ = tag_text(shape_, numbers_() % checked_tags_);
      request.checks.assign(1, Check::unchanged(own_tag(), seen_));
    }
    return EncodedAppend::encode(request);
  }

  // `now`: when the answer to the one before came.
  void next(bool is_first, Clock::time_point now) {
    if (!round_.take(is_first, now)) return round_.leave();
    begun_ = now;
    auto append = encode();
    if (!append) return give_up(append.error());
    send(*std::move(append));
  }

  void send(EncodedAppend append) {
    append_ = std::move(append);
    send_again();
  }
  void send_again() {
    round_.sent();
    store_.append(append_, {}, [this](Result<Appended> appended) {
      if (!appended && appended.error().code == ErrorCode::kOverloaded) {
        ++told_.refused;
        resume(round_.refused(*this));
        return;
      }
      resume(round_.answered());
      if (appended) {
        const auto now = Clock::now();
        note(*appended, now);
        next(false, now);
      } else if (condition_ == Condition::kUnchanged &&
                 appended.error().code == ErrorCode::kConflict) {
        ++told_.conflicts;
        read_on();
      } else {
        give_up(appended.error());
      }
    });
  }
  static void resume(Caller* refused) {
    if (refused != nullptr) refused->send_again();
  }

  // Behind a conflict: what is new is read, then the same is tried on top of it.
  void read_on() {
    cursor_.emplace(store_.read(own_tag(), {.start = Start::after(seen_)}));
    next_batch();
  }
  void next_batch() {
    cursor_->next({}, [this](Result<Batch> batch) {
      if (!batch) return give_up(batch.error());
      seen_ = batch->considered();
      if (!batch->finished()) return next_batch();
      auto append = encode();
      if (!append) return give_up(append.error());
      send(*std::move(append));
    });
  }

  void note(const Appended& appended, Clock::time_point now) {
    told_.latencies.add(now - begun_);
    ++told_.appends;
    told_.events += appended.last.value - appended.first.value + 1;
    told_.last = seen_ = appended.last;
    version_ = appended.version();
  }
  void give_up(const Error& error) {
    round_.fail(error);
    round_.leave();
  }

  EventStore& store_;
  Appends& told_;
  const Shape shape_;
  Author author_;
  const std::uint64_t checked_tags_;
  Numbers numbers_;
  const Condition condition_;
  Round& round_;
  EncodedAppend append_;  // what waits for its answer
  std::string author_tag_;
  std::optional<Cursor> cursor_;
  Version version_;
  Position seen_;
  Clock::time_point begun_;
};

Result<Appends> run_on(const std::vector<EventStore*>& connections, const AppendLoad& load) {
  const auto count = connections.size() * load.in_flight;
  Round round(load.amount, count);
  std::vector<Appends> told(connections.size());
  std::vector<std::unique_ptr<Caller>> callers;
  for (std::size_t i = 0; i < count; ++i) {
    const auto at = i % connections.size();
    callers.push_back(std::make_unique<Caller>(*connections[at], load, i, round, told[at]));
    if (auto prepared = callers.back()->prepare(); !prepared)
      return std::unexpected(prepared.error());
  }
  round.begin();
  if (count == 1) {
    callers.front()->block();
  } else {
    for (const auto& caller : callers) caller->begin();
    round.wait();
  }
  Appends all{.taken = round.taken()};
  if (round.error()) return std::unexpected(*round.error());
  for (const auto& each : told) {
    all.appends += each.appends;
    all.events += each.events;
    all.conflicts += each.conflicts;
    all.refused += each.refused;
    all.last = std::max(all.last, each.last);
    all.latencies.merge(each.latencies);
  }
  return all;
}

}  // namespace

Result<Appends> run(Connections connections, const AppendLoad& load) {
  std::vector<EventStore*> stores;
  for (const auto& store : connections) stores.push_back(store.get());
  return run_on(stores, load);
}
Result<Appends> run(EventStore& store, const AppendLoad& load) { return run_on({&store}, load); }

std::size_t encoded_bytes(const Shape& shape) {
  Author author(shape, 1);
  return EncodedAppend::encode(author.next()).value().bytes().size();
}

}  // namespace esdb::bench
