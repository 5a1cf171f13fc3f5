#include "protocol/socket_stream.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iostream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/fixtures/test_run.h"

namespace esdb::protocol {
namespace {

class SocketStreams : public testing::Test {
 protected:
  SocketStreams() : loop_(kj::setupAsyncIo()) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) != 0)
      std::abort();
    const int small = 4096;  // so that writing has to wait
    for (const int end : ends) ::setsockopt(end, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    here_ = kj::heap<SocketStream>(loop_.unixEventPort, kj::AutoCloseFd(ends[0]));
    there_ = kj::heap<SocketStream>(loop_.unixEventPort, kj::AutoCloseFd(ends[1]));
  }
  ~SocketStreams() noexcept override {}

  kj::WaitScope& scope() { return loop_.waitScope; }
  std::string read(std::size_t least, std::size_t most) {
    std::string bytes(most, '?');
    bytes.resize(there_->tryRead(bytes.data(), least, most).wait(scope()));
    return bytes;
  }
  void write(const std::string& bytes) { here_->write(bytes.data(), bytes.size()).wait(scope()); }

  kj::AsyncIoContext loop_;
  kj::Own<SocketStream> here_, there_;
};

TEST_F(SocketStreams, PiecesOfEverySizeArriveWholeAndInOrder) {
  const auto seed = fixtures::seed();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  std::string all;
  std::vector<std::vector<std::string>> writes(40);
  for (auto& pieces : writes) {
    pieces.resize(random() % 150);  // more than one call takes
    for (auto& piece : pieces) {
      const std::size_t size = random() % 4 == 0 ? 0 : random() % 3'000;
      for (std::size_t i = 0; i < size; ++i) piece += static_cast<char>(random());
      all += piece;
    }
  }
  kj::Promise<void> written = kj::READY_NOW;
  for (const auto& pieces : writes)
    written = written.then([this, &pieces]() {
      auto list = kj::heapArrayBuilder<kj::ArrayPtr<const kj::byte>>(pieces.size());
      for (const auto& piece : pieces)
        list.add(reinterpret_cast<const kj::byte*>(piece.data()), piece.size());
      auto array = list.finish();
      auto promise = here_->write(array);
      return promise.attach(kj::mv(array));
    });
  written = written.then([this]() { here_->shutdownWrite(); }).eagerlyEvaluate(nullptr);
  std::string got;
  for (;;) {
    const std::size_t least = 1 + random() % 5'000;
    const auto bytes = read(least, least + random() % 20'000);
    got += bytes;
    if (bytes.size() < least) break;
  }
  written.wait(scope());
  EXPECT_TRUE(got == all) << got.size() << " of " << all.size() << " bytes";
}

TEST_F(SocketStreams, AShortReadThenWaitsForWhatComesNext) {
  for (int i = 0; i < 3; ++i) {
    write("first");
    EXPECT_EQ(read(1, 100), "first");
    write("sec");
    auto more = loop_.provider->getTimer()
                    .afterDelay(1 * kj::MILLISECONDS)
                    .then([this]() { return here_->write("ond", 3); })
                    .eagerlyEvaluate(nullptr);
    EXPECT_EQ(read(6, 100), "second");
    more.wait(scope());
  }
}

TEST_F(SocketStreams, AReadThatWasGivenUpLosesNothing) {
  write("one");
  EXPECT_EQ(read(1, 100), "one");
  std::array<char, 8> unused{};
  for (int i = 0; i < 3; ++i) {
    {
      auto given_up = there_->tryRead(unused.data(), 1, unused.size());
      EXPECT_FALSE(given_up.poll(scope()));
    }
    write("two");
    EXPECT_EQ(read(1, 100), "two");
  }
}

TEST_F(SocketStreams, TheEndIsReadBehindWhatWasWrittenBeforeIt) {
  write("last");
  EXPECT_EQ(read(1, 100), "last");
  here_->shutdownWrite();
  EXPECT_EQ(read(1, 100), "");
  EXPECT_EQ(read(1, 100), "") << "and again";
}

TEST_F(SocketStreams, AbortingEndsAReadThatWaits) {
  std::array<char, 8> unused{};
  auto reading = there_->tryRead(unused.data(), 1, unused.size());
  EXPECT_FALSE(reading.poll(scope()));
  there_->abortRead();
  EXPECT_EQ(reading.wait(scope()), 0U);
}

TEST_F(SocketStreams, WritingToAPeerThatLeftIsADisconnection) {
  there_ = nullptr;
  try {
    write("nobody");
    ADD_FAILURE() << "it was written";
  } catch (const kj::Exception& error) {
    EXPECT_EQ(error.getType(), kj::Exception::Type::DISCONNECTED) << error.getDescription().cStr();
  }
}

// What it is for: whoever waits for an answer sleeps until it comes, and not until its question was
// read.
TEST(SocketStream, IsNotWokenWhenItsPeerReads) {
  constexpr int kQuestions = 40;
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  const kj::AutoCloseFd peer(ends[1]);
  long woken = 0;
  std::jthread asking([&woken, end = ends[0]]() {
    auto loop = kj::setupAsyncIo();
    ASSERT_EQ(::fcntl(end, F_SETFL, O_NONBLOCK), 0);
    SocketStream stream(loop.unixEventPort, kj::AutoCloseFd(end));
    rusage before{}, after{};
    ::getrusage(RUSAGE_THREAD, &before);
    for (int i = 0; i < kQuestions; ++i) {
      char byte = '?';
      stream.write(&byte, 1).wait(loop.waitScope);
      ASSERT_EQ(stream.tryRead(&byte, 1, 1).wait(loop.waitScope), 1U);
    }
    ::getrusage(RUSAGE_THREAD, &after);
    woken = after.ru_nvcsw - before.ru_nvcsw;
  });
  for (int i = 0; i < kQuestions; ++i) {
    const auto until_it_sleeps = std::chrono::milliseconds(3);
    std::this_thread::sleep_for(until_it_sleeps);
    char byte = 0;
    ASSERT_EQ(::read(peer.get(), &byte, 1), 1);
    std::this_thread::sleep_for(until_it_sleeps);
    ASSERT_EQ(::write(peer.get(), &byte, 1), 1);
  }
  asking.join();
  EXPECT_LT(woken, kQuestions * 3 / 2) << "once for each answer";
}

}  // namespace
}  // namespace esdb::protocol
