#include "tests/model/history.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "tests/fixtures/reference_store.h"
#include "tests/model/answers.h"
#include "tests/model/words.h"

namespace esdb::model {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kSubscriptionsMax = 3;
constexpr int kBatchesMax = 100'000;  // of one read: it must come to an end

// Everything a cursor gives until it has come to its end (or to `until`), and where it stands then.
struct Drained {
  std::string text{};
  Checkpoint seen{};
  bool failed = false;
};

Drained drain(Cursor& cursor, std::size_t max_bytes, std::optional<Position> until) {
  Drained drained;
  for (int batches = 0; batches < kBatchesMax; ++batches) {
    const auto batch =
        cursor.next({.max_bytes = max_bytes, .wait = until ? 0ms : std::chrono::milliseconds(30s)});
    if (!batch) {
      drained.text += to_text(batch.error());
      drained.failed = true;
      return drained;
    }
    for (const auto event : *batch) drained.text += to_text(event) + "\n";
    drained.seen = batch->checkpoint();
    if (until ? batch->considered() >= *until : batch->finished()) {
      drained.text += to_text(batch->progress());
      return drained;
    }
  }
  drained.text += "it does not come to an end";
  return drained;
}

}  // namespace

History::History(const Body& body)
    : body_(body), options_(small_options(body)), home_(body.make_home()) {
  if (body_.takes_clock) options_.clock = &clock_;
  tested_ = home_->open(options_).value();
  auto options = options_;
  options.drive = Drive::kOwnThread;
  options.clock = &clock_;
  reference_ = fixtures::make_reference_store(options);
}

void History::compare(const std::string& tested, const std::string& expected) {
  if (tested == expected || difference_) return;
  difference_ = "in: " + told_.back() + "\ntested:   " + tested + "\nexpected: " + expected;
}

std::optional<std::string> History::step(std::uint64_t seed) {
  Chance chance(seed);
  difference_.reset();
  const auto kind = chance.below(100);
  if (kind < 42) {
    append(chance);
  } else if (kind < 50) {
    append_many(chance);
  } else if (kind < 68) {
    read(chance);
  } else if (kind < 80) {
    subscribe(chance);
  } else if (kind < 88) {
    look(chance);
  } else if (kind < 94) {
    look_at_pages(chance);
  } else if (kind < 95) {
    if (chance.percent(50)) open_read_only(chance);
    reopen();
  } else {
    pass_time(chance);
  }
  return difference_;
}

// ---- appending

AppendRequest History::next_request(Chance& chance) {
  if (!requests_.empty() && chance.percent(20)) {
    const auto back = std::min<std::uint64_t>(requests_.size(), chance.percent(60) ? 10 : 100'000);
    const auto& earlier = requests_[requests_.size() - 1 - chance.below(back)];
    return chance.percent(50) ? earlier : random_retry(chance, earlier);
  }
  return random_append(chance, *reference_);
}

Result<Appended> History::expected_of(const AppendRequest& request,
                                      const Result<Appended>& tested) {
  if (!body_.takes_clock && tested && !tested->repeated) clock_.set(tested->committed);
  return reference_->append(request);
}

void History::append(Chance& chance) {
  const auto request = next_request(chance);
  tell(to_text(request));
  const auto tested = tested_->append(request);
  compare(to_text(tested), to_text(expected_of(request, tested)));
  requests_.push_back(request);
}

// Several before the first is answered: they are judged by what is not yet durable.
void History::append_many(Chance& chance) {
  const auto durable = reference_->statistics()->durable;
  std::vector<AppendRequest> requests;
  for (auto left = 2 + chance.below(8); left != 0; --left) {
    requests.push_back(!requests.empty() && chance.percent(20) ? chance.one_of(requests)
                                                               : next_request(chance));
    // Whether a position is beyond the end depends on what has become durable meanwhile.
    for (auto& check : requests.back().checks) check.after = std::min(check.after, durable);
  }
  std::string text = "at once:";
  for (const auto& request : requests) text += "\n    " + to_text(request);
  tell(std::move(text));

  std::mutex mutex;
  std::vector<std::optional<Result<Appended>>> answers(requests.size());
  std::size_t answered = 0;
  for (std::size_t i = 0; i < requests.size(); ++i)
    tested_->append(encoded(requests[i]), {.session = 1}, [&, i](Result<Appended> answer) {
      const std::lock_guard lock(mutex);
      answers[i] = std::move(answer);
      ++answered;
    });
  const bool all = run_until(*tested_, [&] {
    const std::lock_guard lock(mutex);
    return answered == requests.size();
  });
  if (!all) {
    compare("some are not answered", "every append is answered");
    tested_->close();  // the completions refer to what ends here
    return;
  }
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const auto expected = expected_of(requests[i], *answers[i]);
    compare(std::to_string(i) + ": " + to_text(*answers[i]),
            std::to_string(i) + ": " + to_text(expected));
    requests_.push_back(requests[i]);
  }
}

// ---- reading

