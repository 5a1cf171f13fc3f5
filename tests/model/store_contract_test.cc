// The contract that programs' own stores are put under too, for every store of this folder.
#include "tests/fixtures/store_contract.h"

#include <map>
#include <mutex>
#include <utility>

#include "tests/fixtures/forwarding_store.h"
#include "tests/model/stores.h"

namespace esdb::model {
namespace {

// A store that keeps its home while it lives.
class Housed final : public fixtures::ForwardingStore {
 public:
  Housed(std::unique_ptr<Home> home, std::unique_ptr<EventStore> store) : home_(std::move(home)) {
    forward_to(std::move(store));
  }
  ~Housed() override { forward_to(nullptr); }

 private:
  std::unique_ptr<Home> home_;
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
