#include "tests/faults/scenario.h"

#include <algorithm>
#include <initializer_list>
#include <thread>
#include <utility>

namespace esdb::faults {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kLargeBytes = 230'000;
constexpr std::size_t kBatchBytes = std::size_t{8} << 20;
constexpr std::size_t kOnce = 3, kWatched = 1, kWatching = 2, kFirstTracking = 6;
constexpr std::size_t kSecondTracking = 7, kLateTracking = 8, kLarge = 10, kAtOnce = 24;
constexpr std::size_t kSecondRound = 32, kLast = 50;
constexpr int kTurnsMax = 100'000;

bool is_among(ErrorCode code, std::initializer_list<ErrorCode> codes) {
  return std::ranges::find(codes, code) != codes.end();
}

std::string named(std::size_t number) { return "append " + std::to_string(number); }

}  // namespace

std::chrono::milliseconds Scenario::patience() const {
  if (!parts_.may_fail) return 60s;
  return parts_.disturbed() ? 50ms : 400ms;
}

void Scenario::wrong(const std::string& what) {
  if (wrong_.empty()) wrong_ = what;
}

void Scenario::wrong_unless_allowed(const std::string& call, const Error& error) {
  if (!parts_.may_fail) return wrong(call + " failed while nothing was wrong: " + error.message);
  if (!is_among(error.code, {ErrorCode::kUnavailable, ErrorCode::kCorrupt, ErrorCode::kTimedOut}))
    wrong(call + " answered " + std::string(to_string(error.code)) + ": " + error.message);
}

std::string Scenario::run() {
  switch (parts_.kind) {
    case Kind::kBusy:
      run_busy();
      break;
    case Kind::kQuiet:
      run_quiet();
      break;
    case Kind::kShort:
      run_short();
      break;
  }
  store_.reset();
  return wrong_;
}

// Whatever it throws: no other call of the store may suffer from it.
template <class Step>
void Scenario::take(Step step) {
  if (!parts_.may_throw) return step();
  try {
    step();
  } catch (...) {
    parts_.ledger.process_ended();  // what was under way is uncertain
  }
}

void Scenario::run_short() {
  for (const bool first : {true, false}) {
    bool opened = false;
    take([&] { opened = open(); });
    if (!opened) continue;
    if (first) {
      take([&] { append_small(); });
      take([&] { append_checked(); });
      take([&] { append_large(kLarge, 5); });
    } else {
      take([&] { repeat_uncertain(); });
      take([&] { append_at_once(kAtOnce, 2); });
    }
    take([&] { read(); });
    take([&] { close(); });
    take([&] { store_.reset(); });
  }
}

void Scenario::run_busy() {
  if (open()) {
    append_small();
    append_checked();
    append_large(kLarge, 6);
    append_at_once(kAtOnce, 4);
    read();
    close();
  }
  if (open()) {
    repeat_uncertain();
    append(kSecondRound, {});
    append_large(kSecondRound + 1, 4);
    read();
    close();
  }
}

void Scenario::run_quiet() {
  if (!open()) return;
  append_small();
  append_checked();
  wait_for_witness();
  wait_for_index();
  append(kSecondRound, {});
  read();
  append(kSecondRound + 1, {});
  wait_for_index();
  append(kSecondRound + 2, {});
  read();
  close();
}

std::string Scenario::run_soundly() {
  if (!open()) return wrong_.empty() ? "it does not open" : wrong_;
  // What the index lost is built again first, which takes a moment.
  for (const auto until = Clock::now() + 60s; Clock::now() < until;) {
    const auto statistics = store_->statistics();
    if (statistics && statistics->state == "ready") break;
    if (statistics && statistics->state.starts_with("corrupt")) return statistics->state;
    std::this_thread::sleep_for(1ms);
  }
  if (auto differs = parts_.ledger.compare(*store_); !differs.empty()) return differs;
  read();
  append(kLast, {});
  append_large(kLast + 1, 1);
  const auto state = store_->statistics();
  if (!state || state->state != "ready")
    wrong("its state is " + (state ? state->state : "unknown"));
  if (wrong_.empty()) wrong_ = parts_.ledger.compare(*store_);
  close();
  return wrong_;
}

