// Appends to a store from several threads, each append resting on the versions of the streams it
// writes to, until it is killed or has done its number; what was acknowledged goes to standard
// output (ledger.h). Run by tests: ledger_writer URL SEED THREADS APPENDS-OF-EACH-THREAD|0
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "esdb/event_store.h"
#include "tests/end_to_end/ledger.h"

namespace esdb::end_to_end {
namespace {

struct Task {
  std::string url{};
  std::uint64_t seed{};
  std::size_t threads{};
  std::size_t appends{};  // of each thread; 0: without end
};

void say(const std::string& lines) {
  if (::write(STDOUT_FILENO, lines.data(), lines.size()) != static_cast<ssize_t>(lines.size()))
    std::_Exit(3);
}

class Author {
 public:
  Author(EventStore& store, const Task& task, std::size_t number)
      : store_(store), number_(number), random_(task.seed * 1000 + number) {}

  // Appends once, however often it takes. The last error when that is no use.
  Result<void> append_one() {
    auto request = make();
    for (;;) {
      const auto appended = store_.append(request);
      if (appended) {
        for (const auto& [stream, version] : appended->streams) known_[stream] = version;
        say(Ledger::lines(request, *appended));
        return {};
      }
      const auto& error = appended.error();
      if (remedy(error.code) == Remedy::kDecide) {
        for (const auto& violation : error.violations) {
          auto& check = request.checks.at(violation.check);
          known_[check.name] = violation.actual;
          check = Check::stream(check.name, Expect::exactly(violation.actual));
        }
      } else if (remedy(error.code) == Remedy::kRepeat) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      } else {
        return std::unexpected(error);
      }
    }
  }

 private:
  std::size_t any(std::size_t from, std::size_t to) {
    return std::uniform_int_distribution<std::size_t>(from, to)(random_);
  }

  // Streams of this author's own, and some that all authors write to.
  std::string stream() {
    return any(0, 2) == 0 ? "shared-" + std::to_string(any(0, 3))
                          : "own" + std::to_string(number_) + "-" + std::to_string(any(0, 40));
  }

  AppendRequest make() {
    AppendRequest request;
    const auto append = to_string(EventId::make());
    std::vector<std::string> streams;
    for (std::size_t i = 0, count = any(1, 3); i < count; ++i) streams.push_back(stream());
    const auto count = any(1, 4);
    for (std::size_t i = 0; i < count; ++i) {
      const Part part{.append = append, .index = i, .of = count};
      request.events.push_back({.stream = streams[any(0, streams.size() - 1)],
                                .type = "Type" + std::to_string(any(0, 4)),
                                .data = data_of(part, any(0, 9) == 0 ? 60'000 : any(0, 900)),
                                .tags = {Tag("part", std::to_string(i))},
                                .id = id_of(part)});
    }
    std::map<std::string, Version> written;
    for (const auto& event : request.events) written[event.stream] = known_[event.stream];
    for (const auto& [name, version] : written)
      request.checks.push_back(Check::stream(name, Expect::exactly(version)));
    return request;
  }

  EventStore& store_;
  std::size_t number_;
  std::mt19937_64 random_;
  std::map<std::string, Version> known_{};
};

int write_ledger(const Task& task) {
  // Small segments, so that rolling over and sealing happen while it is killed.
  auto store = open(task.url, {.memory = kMemoryMin,
                               .segment_bytes = kSegmentBytesMin,
                               .event_bytes_max = kSegmentBytesMin / 4,
                               .append_bytes_max = kSegmentBytesMin / 4});
  if (!store) {
    std::fprintf(stderr, "%s\n", store.error().message.c_str());
    return 1;
  }
  say(std::string(Ledger::kOpen));
  std::atomic<int> failures = 0;
  {
    std::vector<std::jthread> threads;
    for (std::size_t number = 0; number < task.threads; ++number)
      threads.emplace_back([&task, &failures, &store, number] {
        Author author(**store, task, number);
        for (std::size_t done = 0; task.appends == 0 || done < task.appends; ++done) {
          const auto appended = author.append_one();
          if (appended) continue;
          std::fprintf(stderr, "%s\n", appended.error().message.c_str());
          ++failures;
          return;
        }
      });
  }
  (*store)->close();
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace esdb::end_to_end

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  return esdb::end_to_end::write_ledger({.url = argv[1],
                                         .seed = std::strtoull(argv[2], nullptr, 10),
                                         .threads = std::strtoull(argv[3], nullptr, 10),
                                         .appends = std::strtoull(argv[4], nullptr, 10)});
}
