// Where esctl bench measures: a store that is there, or a scratch one that is gone at the end.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "tools/command.h"

namespace esdb::tools {

// A directory of a run's own, gone with all that is in it.
class BenchScratch {
 public:
  static Result<std::unique_ptr<BenchScratch>> make_in(const std::string& directory);
  ~BenchScratch();
  BenchScratch(const BenchScratch&) = delete;
  BenchScratch& operator=(const BenchScratch&) = delete;
  const std::string& path() const { return path_; }

 private:
  explicit BenchScratch(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

struct BenchPlace {
  enum class Kind : std::uint8_t { kScratch, kDirectory, kMemory, kServer };
  Kind kind{};
  std::string url{};  // of the store
  // Of raw writes, on the disk of the store; none where that is not known, or not yet made.
  std::unique_ptr<BenchScratch> scratch{};
};

// `directory`: of a scratch store, as --directory says; empty where nothing was said. The server at
// the default socket is not taken: nobody has named it.
Result<BenchPlace> find_bench_place(const Invocation& invocation, const std::string& directory);

// Of the server that listens at unix:PATH; nothing where it is not known.
std::optional<pid_t> server_behind(const std::string& url);

}  // namespace esdb::tools
