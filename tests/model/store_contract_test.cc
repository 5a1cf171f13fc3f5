// The contract that programs' own stores are put under too, for every store of this folder.
#include "tests/fixtures/store_contract.h"

#include <map>
#include <mutex>
#include <utility>

#include "tests/model/stores.h"

namespace esdb::model {
namespace {

// A store that keeps its home while it lives.
class Housed final : public EventStore {
 public:
  Housed(std::unique_ptr<Home> home, std::unique_ptr<EventStore> store)
      : home_(std::move(home)), store_(std::move(store)) {}

  using EventStore::append;
  Result<Appended> append(EncodedAppend append, const CallOptions& call) override {
    return store_->append(std::move(append), call);
  }
  void append(EncodedAppend append, const CallOptions& call, Completion<Appended> done) override {
    store_->append(std::move(append), call, std::move(done));
  }
  Cursor read(Query query, const ReadOptions& options) override {
    return store_->read(std::move(query), options);
  }
  Cursor subscribe(Query query, Start start) override {
    return store_->subscribe(std::move(query), std::move(start));
  }
  Result<StreamInfo> stream_info(std::string_view name) override {
    return store_->stream_info(name);
  }
  Result<StreamPage> streams(std::string_view prefix, std::string_view after,
                             std::size_t limit) override {
    return store_->streams(prefix, after, limit);
  }
  Result<TermPage> terms(TermKind kind, std::string_view prefix, std::string_view after,
                         std::size_t limit) override {
    return store_->terms(kind, prefix, after, limit);
  }
  Result<std::uint64_t> count(Query query, Position after) override {
    return store_->count(std::move(query), after);
  }
  Result<std::uint64_t> tracked(std::string_view source) override {
    return store_->tracked(source);
  }
  Result<TrackingPage> tracking(std::string_view prefix, std::string_view after,
                                std::size_t limit) override {
    return store_->tracking(prefix, after, limit);
  }
  Result<Statistics> statistics() override { return store_->statistics(); }
  int wake_fd() const override { return store_->wake_fd(); }
  void advance() override { store_->advance(); }
  void close() override { store_->close(); }

 private:
  std::unique_ptr<Home> home_;
  std::unique_ptr<EventStore> store_;
};

std::vector<fixtures::StoreUnderTest> stores_under_test() {
  std::vector<fixtures::StoreUnderTest> all;
  for (const auto& body : bodies()) {
    if (body.drive == Drive::kCaller) continue;  // its tests wait without driving
    all.push_back({.name = body.name,
                   .make = [body](Clock* clock) -> std::unique_ptr<EventStore> {
                     auto home = body.make_home();
                     auto store = home->open({.clock = clock}).value();
                     return std::make_unique<Housed>(std::move(home), std::move(store));
                   },
                   .takes_clock = body.takes_clock});
  }
  return all;
}

}  // namespace
}  // namespace esdb::model

namespace esdb::fixtures {

INSTANTIATE_TEST_SUITE_P(Every, StoreContract, ::testing::ValuesIn(model::stores_under_test()),
                         name_of);

}  // namespace esdb::fixtures
