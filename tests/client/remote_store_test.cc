#include "client/remote_store.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "server/endpoint.h"
#include "tests/client/stub_store.h"
#include "tests/fixtures/reference_store.h"
#include "tests/fixtures/scratch_directory.h"
#include "tests/server/running_server.h"

namespace esdb::tests {
namespace {

using namespace std::chrono_literals;

Result<std::unique_ptr<EventStore>> open_at(const std::string& url,
                                            const OpenOptions& options = {.timeout = 10s}) {
  return client::open_remote(client::parse_address(url).value(), options);
}
std::unique_ptr<EventStore> reference(const std::string& store_id = {}) {
  return fixtures::make_reference_store(OpenOptions{.drive = Drive::kCaller},
                                        {.store_id = store_id});
}

// ---- what crosses the wire

constexpr ErrorCode kEveryCode[] = {
    ErrorCode::kInvalidArgument, ErrorCode::kTooLarge,      ErrorCode::kRejected,
    ErrorCode::kDenied,          ErrorCode::kUnsupported,   ErrorCode::kFailed,
    ErrorCode::kConflict,        ErrorCode::kAlreadyExists, ErrorCode::kAlreadyTracked,
    ErrorCode::kIdConflict,      ErrorCode::kUnavailable,   ErrorCode::kOverloaded,
    ErrorCode::kDiskFull,        ErrorCode::kReadOnly,      ErrorCode::kTimedOut,
    ErrorCode::kCancelled,       ErrorCode::kClosed,        ErrorCode::kLocked,
    ErrorCode::kOutcomeUnknown,  ErrorCode::kCorrupt,       ErrorCode::kRefused,
    ErrorCode::kOtherStore};

TEST(RemoteStore, EveryErrorOfAnAppendArrivesAsItWasGiven) {
  for (const auto code : kEveryCode) {
    const fixtures::ScratchDirectory scratch;
    StubStore stub;
    const Error told{
        .code = code,
        .message = "what was wrong",
        .violations = {{.check = 3, .what = "stream a at version 3", .actual = 7},
                       {.check = Violation::kTrackingCheck, .what = "x", .conflicting = 12}},
        .detail = std::string("pay\0load", 8)};
    stub.append_answer = std::unexpected(told);
    RunningServer server(stub, {"unix:" + scratch.path() + "/s"});
    const auto got = open_at(server.url()).value()->append("s", {.type = "T"});
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, code);
    EXPECT_EQ(got.error().message, told.message);
    EXPECT_EQ(got.error().detail, told.detail);
    ASSERT_EQ(got.error().violations.size(), 2u);
    EXPECT_EQ(got.error().violations[0].check, 3u);
    EXPECT_EQ(got.error().violations[0].what, "stream a at version 3");
    EXPECT_EQ(got.error().violations[0].actual, Version{7});
    EXPECT_EQ(got.error().violations[1].check, Violation::kTrackingCheck);
    EXPECT_EQ(got.error().violations[1].conflicting, Position{12});
  }
}

TEST(RemoteStore, ErrorsOfEveryOtherCallArriveToo) {
  const fixtures::ScratchDirectory scratch;
  StubStore stub;
  stub.error = {.code = ErrorCode::kCorrupt, .message = "segment 3, offset 4096"};
  RunningServer server(stub, {"unix:" + scratch.path() + "/s"});
  const auto store = open_at(server.url()).value();
  const auto is_told = [](const auto& result) {
    return !result && result.error().code == ErrorCode::kCorrupt &&
           result.error().message == "segment 3, offset 4096";
  };
  EXPECT_TRUE(is_told(store->read(everything()).next()));
  EXPECT_TRUE(is_told(store->subscribe(everything()).next()));
  EXPECT_TRUE(is_told(store->stream_info("s")));
  EXPECT_TRUE(is_told(store->streams()));
  EXPECT_TRUE(is_told(store->terms(TermKind::kTag)));
  EXPECT_TRUE(is_told(store->count(everything())));
  EXPECT_TRUE(is_told(store->tracked("s")));
  EXPECT_TRUE(is_told(store->tracking()));
}

TEST(RemoteStore, TheLargestAppendPasses) {
  const fixtures::ScratchDirectory scratch;
  const auto served =
      fixtures::make_reference_store(OpenOptions{.drive = Drive::kCaller,
                                                 .event_bytes_max = kAppendBytesCap,
                                                 .append_bytes_max = kAppendBytesCap});
  RunningServer server(*served, {"unix:" + scratch.path() + "/s"});
  const auto store = open_at(server.url(), {.timeout = 60s}).value();
  const std::string data(kAppendBytesCap - 4096, 'x');
  const auto appended = store->append("s", {.type = "T", .data = data});
  ASSERT_TRUE(appended) << appended.error().message;
  const auto batch = store->read(stream("s")).next().value();
  ASSERT_EQ(batch.size(), 1u);
  EXPECT_EQ((*batch.begin()).data(), data);
}

// ---- deadlines, and a server that is not there

TEST(RemoteStore, WhereNoServerIsTheErrorSaysWhereAndWhatToDo) {
  const fixtures::ScratchDirectory scratch;
  const auto missing = open_at("unix:" + scratch.path() + "/s");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(missing.error().message.find(scratch.path() + "/s"), std::string::npos);
  EXPECT_NE(missing.error().message.find("esdb-server"), std::string::npos);
  const auto refused = open_at("esdb://127.0.0.1:1");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(refused.error().message.find("127.0.0.1:1"), std::string::npos);
}

TEST(RemoteStore, AServerThatGoesAwayIsWaitedForAndMissedAfterTheDeadline) {
  const fixtures::ScratchDirectory scratch;
  const auto served = reference();
  auto server = std::make_unique<RunningServer>(
      *served, std::vector<std::string>{"unix:" + scratch.path() + "/s"});
  std::promise<void> noticed;
  std::atomic<bool> told = false;
  const auto log = [&](std::string_view) {
    if (!told.exchange(true)) noticed.set_value();
  };
  const auto store = open_at(server->url(), {.timeout = 10s, .log = log}).value();
  auto cursor = store->subscribe(everything());
  ASSERT_TRUE(store->append("s", {.type = "T"}));
  ASSERT_EQ(cursor.next()->size(), 1u);
  const auto url = server->url();
  server.reset();
  // What is sent before that may have been written.
  noticed.get_future().wait();

  const auto late = store->append("s", {.type = "T"}, {.timeout = 50ms});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(late.error().message.find(url), std::string::npos) << late.error().message;
  const auto waited = cursor.next({.wait = 50ms});
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code, ErrorCode::kUnavailable);

