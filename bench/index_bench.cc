// The index alone: events into the tail index, generations into LMDB, lookups out of both.
//
// Each event has four terms: one of `streams` streams, a category, one of five types, a tag. Half
// as many tags as streams, or one of its own for every event.
#include <benchmark/benchmark.h>

#include <chrono>
#include <random>
#include <string>
#include <vector>

#include "bench/latencies.h"
#include "bench/scratch.h"
#include "esdb/query.h"
#include "storage/generation.h"
#include "storage/index.h"
#include "storage/index_commit.h"
#include "storage/index_environment.h"
#include "storage/index_reader.h"

namespace esdb::bench {
namespace {

using storage::FrameMark;
using storage::Generation;
using storage::IndexedEvent;
using storage::term;
using storage::TermClass;
using storage::TermRef;

constexpr std::uint64_t kStreams = 200'000;
constexpr std::uint64_t kSeed = 5;

// One generation's events, made before they are measured.
class Events {
 public:
  explicit Events(bool own_tags) : own_tags_(own_tags), versions_(kStreams) {}

  void make(std::size_t count) {
    static constexpr std::string_view kTypes[] = {"Placed", "Paid", "Shipped", "Delivered",
                                                  "Cancelled"};
    texts_.assign(count * 2, {});
    tags_.resize(count);
    events.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      const auto stream = std::min(random_() % kStreams, random_() % kStreams);
      const std::string& name = texts_[i * 2] = "order-" + std::to_string(stream * 7919);
      const auto tag = own_tags_ ? position_ : random_() % (kStreams / 2);
      tags_[i] = term(TermClass::kTag, texts_[i * 2 + 1] = "customer:" + std::to_string(tag));
      events[i] = {.position = ++position_,
                   .version = ++versions_[stream],
                   .stream = term(TermClass::kStream, name),
                   .category = term(TermClass::kCategory, category_of(name)),
                   .type = term(TermClass::kType, kTypes[i % 5]),
                   .tags = std::span(tags_).subspan(i, 1)};
    }
  }
  std::string random_stream() { return "order-" + std::to_string(random_() % kStreams * 7919); }

  std::vector<IndexedEvent> events;

 private:
  const bool own_tags_;
  std::mt19937_64 random_{1};
  std::uint64_t position_ = 0;
  std::vector<std::uint64_t> versions_;
  std::vector<std::string> texts_;
  std::vector<TermRef> tags_;
};

// The head of a stream, and the next position behind one near the end of a long list.
void look_up(benchmark::State& state, const storage::Environment& environment,
             storage::IndexHealth& health, Events& made, std::uint64_t last) {
  Latencies heads, seeks;
  for (std::size_t i = 0; i < scaled(20'000); ++i) {
    const auto name = made.random_stream();
    auto begin = Clock::now();
    const auto reader = storage::IndexReader::begin(environment, health, kSeed).value();
    storage::TermRow row;
    benchmark::DoNotOptimize(reader.find(TermClass::kStream, name, row).value());
    heads.add(Clock::now() - begin);
    begin = Clock::now();
    if (!reader.find(TermClass::kCategory, "order", row).value()) std::abort();
    storage::IndexedPostings postings(reader, row);
    benchmark::DoNotOptimize(postings.seek(last - last / 100).value());
    seeks.add(Clock::now() - begin);
  }
  state.counters["head_us"] = heads.median();
  state.counters["seek_us"] = seeks.median();
}

// Argument: a tag of its own for every event, or not.
void index_events(benchmark::State& state) {
  for (auto _ : state) {
    const Scratch scratch;
    auto environment =
        storage::Environment::open(scratch.path(), storage::Environment::Mode::kReadWrite).value();
    storage::IndexHealth health({}, {});
    storage::MetaRow meta;
    meta.next_term = 1;
    Events made(state.range(0) != 0);
    FrameMark mark;
    double filling = 0, committing = 0;
    std::size_t tail_bytes = 0;
    const auto total = scaled(1'000'000);
    while (mark.last.value < total) {
      made.make(std::min<std::size_t>(storage::kGenerationEventsMax, total - mark.last.value));
      const auto generation = std::make_shared<Generation>(mark, 1 << 16);
      auto begin = Clock::now();
      for (const auto& event : made.events) generation->add(event);
      mark.last.value += made.events.size();
      ++mark.frame_number;
      generation->end_frame(mark);
      filling += seconds_since(begin);
      tail_bytes += generation->bytes();
      begin = Clock::now();
      storage::GenerationCommit commit(generation, kSeed, health);
      for (bool is_all = false; !is_all;) {
        auto transaction =
            storage::Transaction::begin(*environment, storage::Transaction::Kind::kWrite).value();
        is_all = commit.write(transaction, meta, storage::IndexOptions{}.dirty_bytes).value();
        transaction.commit().value();
      }
      committing += seconds_since(begin);
    }
    const auto events = static_cast<double>(total);
    state.counters["fill_per_s"] = events / filling;
    state.counters["commit_per_s"] = events / committing;
    state.counters["tail_bytes"] = static_cast<double>(tail_bytes) / events;
    state.counters["disk_bytes"] = static_cast<double>(environment->used_bytes()) / events;
    look_up(state, *environment, health, made, mark.last.value);
  }
}
BENCHMARK(index_events)
    ->ArgName("own_tags")
    ->Arg(0)
    ->Arg(1)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace esdb::bench

BENCHMARK_MAIN();
