#include "tests/fuzz/spoken.h"

#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>

#include <cstring>
#include <functional>
#include <memory>

#include "protocol/esdb.capnp.h"
#include "protocol/wire.h"
#include "storage/check.h"
#include "tests/fixtures/reference_store.h"
#include "tests/fixtures/scratch_directory.h"
#include "tests/server/running_server.h"

namespace esdb::fuzz {
namespace {

// A stream that keeps what is written to it.
class Overheard final : public kj::AsyncIoStream {
 public:
  explicit Overheard(kj::Own<kj::AsyncIoStream> stream) : stream_(kj::mv(stream)) {}
  const std::string& said() const { return said_; }

  kj::Promise<size_t> tryRead(void* buffer, size_t least, size_t most) override {
    return stream_->tryRead(buffer, least, most);
  }
  kj::Promise<void> write(const void* buffer, size_t size) override {
    said_.append(static_cast<const char*>(buffer), size);
    return stream_->write(buffer, size);
  }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
    for (const auto piece : pieces)
      said_.append(reinterpret_cast<const char*>(piece.begin()), piece.size());
    return stream_->write(pieces);
  }
  kj::Promise<void> whenWriteDisconnected() override { return stream_->whenWriteDisconnected(); }
  void shutdownWrite() override { stream_->shutdownWrite(); }

 private:
  kj::Own<kj::AsyncIoStream> stream_;
  std::string said_;
};

using Session = protocol::Session::Client;
using Talk = std::function<void(Session session, kj::WaitScope& scope)>;

AppendRequest some_append() {
  return {.events =
              {{.stream = "s-1", .type = "T", .data = "{}", .id = EventId::derive({}, 1)},
               {.stream = "s-2", .type = "U", .tags = {{"k", "v"}}, .id = EventId::derive({}, 2)}},
          .checks = {Check::stream("s-1", Expect::none()), Check::absent(stream("x"))},
          .tracking = {{.source = "source", .position = 5}}};
}

void append(Session session, kj::WaitScope& scope) {
  auto call = session.appendRequest();
  const auto encoded = EncodedAppend::encode(some_append()).value();
  const auto bytes = encoded.bytes();
  call.setAppend(kj::arrayPtr(reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()));
  call.setTimeoutMs(1000);
  call.send().wait(scope);
}

void read(Session session, kj::WaitScope& scope) {
  append(session, scope);
  auto call = session.readRequest();
  protocol::put(everything(), call.initQuery());
  protocol::put(esdb::ReadOptions{.limit = 10}, call.initOptions());
  auto cursor = call.send().getCursor();
  auto next = cursor.nextRequest();
  next.setMaxBytes(1000);
  next.send().wait(scope);
}

void subscribe(Session session, kj::WaitScope& scope) {
  auto call = session.subscribeRequest();
  protocol::put(stream("s-1") | category("s").tagged({"k:v"}), call.initQuery());
  protocol::put(esdb::Start::beginning(), call.initStart());
  auto cursor = call.send().getCursor();
  auto next = cursor.nextRequest();
  next.setWaitMs(5);
  auto first = next.send();
  append(session, scope);
  first.wait(scope);
  auto waiting = cursor.nextRequest();
  waiting.setWaitMs(1000);
  auto answer = waiting.send();
  cursor.cancelRequest().send().wait(scope);
  answer.wait(scope);
}

void look(Session session, kj::WaitScope& scope) {
  auto info = session.streamInfoRequest();
  info.setStream("s-1");
  info.send().wait(scope);
  auto streams = session.streamsRequest();
  streams.setPrefix("s");
  streams.setLimit(3);
  streams.send().wait(scope);
  auto terms = session.termsRequest();
  terms.setKind(protocol::TermKind::TAG);
  terms.setLimit(2);
  terms.send().wait(scope);
  auto count = session.countRequest();
  protocol::put(types({"T"}), count.initQuery());
  count.send().wait(scope);
  auto tracked = session.trackedRequest();
  tracked.setSource("source");
  tracked.send().wait(scope);
  auto tracking = session.trackingRequest();
  tracking.setLimit(1);
  tracking.send().wait(scope);
  session.statisticsRequest().send().wait(scope);
}

// What crosses from the client in one conversation.
std::string conversation(kj::AsyncIoContext& loop, const std::string& url, const Talk& talk) {
  auto address = loop.provider->getNetwork().parseAddress(url.c_str()).wait(loop.waitScope);
  Overheard stream(address->connect().wait(loop.waitScope));
  {
    capnp::TwoPartyClient client(stream);
    auto bootstrap = client.bootstrap().castAs<protocol::Bootstrap>();
    auto hello = bootstrap.helloRequest();
    hello.setVersionMin(1);
    hello.setVersionMax(1);
    hello.setClient("spoken");
    hello.send().wait(loop.waitScope);
    auto credentials = bootstrap.authenticateRequest();
    credentials.setPeer();
    auto known = credentials.send().wait(loop.waitScope);
    ESDB_CHECK(known.isSession());
    if (talk) talk(known.getSession(), loop.waitScope);
  }
  return stream.said();
}

// As the fuzzer's other form: two bytes of length in words, then the words.
std::string messages_of(const std::string& bytes) {
  std::string messages(1, '\0');
  for (std::size_t at = 0; at + 8 <= bytes.size();) {
    std::uint32_t table[2];
    std::memcpy(table, bytes.data() + at, sizeof(table));
    ESDB_CHECK(table[0] == 0);  // one segment
    const auto words = static_cast<std::uint16_t>(table[1]);
    messages.append(reinterpret_cast<const char*>(&words), sizeof(words));
    messages.append(bytes, at + 8, words * std::size_t{8});
    at += 8 + words * std::size_t{8};
  }
  return messages;
}

}  // namespace

std::vector<std::string> spoken() {
  const fixtures::ScratchDirectory scratch;
  const auto store = fixtures::make_reference_store(OpenOptions{.drive = Drive::kCaller});
  const tests::RunningServer server(*store, {"unix:" + scratch.path() + "/s"});
  auto loop = kj::setupAsyncIo();
  std::vector<std::string> inputs;
  for (const auto& talk : {Talk(), Talk(append), Talk(read), Talk(subscribe), Talk(look)}) {
    const auto bytes = conversation(loop, server.url(), talk);
    inputs.push_back('\1' + bytes);
    inputs.push_back(messages_of(bytes));
  }
  for (const char* foreign : {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
                              "\x16\x03\x01\x02", "SSH-2.0-x\r\n", "\xff\xff\xff\xff\xff\xff"})
    inputs.push_back('\1' + std::string(foreign));
  return inputs;
}

}  // namespace esdb::fuzz
