#include "bench/import_cases.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/site.h"
#include "esdb/event_store.h"

namespace esdb::bench {
namespace {

std::string history() {
  const char* name = std::getenv("ESDB_BENCH_HISTORY");
  if (name == nullptr || !std::filesystem::exists(name))
    throw NotHere("ESDB_BENCH_HISTORY names no file");
  return name;
}

Run import(const std::string& history, bool is_served, Watch& watch) {
  const Scratch scratch;
  const auto data = scratch.path("store");
  const auto served = "unix:" + scratch.path("socket");
  std::unique_ptr<ServerProcess> server;
  if (is_served) server = std::make_unique<ServerProcess>(data, served, served);
  const std::string url = is_served ? served : data;
  watch.begin(server ? std::vector<pid_t>{server->pid()} : std::vector<pid_t>{});
  const auto begin = Clock::now();
  Process importer({ESCTL_PROGRAM, "--store", url, "import", history, "--commit-size", "500"});
  importer.wait_for_success("esctl import");
  const auto taken = seconds_since(begin);
  watch.end();
  const auto events = open(url).value()->statistics().value().events;
  return {.figure = static_cast<double>(events) / taken};
}

// Ten subscribers that take a batch now and then.
class SlowSubscribers {
 public:
  explicit SlowSubscribers(const std::string& url) {
    for (int i = 0; i < 10; ++i)
      threads_.emplace_back([url](const std::stop_token& stop) {
        auto store = open(url).value();
        auto cursor = store->subscribe(everything());
        while (!stop.stop_requested()) {
          if (!cursor.next({.wait = std::chrono::milliseconds(200), .stop = stop})) return;
          std::this_thread::sleep_for(std::chrono::milliseconds(100));
        }
      });
  }
  ~SlowSubscribers() {
    for (auto& thread : threads_) thread.request_stop();
  }
  SlowSubscribers(const SlowSubscribers&) = delete;
  SlowSubscribers& operator=(const SlowSubscribers&) = delete;

 private:
  std::vector<std::jthread> threads_;
};

Run memory_under_import(const std::string& history) {
  const Scratch scratch;
  const auto url = "unix:" + scratch.path("socket");
  const ServerProcess server(scratch.path("store"), url, url, {"--memory", "256MiB"});
  const SlowSubscribers slow(url);
  std::atomic<bool> done = false;
  std::size_t most = 0;
  std::jthread watch([&] {
    while (!done) {
      most = std::max(most, server.anonymous_bytes());
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  Process importer(
      {ESCTL_PROGRAM, "--store", url, "import", history, "--commit-by", "correlationId"});
  importer.wait_for_success("esctl import");
  std::this_thread::sleep_for(std::chrono::seconds(is_smoke_run() ? 0 : 3));  // the index commits
  done = true;
  watch.join();
  return {.figure = static_cast<double>(most) / (1 << 20)};
}

}  // namespace

void add_imports(Suite& suite) {
  for (const bool is_served : {true, false})
    suite.add({.name = std::string(is_served ? "unix" : "embedded") + "/import",
               .unit = "events/s",
               .prepare = [is_served]() -> Measurement {
                 return [is_served, name = history()](Watch& watch) {
                   return import(name, is_served, watch);
                 };
               }});
  suite.add({.name = "unix/memory_under_import",
             .unit = "MiB",
             .better = Better::kLower,
             .goal = figure_of(256),
             .prepare = []() -> Measurement {
               return [name = history()](Watch&) { return memory_under_import(name); };
             },
             .runs = 1});
}

}  // namespace esdb::bench