void History::read(Chance& chance) {
  const auto query = random_query(chance);
  const auto options = random_read(chance, *reference_, query);
  // One by one only where few are asked for: each batch is a journey to the server and back.
  const auto max_bytes =
      chance.one_of<std::size_t>(options.limit <= 30 ? std::vector<std::size_t>{1, 300}
                                                     : std::vector<std::size_t>{5000, 256 << 10});
  tell("read " + to_string(query) + " " + to_text(options) + " by " + std::to_string(max_bytes) +
       " bytes");
  auto tested = tested_->read(query, options);
  auto expected = reference_->read(query, options);
  compare(drain(tested, max_bytes, {}).text, drain(expected, 256 << 10, {}).text);
}

void History::follow(Subscription& subscription) {
  const auto durable = reference_->statistics()->durable;
  const auto tested = drain(subscription.tested, 5000, durable);
  compare(tested.text, drain(subscription.expected, 256 << 10, durable).text);
  subscription.seen = tested.seen;
}

void History::subscribe(Chance& chance) {
  if (!subscriptions_.empty() && chance.percent(75)) {
    auto& subscription = subscriptions_[chance.below(subscriptions_.size())];
    tell("follow " + to_string(subscription.query));
    return follow(subscription);
  }
  auto query = random_query(chance);
  const auto start = random_start(chance, *reference_, query);
  tell("subscribe " + to_string(query) + " " + to_text(ReadOptions{.start = start}));
  Subscription subscription{.query = query,
                            .tested = tested_->subscribe(query, start),
                            .expected = reference_->subscribe(query, start)};
  const auto durable = reference_->statistics()->durable;
  const auto tested = drain(subscription.tested, 5000, durable);
  compare(tested.text, drain(subscription.expected, 256 << 10, durable).text);
  if (tested.failed) return;
  subscription.seen = tested.seen;
  if (subscriptions_.size() == kSubscriptionsMax) subscriptions_.erase(subscriptions_.begin());
  subscriptions_.push_back(std::move(subscription));
}

// ---- looking

void History::look(Chance& chance) {
  switch (chance.below(4)) {
    case 0: {
      const auto name = random_stream(chance);
      tell("stream_info " + name);
      return compare(to_text(tested_->stream_info(name)), to_text(reference_->stream_info(name)));
    }
    case 1: {
      const auto query = random_query(chance);
      const Position after = chance.below(reference_->statistics()->durable.value + 2);
      tell("count " + to_string(query) + " after " + to_string(after));
      return compare(to_text(tested_->count(query, after)),
                     to_text(reference_->count(query, after)));
    }
    case 2: {
      const auto source = random_source(chance);
      tell("tracked " + source);
      return compare(to_text(tested_->tracked(source)), to_text(reference_->tracked(source)));
    }
    default:
      tell("statistics");
      return compare(to_text(tested_->statistics()), to_text(reference_->statistics()));
  }
}

void History::look_at_pages(Chance& chance) {
  const auto prefix = random_prefix(chance);
  const auto after = chance.percent(60) ? std::string() : random_prefix(chance);
  const auto limit = chance.percent(50) ? 1 + chance.below(4) : 1000;
  const auto of = " of prefix " + prefix + " after " + after + " limit " + std::to_string(limit);
  switch (chance.below(3)) {
    case 0:
      tell("streams" + of);
      return compare(to_text(tested_->streams(prefix, after, limit)),
                     to_text(reference_->streams(prefix, after, limit)));
    case 1:
      tell("tracking" + of);
      return compare(to_text(tested_->tracking(prefix, after, limit)),
                     to_text(reference_->tracking(prefix, after, limit)));
    default: {
      const auto kind =
          chance.one_of<TermKind>({TermKind::kCategory, TermKind::kType, TermKind::kTag});
      tell("terms of kind " + std::to_string(static_cast<int>(kind)) + of);
      return compare(to_text(tested_->terms(kind, prefix, after, limit)),
                     to_text(reference_->terms(kind, prefix, after, limit)));
    }
  }
}

// ---- time

void History::pass_time(Chance& chance) {
  if (!body_.takes_clock) return tell("nothing");
  const auto by = std::chrono::seconds(chance.below(100)) - (chance.percent(20) ? 50s : 0s);
  tell("time passes: " + std::to_string(by.count()) + " s");
  clock_.set(clock_.now() + by);
}

// A store that is not written to meanwhile, perhaps not ended as it should be.
void History::open_read_only(Chance& chance) {
  if (!body_.persists) return;
  tell("open read-only");
  tested_.reset();
  auto options = options_;
  options.access = Access::kReadOnly;
  options.drive = Drive::kOwnThread;
  tested_ = esdb::open(home_->rest(), options).value();
  auto expected = reference_->statistics().value();
  expected.state = "read_only: opened for reading";
  compare(to_text(tested_->statistics()), to_text(expected));
  for (int i = 0; i < 3; ++i) {
    read(chance);
    look_at_pages(chance);
  }
  compare(word_of(tested_->append(random_append(chance, *reference_))), "read_only");
}

void History::reopen() {
  if (!body_.persists) return tell("nothing");
  tell("reopen");
  tested_.reset();
  tested_ = home_->open(options_).value();
  compare(to_text(tested_->statistics()), to_text(reference_->statistics()));
  for (auto& subscription : subscriptions_) {
    subscription.tested = tested_->subscribe(subscription.query, Start::after(subscription.seen));
    follow(subscription);
  }
}

}  // namespace esdb::model
