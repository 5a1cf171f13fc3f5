#include "tests/model/stores.h"

#include <poll.h>

#include <chrono>
#include <ostream>
#include <thread>
#include <utility>

#include "tests/fixtures/reference_store.h"

namespace esdb::model {
namespace {

class ReferenceHome final : public Home {
 public:
  Result<std::unique_ptr<EventStore>> open(const OpenOptions& options) override {
    return fixtures::make_reference_store(options, {.id_window = options.memory / 12 / 40});
  }
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