// ---- its steps

bool Scenario::open() {
  if (!wrong_.empty()) return false;
  // What goes wrong once does not stand in the way of another attempt.
  for (int attempt = 0; attempt < 2; ++attempt) {
    auto opened = parts_.open({.timeout = patience(),
                               .drive = Drive::kCaller,
                               .memory = kMemoryMin,
                               .segment_bytes = kSegmentBytesMin,
                               .event_bytes_max = kSegmentBytesMin / 4,
                               .append_bytes_max = kSegmentBytesMin / 4});
    if (opened) {
      store_ = std::move(*opened);
      answers_.emplace_back();
      return true;
    }
    const auto& error = opened.error();
    if (!parts_.may_fail) wrong("open failed while nothing was wrong: " + error.message);
    if (!is_among(error.code, {ErrorCode::kUnavailable, ErrorCode::kDiskFull, ErrorCode::kRefused,
                               ErrorCode::kLocked, ErrorCode::kCorrupt}))
      wrong("open answered " + std::string(to_string(error.code)) + ": " + error.message);
  }
  return false;
}

void Scenario::close() {
  parts_.settle();
  const auto statistics = store_->statistics();
  states_.push_back(statistics ? statistics->state : "");
  store_->close();
  const auto late = store_->append("s", {.type = "T"});
  if (late || late.error().code != ErrorCode::kClosed) wrong("a closed store took an append");
  store_.reset();
}

bool Scenario::append(std::size_t number, AppendRequest request, std::size_t events,
                      std::size_t bytes, std::vector<ErrorCode> allowed) {
  request.events = events_of(number, events, bytes);
  parts_.ledger.ask(number, events, bytes);
  if (!request.tracking.empty())
    parts_.ledger.appends.at(number).tracked = request.tracking.front().position;
  const auto answer = store_->append(request, {.timeout = patience()});
  judge(number, answer, allowed);
  return answer.has_value();
}

void Scenario::judge(std::size_t number, const Result<Appended>& answer,
                     const std::vector<ErrorCode>& allowed) {
  auto& asked = parts_.ledger.appends.at(number);
  const bool was_written = asked.outcome == Ledger::Outcome::kWritten;
  if (!answer || !answer->repeated)
    answers_.back().push_back(answer ? ErrorCode{} : answer.error().code);
  if (answer && was_written && answer->first.value != asked.first)
    wrong(named(number) + " was repeated, and answered with other positions");
  if (answer && was_written && !answer->repeated)
    wrong(named(number) + " was repeated, and is said to be new");
  if (answer && asked.events > 0 && answer->last.value - answer->first.value + 1 != asked.events)
    wrong(named(number) + " was answered with so many positions as it has not");
  parts_.ledger.answered(number, answer);
  if (answer || std::ranges::find(allowed, answer.error().code) != allowed.end()) return;
  const auto& error = answer.error();
  if (!parts_.may_fail)
    return wrong(named(number) + " failed while nothing was wrong: " + error.message);
  if (!is_among(error.code,
                {ErrorCode::kUnavailable, ErrorCode::kDiskFull, ErrorCode::kReadOnly,
                 ErrorCode::kTimedOut, ErrorCode::kOutcomeUnknown, ErrorCode::kCorrupt}))
    wrong(named(number) + " answered " + std::string(to_string(error.code)) + ": " + error.message);
}

void Scenario::append_small() {
  append(0, {.checks = {Check::stream("s-0", Expect::none())}});
  append(kWatched, {.checks = {Check::stream("s-1", Expect::none())}}, 3);
}

