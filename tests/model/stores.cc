#include "tests/model/stores.h"

#include <poll.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <ostream>
#include <stdexcept>
#include <thread>
#include <utility>

#include "storage/embedded_store.h"
#include "tests/fixtures/reference_store.h"

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
    return storage::open_memory(options);
  }
};

class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string path = std::filesystem::temp_directory_path() / "esdb-model-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("no scratch directory");
    path_ = path;
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_{};
};

class DirectoryHome final : public Home {
 public:
  Result<std::unique_ptr<EventStore>> open(const OpenOptions& options) override {
    auto own = options;
    own.clock = nullptr;
    return storage::open_directory(scratch_.path() / "store", own);
  }

 private:
  ScratchDirectory scratch_{};
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

std::string name_of_body(const ::testing::TestParamInfo<Body>& info) { return info.param.name; }

}  // namespace esdb::model
