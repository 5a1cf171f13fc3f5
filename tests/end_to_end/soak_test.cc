// A server under mixed load for a while, with clients that come, go and are cut off, and restarts:
// a second load leaves no more descriptors, threads or memory behind than the first one did, and
// the log holds every event once. ESDB_TEST_SCALE makes it longer.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "esdb/event_store.h"
#include "tests/client/cutting_proxy.h"
#include "tests/end_to_end/server_process.h"
#include "tests/fixtures/figures.h"
#include "tests/fixtures/scratch_directory.h"
#include "tests/fixtures/test_run.h"

namespace esdb::end_to_end {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kPhases = 4;     // between them it is restarted
constexpr std::size_t kKeptBytes = 512;  // of data in an event

struct Held {
  std::uint64_t descriptors{}, threads{}, private_bytes{};
};

Held held_by(pid_t pid) {
  Held held;
  const auto process = std::filesystem::path("/proc") / std::to_string(pid);
  const auto count = [](const std::filesystem::path& directory) {
    const std::filesystem::directory_iterator all(directory);
    return static_cast<std::uint64_t>(std::distance(begin(all), end(all)));
  };
  held.descriptors = count(process / "fd");
  held.threads = count(process / "task");
  std::ifstream status(process / "status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("RssAnon:")) held.private_bytes = std::stoull(line.substr(8)) * 1024;
  return held;
}

// Who was told what. Threads: any.
struct Work {
  std::atomic<bool> over = false;
  std::atomic<std::uint64_t> appended = 0, read = 0, delivered = 0, sessions = 0;
  std::mutex mutex{};
  std::string failure{};  // the first

  void fail(const std::string& why) {
    const std::lock_guard lock(mutex);
    if (failure.empty()) failure = why;
  }
};

std::string stream_of(std::uint64_t number) { return "account-" + std::to_string(number % 500); }

// Appends on conditions: the next version of a stream that several write to.
void append(const std::string& url, std::uint64_t seed, Work& work) {
  std::mt19937_64 random(seed);
  const auto store = open(url, {.timeout = std::chrono::seconds(60)});
  if (!store) return work.fail(store.error().message);
  while (!work.over) {
    const auto stream = stream_of(random());
    std::vector<NewEvent> events;
    for (auto left = 1 + random() % 20; left > 0; --left)
      events.push_back({.type = "Moved",
                        .data = std::string(random() % kKeptBytes, 'x'),
                        .tags = {Tag("part", std::to_string(random() % 50))}});
    const auto count = events.size();
    const auto info = (*store)->stream_info(stream);
    if (!info) return work.fail(info.error().message);
    const auto appended =
        (*store)->append(stream, Expect::exactly(info->version), std::move(events));
    if (appended)
      work.appended += count;
    else if (remedy(appended.error().code) != Remedy::kDecide)
      return work.fail(appended.error().message);
  }
}

void read(const std::string& url, std::uint64_t seed, Work& work) {
  std::mt19937_64 random(seed);
  const auto store = open(url, {.timeout = std::chrono::seconds(60)});
  if (!store) return work.fail(store.error().message);
  while (!work.over) {
    std::uint64_t version = 0;
    bool in_order = true;
    const auto all = (*store)->for_each(Query(QueryItem{.streams = {stream_of(random())}}), {},
                                        [&](RecordedEvent event) {
                                          in_order = in_order && event.version() == ++version;
                                          ++work.read;
                                        });
    if (!all) return work.fail(all.error().message);
    if (!in_order) return work.fail("a stream's versions have a gap");
    const auto tagged =
        (*store)->count(Query(QueryItem{.tags = {Tag("part", std::to_string(random() % 50))}}));
    if (!tagged) return work.fail(tagged.error().message);
  }
}

void subscribe(const std::string& url, Work& work) {
  const auto store = open(url, {.timeout = std::chrono::seconds(60)});
  if (!store) return work.fail(store.error().message);
  auto cursor = (*store)->subscribe(everything());
  Position last{};
  while (!work.over) {
    const auto batch = cursor.next({.wait = milliseconds(50)});
    if (!batch) return work.fail(batch.error().message);
    for (const auto event : *batch) {
      if (event.position().value != last.value + 1) return work.fail("a subscription has a gap");
      last = event.position();
      ++work.delivered;
    }
  }
}

// Comes, looks and goes again.
void visit(const std::string& url, Work& work) {
  while (!work.over) {
    const auto store = open(url, {.timeout = std::chrono::seconds(5)});
    if (store) ++work.sessions;
    std::this_thread::sleep_for(milliseconds(20));
  }
}

void load(const std::string& url, std::uint64_t seed, const fixtures::ScratchDirectory& scratch,
          std::chrono::milliseconds duration, Work& work) {
  const auto cut = scratch.path("cut-" + std::to_string(seed) + ".sock");
  const tests::CuttingProxy proxy(cut, url.substr(std::string_view("unix:").size()),
                                  {.seed = seed, .bytes_max = 400'000});
  const auto cut_url = "unix:" + cut;
  std::vector<std::jthread> threads;
  threads.emplace_back([&] { append(url, seed, work); });
  threads.emplace_back([&] { append(cut_url, seed + 1, work); });
  threads.emplace_back([&] { read(url, seed + 2, work); });
  threads.emplace_back([&] { subscribe(url, work); });
  threads.emplace_back([&] { visit(url, work); });
  threads.emplace_back([&] { visit(cut_url, work); });
  std::this_thread::sleep_for(duration);
  work.over = true;
}

// When the connections are gone: two looks find the same.
Held at_rest(ServerProcess& server) {
  const auto deadline = Clock::now() + std::chrono::seconds(20);
  for (auto held = held_by(server.process().pid());;) {
    std::this_thread::sleep_for(milliseconds(200));
    const auto again = held_by(server.process().pid());
    if (again.descriptors == held.descriptors || Clock::now() >= deadline) return again;
    held = again;
  }
}

TEST(Soak, AServerHoldsNoMoreAfterASecondLoadThanAfterTheFirst) {
  const auto seed = fixtures::seed();
  SCOPED_TRACE("ESDB_SEED=" + std::to_string(seed));
  const fixtures::ScratchDirectory scratch;
  ServerProcess server(scratch, {.arguments = small_server(scratch)});
  std::uint64_t appended = 0, delivered = 0, sessions = 0;
  std::uint64_t private_bytes = 0;
  for (std::uint64_t phase = 0; phase < kPhases; ++phase) {
    ASSERT_TRUE(server.start()) << server.log();
    Held before;
    // What the second load leaves behind, the first one has left already.
    for (std::uint64_t round = 0; round < 2; ++round) {
      Work work;
      load(server.url(), seed + phase * 20 + round * 10, scratch,
           milliseconds(fixtures::scaled(400)), work);
      ASSERT_EQ(work.failure, "") << "phase " << phase;
      appended += work.appended;
      delivered += work.delivered;
      sessions += work.sessions;
      const auto held = at_rest(server);
      if (round == 1) {
        // Segments that reads have opened stay open, up to a bound, and there are more of them.
        EXPECT_LE(held.descriptors, before.descriptors + 32) << "phase " << phase;
        // The kernel's workers for io_uring count, too, and come and go; sessions are a hundred.
        EXPECT_LE(held.threads, before.threads + 8) << "phase " << phase;
        EXPECT_LE(held.private_bytes, before.private_bytes + (std::uint64_t{16} << 20))
            << "phase " << phase;
      }
      before = held;
    }
    private_bytes = std::max(private_bytes, before.private_bytes);
    ASSERT_EQ(server.stop(), Ended{.code = 0}) << server.log();
  }
  const auto store = open(server.data(), {.access = Access::kReadOnly});
  ASSERT_TRUE(store.has_value()) << store.error().message;
  EXPECT_EQ((*store)->statistics().value().events, appended);
  fixtures::tell("soak", {{appended, "events appended"},
                          {delivered, "delivered"},
                          {sessions, "sessions"},
                          {kPhases - 1, "restarts"},
                          {private_bytes >> 20, "MiB of private memory each"}});
}

}  // namespace
}  // namespace esdb::end_to_end