  std::thread back([&]() {
    std::this_thread::sleep_for(50ms);
    server = std::make_unique<RunningServer>(
        *served, std::vector<std::string>{"unix:" + scratch.path() + "/s"});
  });
  EXPECT_TRUE(store->append("s", {.type = "Back"}));
  const auto batch = cursor.next();
  back.join();
  ASSERT_TRUE(batch) << batch.error().message;
  ASSERT_EQ(batch->size(), 1u);
  EXPECT_EQ((*batch->begin()).position(), Position{2});
}

TEST(RemoteStore, AnAppendThatIsNeverAnsweredHasAnUnknownOutcome) {
  const fixtures::ScratchDirectory scratch;
  StubStore stub;
  RunningServer server(stub, {"unix:" + scratch.path() + "/s"}, {.stop_time = 50ms});
  const auto store = open_at(server.url()).value();
  const auto got = store->append("s", {.type = "T"}, {.timeout = 100ms});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ErrorCode::kOutcomeUnknown);
}

TEST(RemoteStore, AStopAfterAnAppendWasSentLeavesItsOutcomeUnknown) {
  const fixtures::ScratchDirectory scratch;
  StubStore stub;
  RunningServer server(stub, {"unix:" + scratch.path() + "/s"}, {.stop_time = 50ms});
  const auto store = open_at(server.url()).value();
  std::stop_source stop;
  std::jthread stopper([&]() {
    std::this_thread::sleep_for(100ms);
    stop.request_stop();
  });
  const auto got = store->append("s", {.type = "T"}, {.stop = stop.get_token()});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ErrorCode::kOutcomeUnknown);
}

TEST(RemoteStore, AServerThatHasAnotherStoreNowIsNotUsed) {
  const fixtures::ScratchDirectory scratch;
  const std::vector<std::string> at{"unix:" + scratch.path() + "/s"};
  const auto first = reference(), second = reference();
  auto server = std::make_unique<RunningServer>(*first, at);
  const auto store = open_at(server->url()).value();
  ASSERT_TRUE(store->append("s", {.type = "T"}));
  server.reset();
  server = std::make_unique<RunningServer>(*second, at);
  auto got = store->append("s", {.type = "T"});
  ASSERT_FALSE(got);
  // It may have been sent to the server that was, before that one's end was noticed.
  if (got.error().code == ErrorCode::kOutcomeUnknown) got = store->append("s", {.type = "T"});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ErrorCode::kOtherStore);
  EXPECT_EQ(second->statistics()->durable, Position{0});
}

