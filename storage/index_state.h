// What an Index is made of; for index.cc and index_rebuild.cc.
//
// Threads: as each group says.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "storage/index.h"
#include "storage/index_environment.h"
#include "storage/index_files.h"
#include "storage/index_health.h"
#include "storage/index_rows.h"

namespace esdb::storage {

struct Index::State {
  State(const IndexOptions& given, Access access)
      : options(given),
        files(given.directory),
        health(access == Access::kReadWrite ? files.damaged_marker() : std::string{}, given.log) {}

  const IndexOptions options;
  const IndexFiles files;
  IndexHealth health;

  enum class Phase : std::uint8_t {
    kReady,
    kBehind,    // written on, in place, up to `target`
    kBuilding,  // index.new is written, up to `target`
  };
  std::atomic<Phase> phase{Phase::kReady};
  std::atomic<std::uint64_t> reached{0};  // the position a rebuild has come to
  std::atomic<std::uint64_t> target_position{0};

  // The environment that readers use. Closing it waits for them, and new ones wait for its return.
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::unique_ptr<Environment> environment;  // guarded by mutex
  int readers = 0;                           // guarded by mutex
  bool closing = false;                      // guarded by mutex
  FrameMark mark;                            // guarded by mutex: of the last commit
  std::optional<Error> failure{};            // guarded by mutex: why a rebuild stands still

  // The indexer.
  MetaRow meta;                             // as committed
  FrameMark target;                         // of a rebuild
  std::unique_ptr<Environment> building{};  // kBuilding: index.new's

  void say(std::string_view line) const {
    if (options.log) options.log(line);
  }
  // Writes the generation and the meta row into an environment and commits.
  Result<void> commit_to(Environment& to, const Generation& generation);
  Result<void> reopen();
  // An environment with nothing in it but a meta row.
  Result<std::unique_ptr<Environment>> make_empty(const std::string& directory,
                                                  Environment::Mode mode);
  Result<std::string> open_existing(const Log& log);
  Result<void> begin_anew(std::string_view reason);
  Result<void> begin_rebuild(const Log& log);
  Result<void> aim_at_end(const Log& log);
  void set_target(const FrameMark& to);
  void begin_again();  // after damage
  void set_failure(std::optional<Error> why);
  Result<void> prepare_step();
  void close_environments();
  Result<void> finish_building();
};

}  // namespace esdb::storage