// An append may be refused for what another one wrote only where that one may be in the log.
void Scenario::append_checked() {
  auto& ledger = parts_.ledger;
  const auto after = ledger.acknowledged();
  ledger.appends[kWatching].watched = kWatched;
  ledger.appends[kWatching].after = after;
  append(
      kWatching,
      {.checks = {Check::unchanged(tagged({{"append", std::to_string(kWatched)}}), after)}}, 1, 16,
      ledger.is_uncertain(kWatched) ? std::vector{ErrorCode::kConflict} : std::vector<ErrorCode>{});
  append(kOnce, {.checks = {Check::absent(types({"T3"}))}});
  if (append(kOnce + 1, {.checks = {Check::absent(types({"T3"}))}}, 1, 16,
             {ErrorCode::kAlreadyExists}) &&
      ledger.is_written(kOnce))
    wrong("what is to be there once is there twice");
  const bool has_first = ledger.is_written(0);
  if (append(kOnce + 2, {.checks = {Check::stream("s-0", Expect::none())}}, 1, 16,
             {ErrorCode::kConflict}) &&
      has_first)
    wrong("a stream that exists was taken for a new one");
  append(kFirstTracking, {.tracking = {{.source = std::string(kSource), .position = 10}}});
  append(kSecondTracking, {.tracking = {{.source = std::string(kSource), .position = 20}}}, 0);
  if (append(kLateTracking, {.tracking = {{.source = std::string(kSource), .position = 15}}}, 1, 16,
             {ErrorCode::kAlreadyTracked}) &&
      ledger.is_written(kSecondTracking))
    wrong("tracking went back");
  if (!has_first) return;
  append(0, {.checks = {Check::stream("s-0", Expect::none())}});  // a retry
}

void Scenario::append_large(std::size_t from, std::size_t count) {
  int refused = 0;
  for (std::size_t number = from; number < from + count && refused < 2; ++number)
    if (!append(number, {}, 1, kLargeBytes)) ++refused;
}

