// What an Index is made of; for index.cc and index_rebuild.cc.
//
// Threads: as each group says.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include "storage/index.h"
#include "storage/index_build.h"
#include "storage/index_commit.h"
#include "storage/index_environment.h"
#include "storage/index_files.h"
#include "storage/index_health.h"
#include "storage/index_rows.h"
#include "storage/threads.h"

namespace esdb::storage {

// The next generation of a rebuild, which a thread of its own reads from the log while the one
// before it is written.
class GenerationAhead {
 public:
  using Read = std::packaged_task<Result<std::shared_ptr<const Generation>>(std::stop_token)>;

  explicit GenerationAhead(Read read)
      : result_(read.get_future()),
        thread_(quiet_thread("esdb-replay", [read = std::move(read),
                                             stop = stop_.get_token()]() mutable { read(stop); })) {
  }
  ~GenerationAhead() {
    stop_.request_stop();
    thread_.join();
  }
  GenerationAhead(const GenerationAhead&) = delete;
  GenerationAhead& operator=(const GenerationAhead&) = delete;

  auto take() { return result_.get(); }

 private:
  std::stop_source stop_;
  std::future<Result<std::shared_ptr<const Generation>>> result_;
  std::thread thread_;
};

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
  MetaRow meta;                                   // as committed
  std::optional<GenerationCommit> writing{};      // of which there are transactions to come
  FrameMark target;                               // of a rebuild
  std::unique_ptr<Environment> building{};        // kBuilding: index.new's
  std::unique_ptr<IndexBuild> build{};            // kBuilding: what is written into it
  std::shared_ptr<const Generation> gathering{};  // of which it has nothing yet
  std::unique_ptr<GenerationAhead> ahead{};       // what a rebuild writes next

  void say(std::string_view line) const {
    if (options.log) options.log(line);
  }
  // One transaction of the generation, meta row included. True: that was its last.
  Result<bool> commit(const std::shared_ptr<const Generation>& generation);
  Result<bool> write(GenerationCommit& commit);
  std::unexpected<Error> failed(LmdbError error);
  Result<void> reserve(Environment& in, std::size_t bytes);
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
  // One step of what is built: true, it is all there.
  Result<bool> build_step(const Log& log);
  Result<void> gather(const std::shared_ptr<const Generation>& generation);
  Result<bool> write_gathered();
  void note_reached();
  Result<std::shared_ptr<const Generation>> take_next(const Log& log);
  Result<std::shared_ptr<const Generation>> read_next(const Log& log);
  void read_ahead(const Log& log, const Generation& generation);
  void close_environments();
  Result<void> finish_building();
};

}  // namespace esdb::storage
