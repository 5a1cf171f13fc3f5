#include "tests/model/stores.h"

#include <poll.h>

#include <chrono>
#include <optional>
#include <ostream>
#include <thread>
#include <utility>
#include <vector>

#include "tests/end_to_end/server_process.h"
#include "tests/fixtures/reference_store.h"
#include "tests/fixtures/scratch_directory.h"
#include "tests/server/running_server.h"

namespace esdb::model {
namespace {

class ReferenceHome final : public Home {
 public:
  Result<std::unique_ptr<EventStore>> open(const OpenOptions& options) override {
    return fixtures::make_reference_store(options, {.id_window = options.memory / 12 / 40});
  }
};

class MemoryHome final : public Home {
 public:
  Result<std::unique_ptr<EventStore>> open(const OpenOptions& options) override {
    return esdb::open("memory:", options);
  }
};

class DirectoryHome final : public Home {
 public:
  Result<std::unique_ptr<EventStore>> open(const OpenOptions& options) override {
    return esdb::open(rest(), options);
  }
  std::string rest() override { return scratch_.path() + "/store"; }

 private:
  fixtures::ScratchDirectory scratch_{};
};

// A server over a store that lives in an `Inner`, on a thread of this process.
template <class Inner>
class ServedHome final : public Home {
 public:
  ~ServedHome() override { stop(); }

  Result<std::unique_ptr<EventStore>> open(const OpenOptions& options) override {
    stop();
    auto own = options;
    own.drive = Drive::kCaller;
    auto served = inner_.open(own);
    if (!served) return std::unexpected(served.error());
    served_ = *std::move(served);
    server_.emplace(*served_, std::vector<std::string>{"unix:" + scratch_.path() + "/socket"},
                    server::Options{.event_bytes_max = options.event_bytes_max,
                                    .append_bytes_max = options.append_bytes_max});
    if (const auto* failure = server_->failure()) return std::unexpected(*failure);
    return esdb::open(server_->url(), {.drive = options.drive});
  }
  std::string rest() override {
    stop();
    return inner_.rest();
  }

 private:
  void stop() {
    server_.reset();
    served_.reset();
  }

  fixtures::ScratchDirectory scratch_{};
  Inner inner_{};
  std::unique_ptr<EventStore> served_{};
  std::optional<tests::RunningServer> server_{};
};

// The real server in a process of its own, which is killed every other time.
class ProcessHome final : public Home {
 public:
  Result<std::unique_ptr<EventStore>> open(const OpenOptions& options) override {
    end();
    if (!server_)
      server_.emplace(scratch_, end_to_end::Serving{.arguments = {"--config", settings(options)}});
    if (!server_->start())
      return std::unexpected(Error{.code = ErrorCode::kUnavailable, .message = server_->log()});
    running_ = true;
    return esdb::open(server_->url(), {.drive = options.drive});
  }
  std::string rest() override {
    end();
    return server_->data();
  }

 private:
  void end() {
    if (!std::exchange(running_, false)) return;
    kills_ = !kills_;
    if (kills_) {
      server_->kill();
    } else if (const auto ended = server_->stop(); ended != end_to_end::Ended{.code = 0}) {
      ADD_FAILURE() << "esdb-server ended with " << ended << ": " << server_->log();
    }
  }
  std::string settings(const OpenOptions& options) const {
    const auto line = [](const char* key, std::size_t bytes) {
      return std::string(key) + " = " + std::to_string(bytes) + "\n";
    };
    return scratch_.write("esdb.toml", line("memory", options.memory) +
                                           line("segment_bytes", options.segment_bytes) +
                                           line("event_bytes_max", options.event_bytes_max) +
                                           line("append_bytes_max", options.append_bytes_max));
  }

  fixtures::ScratchDirectory scratch_{};
  std::optional<end_to_end::ServerProcess> server_{};
  bool running_ = false;
  bool kills_ = false;
};

template <class Kind>
std::unique_ptr<Home> make() {
  return std::make_unique<Kind>();
}

}  // namespace

void PrintTo(const Body& body, std::ostream* out) { *out << body.name; }

const std::vector<Body>& bodies() {
  static const std::vector<Body> kAll{
      {.name = "Reference", .make_home = make<ReferenceHome>, .takes_clock = true},
      {.name = "ReferenceDrivenByItsCaller",
       .make_home = make<ReferenceHome>,
       .takes_clock = true,
       .drive = Drive::kCaller},
      {.name = "Memory", .make_home = make<MemoryHome>, .takes_clock = true},
      {.name = "MemoryDrivenByItsCaller",
       .make_home = make<MemoryHome>,
       .takes_clock = true,
       .drive = Drive::kCaller},
      {.name = "Directory", .make_home = make<DirectoryHome>, .persists = true},
      {.name = "DirectoryDrivenByItsCaller",
       .make_home = make<DirectoryHome>,
       .persists = true,
       .drive = Drive::kCaller},
      {.name = "ServedMemory", .make_home = make<ServedHome<MemoryHome>>, .takes_clock = true},
      {.name = "ServedDirectory", .make_home = make<ServedHome<DirectoryHome>>, .persists = true},
      {.name = "ServedDirectoryDrivenByItsCaller",
       .make_home = make<ServedHome<DirectoryHome>>,
       .persists = true,
       .drive = Drive::kCaller},
      {.name = "ServerProcess", .make_home = make<ProcessHome>, .persists = true},
  };
  return kAll;
}

OpenOptions small_options(const Body& body) {
  return {.drive = body.drive,
          .memory = kMemoryMin,
          .segment_bytes = kSegmentBytesMin,
          .event_bytes_max = kSegmentBytesMin / 8,
          .append_bytes_max = kSegmentBytesMin / 4};
}

bool run_until(EventStore& store, const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!done()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    if (store.wake_fd() < 0) {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
      continue;
    }
    pollfd fd{.fd = store.wake_fd(), .events = POLLIN, .revents = 0};
    ::poll(&fd, 1, 100);
    store.advance();
  }
  return true;
}

void EveryStore::open(const OpenOptions& options) {
  store_.reset();
  home_ = GetParam().make_home();
  options_ = options;
  store_ = home_->open(options_).value();
}

void EveryStore::restart() {
  store_.reset();
  store_ = home_->open(options_).value();
}

std::unique_ptr<EventStore> EveryStore::restart_read_only() {
  store_.reset();
  auto options = options_;
  options.access = Access::kReadOnly;
  options.drive = Drive::kOwnThread;
  return esdb::open(home_->rest(), options).value();
}

std::string name_of_body(const ::testing::TestParamInfo<Body>& info) { return info.param.name; }

}  // namespace esdb::model
