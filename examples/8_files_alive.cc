// 8. A projection in memory over a git history (scripts/git-history makes the events): how many
// files are alive, and which changed most.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "esdb/memory_view.h"
#include "esdb/projection.h"

namespace {

struct File {
  std::uint64_t changes = 0;
  bool alive = false;
};

using Files = std::map<std::string, File>;  // by stream

void print(const Files& files) {
  std::vector<std::pair<std::string, File>> ranked(files.begin(), files.end());
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) {
    return a.second.changes > b.second.changes;
  });
  const auto alive =
      std::count_if(ranked.begin(), ranked.end(), [](const auto& f) { return f.second.alive; });
  std::printf("files alive: %td of %zu\nmost changed:\n", alive, ranked.size());
  for (std::size_t i = 0; i < std::min<std::size_t>(5, ranked.size()); ++i) {
    const auto& [stream, file] = ranked[i];
    std::printf("%6llu  %s%s\n", static_cast<unsigned long long>(file.changes),
                stream.substr(std::string_view("file-").size()).c_str(),
                file.alive ? "" : "  (deleted)");
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: %s STORE\n", argv[0]), 2;
  auto store = esdb::open(argv[1], {.create = esdb::Create::kNever});
  if (!store) return std::fprintf(stderr, "%s\n", store.error().message.c_str()), 1;

  esdb::MemoryView<Files> view;
  const auto change = [&](esdb::RecordedEvent e, bool alive) {
    auto& file = view.state()[std::string(e.stream())];
    file.changes += 1;
    file.alive = alive;
  };
  esdb::Projection projection(**store, "files-alive", esdb::category("file"), view);
  projection.on("FileDeleted", [&](esdb::RecordedEvent e) { change(e, false); });
  projection.otherwise([&](esdb::RecordedEvent e) { change(e, true); });
  if (auto reached = projection.run_until_caught_up(); !reached)
    return std::fprintf(stderr, "%s\n", reached.error().message.c_str()), 1;
  print(*view.committed());
}
