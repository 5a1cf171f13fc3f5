#include "protocol/message_stream.h"

#include <capnp/message.h>
#include <gtest/gtest.h>

#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "protocol/esdb.capnp.h"
#include "tests/fixtures/test_run.h"

namespace esdb::protocol {
namespace {

class MessageStreams : public testing::Test {
 protected:
  MessageStreams()
      : loop_(kj::setupAsyncIo()),
        pipe_(loop_.provider->newTwoWayPipe()),
        here_(kj::mv(pipe_.ends[0]), loop_.provider->getTimer(), {.message_bytes = kMost}),
        there_(kj::mv(pipe_.ends[1]), loop_.provider->getTimer(), {.message_bytes = kMost}) {}

  ~MessageStreams() noexcept override {}

  static constexpr std::size_t kMost = 8 << 20;
  kj::AsyncIoContext loop_;
  kj::TwoWayPipe pipe_;
  MessageStream here_, there_;
};

TEST_F(MessageStreams, MessagesOfEverySizeArriveWholeAndInOrder) {
  const auto seed = fixtures::seed();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  std::vector<std::string> texts;
  for (int i = 0; i < 200; ++i) texts.emplace_back(random() % (i % 10 == 0 ? 500'000 : 2'000), 'x');
  texts.emplace_back();
  kj::Promise<void> written = kj::READY_NOW;
  std::vector<std::unique_ptr<capnp::MallocMessageBuilder>> messages;
  for (const auto& text : texts) {
    // A small first segment, so that messages have several.
    auto& message = *messages.emplace_back(
        std::make_unique<capnp::MallocMessageBuilder>(16, capnp::AllocationStrategy::FIXED_SIZE));
    auto error = message.initRoot<Error>();
    error.setMessage(text.c_str());
    error.initViolations(static_cast<unsigned>(random() % 5));
    capnp::MessageStream& stream = here_;
    written = written.then([&stream, &message]() { return stream.writeMessage(message); });
  }
  written = written.eagerlyEvaluate(nullptr);
  for (const auto& text : texts) {
    capnp::MessageStream& stream = there_;
    auto message = stream.readMessage().wait(loop_.waitScope);
    ASSERT_EQ(message->getRoot<Error>().getMessage().size(), text.size());
  }
  written.wait(loop_.waitScope);
}

TEST_F(MessageStreams, TheEndBetweenTwoMessagesIsNoFailure) {
  here_.end().wait(loop_.waitScope);
  capnp::MessageStream& stream = there_;
  EXPECT_TRUE(stream.tryReadMessage().wait(loop_.waitScope) == nullptr);
  EXPECT_EQ(there_.failure(), "");
}

TEST_F(MessageStreams, AMessageAboveTheLimitIsRefusedByItsHeader) {
  there_.set_message_bytes_max(1024);
  capnp::MallocMessageBuilder message;
  message.initRoot<Error>().initMessage(2000);
  capnp::MessageStream& to = here_;
  capnp::MessageStream& from = there_;
  to.writeMessage(message).wait(loop_.waitScope);
  EXPECT_THROW(from.readMessage().wait(loop_.waitScope), kj::Exception);
  EXPECT_TRUE(there_.was_given_up());
  EXPECT_FALSE(there_.is_foreign());
}

TEST(Speech, IsRecognisedByItsFirstBytes) {
  EXPECT_EQ(recognise("PRI * HTTP/2.0\r\n"), Speech::kHttp2);
  EXPECT_EQ(recognise(std::string_view("\0\0\x12\x04\0\0\0\0\0\0", 10)), Speech::kHttp2);
  EXPECT_EQ(recognise("GET / HTTP/1.1"), Speech::kHttp1);
  EXPECT_EQ(recognise("HTTP/1.1 400"), Speech::kHttp1);
  EXPECT_EQ(recognise(std::string_view("\x16\x03\x01\x02\0", 5)), Speech::kTls);
  EXPECT_EQ(recognise("SSH-2.0-x"), Speech::kSsh);
  EXPECT_EQ(recognise("hello"), Speech::kUnknown);
  EXPECT_EQ(recognise(""), Speech::kUnknown);
}

}  // namespace
}  // namespace esdb::protocol
