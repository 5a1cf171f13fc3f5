// The contract of every store, kept by one behind a server: over a Unix socket and over TCP, driven
// by its own thread and by the caller.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <utility>

#include "client/remote_store.h"
#include "esdb/implement.h"
#include "tests/fixtures/forwarding_store.h"
#include "tests/fixtures/reference_store.h"
#include "tests/fixtures/scratch_directory.h"
#include "tests/fixtures/store_contract.h"
#include "tests/server/running_server.h"

namespace esdb::fixtures {
namespace {

// A remote store with the server and the store behind it.
class ServedStore final : public ForwardingStore {
 public:
  // `behind` makes the store that is served, in a directory it may use; driven by the server's
  // loop.
  using Behind = std::function<std::unique_ptr<EventStore>(const std::string&, OpenOptions)>;
  ServedStore(Clock* clock, const Behind& behind, const std::string& endpoint)
      : served_(behind(scratch_.path() + "/data", {.drive = Drive::kCaller, .clock = clock})),
        server_(*served_, {endpoint.empty() ? "unix:" + scratch_.path() + "/s" : endpoint}) {
    forward_to(client::open_remote(client::parse_address(server_.url()).value(), {}).value());
  }
  ~ServedStore() override { forward_to(nullptr); }

 private:
  fixtures::ScratchDirectory scratch_;
  std::unique_ptr<EventStore> served_;
  tests::RunningServer server_;
};

std::unique_ptr<EventStore> reference(const std::string&, OpenOptions options) {
  return make_reference_store(options);
}
std::unique_ptr<EventStore> memory(const std::string&, OpenOptions options) {
  options.memory = kMemoryMin;
  return open("memory:", options).value();
}
std::unique_ptr<EventStore> directory(const std::string& path, OpenOptions options) {
  options.memory = kMemoryMin;
  return open(path, options).value();
}

StoreUnderTest served(std::string name, ServedStore::Behind behind, std::string endpoint,
                      bool takes_clock = true) {
  return {
      .name = std::move(name),
      .make = [behind = std::move(behind), endpoint = std::move(endpoint)](
                  Clock* clock) { return std::make_unique<ServedStore>(clock, behind, endpoint); },
      .takes_clock = takes_clock};
}

INSTANTIATE_TEST_SUITE_P(Remote, StoreContract,
                         testing::Values(served("UnixSocket", reference, ""),
                                         served("Tcp", reference, "tcp:127.0.0.1:0"),
                                         served("OverMemory", memory, ""),
                                         served("OverADirectory", directory, "", false)),
                         name_of);

}  // namespace
}  // namespace esdb::fixtures