TEST(RemoteStore, AppendsThatPileUpAreRefusedBeforeTheyFillTheMemory) {
  const fixtures::ScratchDirectory scratch;
  StubStore stub;
  RunningServer server(stub, {"unix:" + scratch.path() + "/s"}, {.stop_time = 50ms});
  const auto store = open_at(server.url()).value();
  std::atomic<int> overloaded = 0, unknown = 0;
  constexpr int kAppends = 100;
  const std::string megabyte((1 << 20) - 1000, 'x');
  for (int i = 0; i < kAppends; ++i)
    store->append(
        EncodedAppend::encode({.events = {{.stream = "s", .type = "T", .data = megabyte}}}).value(),
        {.timeout = 10min}, [&](Result<Appended> appended) {
          ASSERT_FALSE(appended);
          ++(appended.error().code == ErrorCode::kOverloaded ? overloaded : unknown);
        });
  server.stop();
  store->close();
  EXPECT_GE(overloaded, kAppends - 65);
  EXPECT_EQ(overloaded + unknown, kAppends);
}

// ---- something else listens there

// Listens at a Unix socket, answers whoever connects with these bytes, and keeps the line open.
class Impostor {
 public:
  Impostor(const std::string& path, std::string answer) : answer_(std::move(answer)) {
    listening_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    EXPECT_EQ(::bind(listening_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(::listen(listening_, 4), 0);
    thread_ = std::thread([this]() {
      for (;;) {
        const int fd = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0) return;
        if (answer_ == "hang up") {
          ::close(fd);
          continue;
        }
        [[maybe_unused]] const auto sent = ::send(fd, answer_.data(), answer_.size(), MSG_NOSIGNAL);
        open_.push_back(fd);
      }
    });
  }
  ~Impostor() {
    ::shutdown(listening_, SHUT_RDWR);
    thread_.join();
    for (const int fd : open_) ::close(fd);
    ::close(listening_);
  }

 private:
  std::string answer_;
  int listening_ = -1;
  std::vector<int> open_;
  std::thread thread_;
};

Error met_with(const std::string& answer) {
  const fixtures::ScratchDirectory scratch;
  const Impostor impostor(scratch.path() + "/s", answer);
  const auto store = open_at("unix:" + scratch.path() + "/s");
  EXPECT_FALSE(store);
  return store ? Error{} : store.error();
}

TEST(RemoteStore, SomethingElseThatAnswersIsNamed) {
  const auto http2 = met_with(std::string("\0\0\x12\x04\0\0\0\0\0\0\3\0\0\0\x64", 15));
  EXPECT_EQ(http2.code, ErrorCode::kUnsupported);
  EXPECT_NE(http2.message.find("EventStoreDB"), std::string::npos) << http2.message;
  const auto http = met_with("HTTP/1.1 400 Bad Request\r\n\r\n");
  EXPECT_EQ(http.code, ErrorCode::kUnsupported);
  EXPECT_NE(http.message.find("HTTP"), std::string::npos) << http.message;
  const auto ssh = met_with("SSH-2.0-OpenSSH_9.2\r\n");
  EXPECT_NE(ssh.message.find("SSH"), std::string::npos) << ssh.message;
  const auto noise = met_with("what do you want, stranger? there is nothing here");
  EXPECT_EQ(noise.code, ErrorCode::kUnsupported) << noise.message;
  const auto silent = met_with("hang up");
  EXPECT_EQ(silent.code, ErrorCode::kUnavailable);
  EXPECT_NE(silent.message.find("without a word"), std::string::npos) << silent.message;
}

// Why a server that takes the connection and says nothing is given up, no sooner than said.
Error opened_at_a_deaf_server(const OpenOptions& options, std::chrono::milliseconds at_least) {
  const fixtures::ScratchDirectory scratch;
  const auto deaf =
      server::listen_at(server::parse_endpoint("unix:" + scratch.path() + "/s").value());
  EXPECT_TRUE(deaf);
  const auto begun = std::chrono::steady_clock::now();
  const auto store = open_at("unix:" + scratch.path() + "/s", options);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, at_least);
  EXPECT_FALSE(store);
  if (store) return {};
  EXPECT_EQ(store.error().code, ErrorCode::kUnavailable);
  return store.error();
}

