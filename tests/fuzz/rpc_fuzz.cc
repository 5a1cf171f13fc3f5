// Bytes from a peer to a real connection of the server, over a store in memory. Whatever comes, the
// connection ends when the peer has ended, everything that the server says is a whole message, no
// call stays behind, and every event that got into the store is one that a client could have made.
//
//   mode | bytes as they are, or messages: two bytes of length in words, then the words
#include <capnp/serialize-async.h>
#include <kj/async-io.h>

#include <memory>
#include <optional>
#include <string>

#include "esdb/implement.h"
#include "protocol/encoded_event.h"
#include "server/connection.h"
#include "storage/check.h"
#include "storage/embedded_store.h"
#include "tests/fuzz/input.h"

namespace esdb::server {
namespace {

constexpr std::size_t kMessageWordsMax = 1024;
constexpr auto kPatience = 20 * kj::SECONDS;

// The messages of the input with a segment table before each.
std::string framed(fuzz::Input& input) {
  std::string bytes;
  while (!input.empty()) {
    const std::uint32_t words = input.take<std::uint16_t>() % kMessageWordsMax;
    const std::uint32_t table[] = {0, words};
    bytes.append(reinterpret_cast<const char*>(table), sizeof(table));
    bytes.append(input.text(words * sizeof(capnp::word)));
  }
  return bytes;
}

// One event loop for all inputs, a store and a server's parts for each.
class Served {
 public:
  explicit Served(kj::AsyncIoContext& loop)
      : loop_(loop),
        store_(storage::open_memory({.drive = Drive::kCaller}).value()),
        driver_(*store_, loop.unixEventPort),
        looking_(loop.unixEventPort),
        context_(new Context{.store = *store_,
                             .driver = driver_,
                             .looking = looking_,
                             .timer = loop.provider->getTimer(),
                             .options = {}}),
        admission_(context_->options) {}
  ~Served() { context_->closed = true; }

  void hear(const std::string& bytes) {
    auto pipe = kj::newTwoWayPipe();
    auto& peer = *pipe.ends[1];
    auto speaking = peer.write(bytes.data(), bytes.size())
                        .then([&peer]() { peer.shutdownWrite(); }, [](kj::Exception&&) {})
                        .eagerlyEvaluate(nullptr);
    auto listening = listen(peer).eagerlyEvaluate(nullptr);
    auto entry = admission_.enter("fuzz", context_->timer.now());
    {
      Connection connection(context_, 1, "fuzz", std::move(entry), kj::mv(pipe.ends[0]));
      bool ended = false;
      connection.run()
          .then([&ended]() { ended = true; })
          .exclusiveJoin(context_->timer.afterDelay(kPatience))
          .wait(loop_.waitScope);
      ESDB_CHECK(ended);
    }
    wait_for_calls();
    check_events();
  }

 private:
  // What the server says, to its end.
  kj::Promise<void> listen(kj::AsyncIoStream& peer) {
    return capnp::tryReadMessage(peer, {.traversalLimitInWords = ~std::uint64_t{0}})
        .then(
            [this, &peer](kj::Maybe<kj::Own<capnp::MessageReader>> message) -> kj::Promise<void> {
              if (message == nullptr) return kj::READY_NOW;
              return listen(peer);
            },
            [](kj::Exception&& error) {
              // Cut off, where the server gave the peer up.
              ESDB_CHECK(error.getType() == kj::Exception::Type::DISCONNECTED);
            });
  }

  void wait_for_calls() {
    const auto& in_flight = *context_->in_flight;
    for (int turn = 0; in_flight.appends + in_flight.batches != 0; ++turn) {
      ESDB_CHECK(turn < 10'000);
      context_->timer.afterDelay(1 * kj::MILLISECONDS).wait(loop_.waitScope);
    }
  }

  void check_events() {
    auto cursor = store_->read(everything());
    for (;;) {
      const auto batch = cursor.next({});
      ESDB_CHECK(batch.has_value());
      for (const auto event : *batch) {
        const auto encoded = event.encoded();
        ESDB_CHECK(protocol::has_accepted_layout(encoded));
        const protocol::EventFields fields{.id = event.id(),
                                           .stream = event.stream(),
                                           .type = event.type(),
                                           .data = event.data(),
                                           .metadata = event.metadata(),
                                           .content_type = event.content_type(),
                                           .tags = protocol::tags_of(encoded)};
        ESDB_CHECK(protocol::check_fields(fields).has_value());
      }
      if (batch->finished()) return;
    }
  }

  kj::AsyncIoContext& loop_;
  std::unique_ptr<EventStore> store_;
  Driver driver_;
  Looking looking_;
  std::shared_ptr<Context> context_;
  Admission admission_;
};

void check_bytes(fuzz::Input input) {
  static auto loop = kj::setupAsyncIo();
  const bool as_they_are = (input.take<std::uint8_t>() & 1) != 0;
  const auto bytes = as_they_are ? std::string(input.rest_of_text()) : framed(input);
  Served(loop).hear(bytes);
}

}  // namespace
}  // namespace esdb::server

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  esdb::server::check_bytes({data, size});
  return 0;
}