void Scenario::append_at_once(std::size_t from, std::size_t count) {
  const auto until = Clock::now() + 60s;
  using Answers = std::vector<std::optional<Result<Appended>>>;
  const auto answers = std::make_shared<Answers>(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto number = from + i;
    parts_.ledger.ask(number, 2, 5'000);
    store_->append(EncodedAppend::encode({.events = events_of(number, 2, 5'000)}).value(),
                   {.timeout = patience(), .session = 1},
                   [answers, i](Result<Appended> answer) { (*answers)[i] = std::move(answer); });
  }
  int turns = 0;
  const auto is_answered = [](const auto& answer) { return answer.has_value(); };
  while (!std::ranges::all_of(*answers, is_answered)) {
    if (Clock::now() > until || ++turns > kTurnsMax)
      return wrong("appends at once were never answered");
    store_->advance();
    std::this_thread::yield();
    if (turns > 100) std::this_thread::sleep_for(1ms);
  }
  for (std::size_t i = 0; i < count; ++i) judge(from + i, *(*answers)[i], {});
}

// With the same ids, as the API says: never a second time into the log.
void Scenario::repeat_uncertain() {
  for (std::size_t number = 0; number < kSecondRound; ++number) {
    const auto asked = parts_.ledger.appends[number];
    if (asked.outcome != Ledger::Outcome::kUnknown || asked.events == 0 || asked.tracked != 0 ||
        asked.watched != 0)
      continue;
    append(number, {}, asked.events, asked.bytes);
  }
}

void Scenario::wait_for_witness() { std::this_thread::sleep_for(80ms); }

// As if so much time had gone by that what is in memory becomes due.
void Scenario::wait_for_index() {
  parts_.ahead(10s);
  store_->advance();
  parts_.ahead(0s);
  for (const auto until = Clock::now() + std::min<Clock::duration>(patience(), 60s);
       Clock::now() < until; std::this_thread::sleep_for(1ms)) {
    const auto statistics = store_->statistics();
    if (!statistics) {
      wrong_unless_allowed("statistics", statistics.error());
    } else if (statistics->indexed == statistics->durable) {
      return;
    }
  }
  if (!parts_.may_fail) wrong("the index was never committed");
}

// ---- reading and looking

std::uint64_t Scenario::written_events() const {
  std::uint64_t count = 0;
  for (const auto& asked : parts_.ledger.appends)
    if (asked.outcome == Ledger::Outcome::kWritten) count += asked.events;
  return count;
}

void Scenario::read() {
  parts_.settle();
  read_all();
  read_by(stream("s-0"), "a stream");
  read_by(types({"T1", "T2"}) | types({"T10"}), "types");
  read_by(tagged({{"append", "1"}}), "a tag");
  look();
}

void Scenario::read_all() {
  std::uint64_t last = 0;
  auto cursor = store_->read(everything());
  for (int batches = 0; batches < kTurnsMax; ++batches) {
    auto batch = cursor.next({.max_bytes = kBatchBytes, .wait = patience()});
    if (!batch) return wrong_unless_allowed("reading everything", batch.error());
    for (auto event : *batch) {
      if (auto differs = parts_.ledger.see(event); !differs.empty()) wrong(differs);
      if (event.position().value != ++last) wrong("reading everything leaves out positions");
    }
    if (batch->finished()) break;
  }
  if (last < parts_.ledger.acknowledged()) wrong("reading everything ends too early");
}

// Every event that was acknowledged and matches, in order, and no other.
void Scenario::read_by(const Query& query, const std::string& name) {
  std::vector<std::uint64_t> positions;
  auto cursor = store_->read(query);
  for (int batches = 0; batches < kTurnsMax; ++batches) {
    auto batch = cursor.next({.max_bytes = kBatchBytes, .wait = patience()});
    if (!batch) return wrong_unless_allowed("reading " + name, batch.error());
    for (auto event : *batch) {
      if (auto differs = parts_.ledger.see(event); !differs.empty()) wrong(differs);
      if (!query.matches(event)) wrong("reading " + name + " gives what does not match");
      if (!positions.empty() && event.position().value <= positions.back())
        wrong("reading " + name + " is out of order");
      positions.push_back(event.position().value);
    }
    if (batch->finished()) break;
  }
  for (std::size_t number = 0; number < kAppendsMax; ++number) {
    const auto& asked = parts_.ledger.appends[number];
    if (asked.outcome != Ledger::Outcome::kWritten) continue;
    const auto events = events_of(number, asked.events, 1);
    for (std::size_t i = 0; i < events.size(); ++i) {
      const bool matches = std::ranges::any_of(query.items(), [&](const QueryItem& item) {
        const auto has = [](const std::vector<std::string>& names, const std::string& text) {
          return names.empty() || std::ranges::find(names, text) != names.end();
        };
        return has(item.streams, events[i].stream) && has(item.types, events[i].type) &&
               std::ranges::all_of(item.tags, [&](const Tag& tag) {
                 return std::ranges::find(events[i].tags, tag) != events[i].tags.end();
               });
      });
      if (matches && !std::ranges::binary_search(positions, asked.first + i))
        wrong("reading " + name + " leaves out an event of " + named(number));
    }
  }
}

void Scenario::look() {
  const auto least = written_events();
  if (const auto count = store_->count(everything()); !count) {
    wrong_unless_allowed("counting", count.error());
  } else if (*count < least) {
    wrong("counting finds too few events");
  }
  if (const auto tracked = store_->tracked(kSource); !tracked) {
    wrong_unless_allowed("tracked", tracked.error());
  } else if (auto differs = parts_.ledger.see_tracked(*tracked); !differs.empty()) {
    wrong(differs);
  }
  if (const auto info = store_->stream_info("s-0"); !info) {
    wrong_unless_allowed("stream_info", info.error());
  } else if (parts_.ledger.is_written(0) && info->version.value == 0) {
    wrong("stream_info has forgotten a stream");
  }
  if (const auto page = store_->streams(); !page) {
    wrong_unless_allowed("streams", page.error());
  } else if (least > 5 && page->streams.size() != 3) {
    wrong("streams lists " + std::to_string(page->streams.size()) + " of 3");
  }
  if (const auto statistics = store_->statistics(); !statistics) {
    wrong_unless_allowed("statistics", statistics.error());
  } else if (statistics->durable.value < parts_.ledger.acknowledged()) {
    wrong("the durable position is below what was acknowledged");
  }
}

}  // namespace esdb::faults