TEST(RemoteStore, AServerThatDoesNotAnswerIsGivenUpWhenTheTimeoutHasPassed) {
  const auto error = opened_at_a_deaf_server({.timeout = 200ms}, 200ms);
  EXPECT_NE(error.message.find("has not answered"), std::string::npos) << error.message;
}

TEST(RemoteStore, AServerThatDoesNotAnswerIsGivenUpAfterFiveSecondsWhateverTheTimeout) {
  opened_at_a_deaf_server({.timeout = 1h}, 5s);
}

TEST(RemoteStore, CountsThatTakeLongHoldUpNothingElse) {
  const fixtures::ScratchDirectory scratch;
  StubStore stub;
  std::promise<void> open;
  stub.counting = [gate = open.get_future().share()]() -> Result<std::uint64_t> {
    gate.wait();
    return 7;
  };
  RunningServer server(stub, {"unix:" + scratch.path() + "/s"});
  const auto busy = open_at(server.url()).value(), other = open_at(server.url()).value();
  std::vector<std::future<Result<std::uint64_t>>> counts;
  for (int i = 0; i < 6; ++i)
    counts.push_back(std::async(std::launch::async, [&]() { return busy->count(everything()); }));
  for (const auto* store : {&busy, &other})
    for (int i = 0; i < 3; ++i) EXPECT_TRUE((*store)->statistics());
  open.set_value();
  for (auto& count : counts) EXPECT_EQ(count.get().value_or(0), 7u);
}

// ---- manners

TEST(RemoteStore, WithoutADescriptorLeftTheErrorSaysSo) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = ::dup(0);
  ::close(next);
  for (rlim_t more = 0; more < 8; ++more) {
    auto few = before;
    few.rlim_cur = static_cast<rlim_t>(next) + more;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    const auto store = open_at("unix:/nowhere/at/all");
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, ErrorCode::kUnavailable) << store.error().message;
  }
}

TEST(RemoteStore, LeavesTheProcessAsItWas) {
  const fixtures::ScratchDirectory scratch;
  const auto served = reference();
  RunningServer server(*served, {"unix:" + scratch.path() + "/s"});
  struct sigaction mine {
  }, found{};
  mine.sa_handler = [](int) {};
  struct sigaction before {};
  ASSERT_EQ(::sigaction(SIGPIPE, &mine, &before), 0);
  const auto store = open_at(server.url()).value();
  ASSERT_TRUE(store->append("s", {.type = "T"}));
  ASSERT_EQ(::sigaction(SIGPIPE, nullptr, &found), 0);
  EXPECT_EQ(found.sa_handler, mine.sa_handler);
  ::sigaction(SIGPIPE, &before, nullptr);
}

TEST(RemoteStore, ABlockingCallInACompletionIsRefusedRatherThanHanging) {
  const fixtures::ScratchDirectory scratch;
  const auto served = reference();
  RunningServer server(*served, {"unix:" + scratch.path() + "/s"});
  const auto store = open_at(server.url()).value();
  std::promise<ErrorCode> code;
  store->append(EncodedAppend::encode({.events = {{.stream = "s", .type = "T"}}}).value(), {},
                [&](Result<Appended>) {
                  const auto inner = store->statistics();
                  code.set_value(inner ? ErrorCode{} : inner.error().code);
                });
  EXPECT_EQ(code.get_future().get(), ErrorCode::kInvalidArgument);
}

TEST(RemoteStore, DrivenByItsCallerItAnswersInAdvance) {
  const fixtures::ScratchDirectory scratch;
  const auto served = reference();
  RunningServer server(*served, {"unix:" + scratch.path() + "/s"});
  const auto store = open_at(server.url(), {.timeout = 10s, .drive = Drive::kCaller}).value();
  ASSERT_GE(store->wake_fd(), 0);
  int done = 0;
  std::thread::id ran;
  for (int i = 0; i < 100; ++i)
    store->append(EncodedAppend::encode({.events = {{.stream = "s", .type = "T"}}}).value(), {},
                  [&](Result<Appended> appended) {
                    EXPECT_TRUE(appended);
                    ran = std::this_thread::get_id();
                    ++done;
                  });
  while (done < 100) {
    pollfd ready{store->wake_fd(), POLLIN, 0};
    ::poll(&ready, 1, 1000);
    store->advance();
  }
  EXPECT_EQ(ran, std::this_thread::get_id());
}

}  // namespace
}  // namespace esdb::tests
