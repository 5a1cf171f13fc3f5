// The stores that the tests of this folder are run against: one line for each in stores.cc.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "esdb/event_store.h"

namespace esdb::model {

// Where one store lives. Everything it left on disk goes with it.
class Home {
 public:
  Home() = default;
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;
  virtual ~Home() = default;
  // The first call makes the store; a later one opens it again, when the one before is gone.
  virtual Result<std::unique_ptr<EventStore>> open(const OpenOptions& options) = 0;
  // When the store before is gone: ends what else has it open, and says in which directory it lies.
  // Empty: in none.
  virtual std::string rest() { return {}; }
};

struct Body {
  std::string name{};
  std::function<std::unique_ptr<Home>()> make_home{};
  bool persists = false;     // what was written is there when the store is opened again
  bool takes_clock = false;  // OpenOptions::clock
  Drive drive = Drive::kOwnThread;
};
void PrintTo(const Body& body, std::ostream* out);

// A small store, so that little is enough to come to the end of a segment and of the window of ids.
OpenOptions small_options(const Body& body);
// By how many ids such a store recognises a retry.
inline constexpr std::uint64_t kSmallWindow = kMemoryMin / 12 / 40;

const std::vector<Body>& bodies();

// Runs the store's completions until `done()` says so, by advance() where its caller drives it.
// False when that has not come in half a minute.
bool run_until(EventStore& store, const std::function<bool()>& done);

// A test that is run against every store.
class EveryStore : public ::testing::TestWithParam<Body> {
 protected:
  void SetUp() override { open(small_options(GetParam())); }
  void TearDown() override { store_.reset(); }

  const Body& body() const { return GetParam(); }
  EventStore& store() { return *store_; }
  OpenOptions options() const { return small_options(GetParam()); }
  // A new, empty one in place of the one there is.
  void open(const OpenOptions& options);
  // Ends the store and opens it again.
  void restart();
  // Ends the store, which is not to be used before a restart(), and opens its directory to be read.
  std::unique_ptr<EventStore> restart_read_only();

 private:
  OpenOptions options_{};
  std::unique_ptr<Home> home_{};
  std::unique_ptr<EventStore> store_{};
};

std::string name_of_body(const ::testing::TestParamInfo<Body>& info);

}  // namespace esdb::model
