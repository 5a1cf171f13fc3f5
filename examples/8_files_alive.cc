// 8. A projection in memory over a git history (scripts/git-history makes the events): how many
// files are alive, and which changed most.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "esdb/projection.h"

namespace {

struct File {
  std::uint64_t changes = 0;
  bool alive = false;
};

// Files by stream. A transaction remembers how the files it changes were before, and rolls back to
// that.
class Files final : public esdb::View {
 public:
  void change(std::string_view stream, bool alive) {
    auto& file = files_[std::string(stream)];
    before_.try_emplace(std::string(stream), file);
    file.changes += 1;
    file.alive = alive;
  }

  esdb::Result<esdb::Checkpoint> begin() override { return checkpoint_; }
  esdb::Result<void> commit(const esdb::Checkpoint& reached) override {
    checkpoint_ = reached;
    before_.clear();
    return {};
  }
  void rollback() override {
    for (auto& [stream, file] : before_) files_[stream] = file;
    before_.clear();
  }

  const std::map<std::string, File>& files() const { return files_; }

 private:
  std::map<std::string, File> files_;
  std::map<std::string, File> before_;
  esdb::Checkpoint checkpoint_;
};

void print(const std::map<std::string, File>& files) {
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

  Files files;
  esdb::Projection projection(**store, "files-alive", esdb::category("file"), files);
  projection.on("FileDeleted", [&](esdb::RecordedEvent e) { files.change(e.stream(), false); });
  projection.otherwise([&](esdb::RecordedEvent e) { files.change(e.stream(), true); });
  if (auto reached = projection.run_until_caught_up(); !reached)
    return std::fprintf(stderr, "%s\n", reached.error().message.c_str()), 1;
  print(files.files());
}
