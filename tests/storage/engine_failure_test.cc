// The whole engine on a machine that fails on demand: what is still served, what is said, and that
// it goes on by itself where it can.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include "storage/embedded_store.h"
#include "storage/posix_io.h"
#include "storage/segment_file.h"
#include "tests/fixtures/faulty_io.h"
#include "tests/fixtures/scratch_directory.h"

// LMDB and its environment go to the file system by themselves: what they reserve is refused here.
static std::atomic<int> refused_to_the_index = 0;  // an errno
static std::atomic<bool> locks_are_interrupted = false;

extern "C" int fallocate(int fd, int mode, off_t offset, off_t bytes) {
  if (refused_to_the_index != 0) {
    std::error_code error;
    const auto file =
        std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), error).string();
    if (file.ends_with("/data.mdb")) {
      errno = refused_to_the_index;
      return -1;
    }
  }
  return static_cast<int>(::syscall(SYS_fallocate, fd, mode, offset, bytes));
}

extern "C" int flock(int fd, int operation) noexcept {
  if (locks_are_interrupted) {
    errno = EINTR;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_flock, fd, operation));
}

namespace esdb::storage {
namespace {

using fixtures::FaultyIo;
using fixtures::Operation;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct EngineFailure : ::testing::Test {
  OpenOptions options() {
    OpenOptions with{.timeout = 60s,
                     .memory = kMemoryMin,
                     .segment_bytes = kSegmentBytesMin,
                     .event_bytes_max = kSegmentBytesMin / 4,
                     .append_bytes_max = kSegmentBytesMin / 4};
    with.log = [this](std::string_view line) {
      const std::lock_guard lock(mutex);
      said += std::string(line) + "\n";
    };
    return with;
  }
  void open() {
    store.reset();
    auto opened = open_directory(path, options(), &io);
    ASSERT_TRUE(opened) << opened.error().message;
    store = std::move(*opened);
  }
  Result<Appended> append(std::string_view stream = "s") {
    return store->append(stream, {.type = "T", .data = std::string(20'000, 'x')});
  }
  // Until so many segments are sealed.
  void fill(std::uint64_t segments) {
    while (store->statistics()->segments <= segments) ASSERT_TRUE(append());
    eventually("sealed", [&] {
      std::ifstream file(segment(static_cast<std::uint32_t>(segments)), std::ios::binary);
      file.seekg(kSegmentBytesMin - kFooterBlockBytes);
      std::uint64_t magic = 0;
      file.read(reinterpret_cast<char*>(&magic), sizeof(magic));
      return magic == kFooterMagic;
    });
  }
  void eventually(const std::string& what, const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (!holds()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << what;
      std::this_thread::sleep_for(1ms);
    }
  }
  std::string state() { return store->statistics()->state; }
  // How many events come before the first error; its code, or 0 at the end.
  std::pair<std::uint64_t, ErrorCode> read(Query query = everything(), Position after = {}) {
    auto cursor = store->read(std::move(query), {.start = Start::after(after)});
    std::uint64_t events = 0;
    for (;;) {
      auto batch = cursor.next({.wait = 200ms});
      if (!batch) {
        last_error = batch.error().message;
        return {events, batch.error().code};
      }
      if (batch->empty()) return {events, ErrorCode{}};
      events += batch->size();
    }
  }
  std::string segment(std::uint32_t number) const { return path + "/log/" + segment_name(number); }
  void flip(const std::string& file_path, std::streamoff offset) {
    std::fstream file(file_path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(offset);
    const int byte = file.get();
    file.seekp(offset);
    file.put(static_cast<char>(byte ^ 1));
  }
  std::string all_said() {
    const std::lock_guard lock(mutex);
    return said;
  }

  fixtures::ScratchDirectory directory;
  const std::string path = directory.path() + "/store";
  std::unique_ptr<Io> machine = make_directory_io({});
  FaultyIo io{*machine};
  std::mutex mutex;
  std::string said;  // under mutex
  std::string last_error;
  std::unique_ptr<EventStore> store;
};

TEST_F(EngineFailure, ASectorThatCannotBeReadHidesItsEventsAlone) {
  open();
  fill(2);
  open();
  const auto durable = store->statistics()->durable;
  io.add(
      {.operation = Operation::kRead, .times = 1'000'000, .error = EIO, .path = segment_name(1)});
  EXPECT_EQ(read().second, ErrorCode::kCorrupt);
  EXPECT_THAT(last_error, HasSubstr("Input/output error"));
  EXPECT_THAT(last_error, HasSubstr(segment_name(1)));
  EXPECT_THAT(last_error, HasSubstr("position"));
  EXPECT_EQ(read(everything(), Position{durable.value - 40}).first, 40U);
  EXPECT_TRUE(append());
  EXPECT_EQ(state(), "ready");
  io.clear();
  EXPECT_EQ(read(), std::pair(durable.value + 1, ErrorCode{}));
}

TEST_F(EngineFailure, AShortageOfDescriptorsPasses) {
  open();
  fill(1);
  open();
  io.add({.operation = Operation::kRead,
          .times = 1'000'000,
          .error = EMFILE,
          .path = segment_name(1)});
  const auto [events, code] = read();
  EXPECT_EQ(events, 0U);
  EXPECT_EQ(code, ErrorCode::kUnavailable);
  EXPECT_THAT(last_error, HasSubstr("Too many open files"));
  io.clear();
  EXPECT_EQ(read().second, ErrorCode{});
}

TEST_F(EngineFailure, AFullDiskStopsAppendsAtTheSegmentsEndAndClearsByItself) {
  open();
  ASSERT_TRUE(append());
  io.add({.operation = Operation::kAllocate, .times = 1'000'000, .error = ENOSPC});
  std::uint64_t appended = 1;
  for (;;) {
    const auto answer =
        store->append("s", {.type = "T", .data = std::string(20'000, 'x')}, {.timeout = 300ms});
    if (!answer) {
      EXPECT_EQ(answer.error().code, ErrorCode::kDiskFull) << answer.error().message;
      break;
    }
    ASSERT_LT(++appended, 500U) << "it never ran out";
  }
  EXPECT_THAT(state(), StartsWith("disk_full"));
  EXPECT_EQ(read(), std::pair(appended, ErrorCode{}));
  EXPECT_THAT(all_said(), HasSubstr("no space for the next segment"));
  io.clear();
  eventually("space again", [&] { return append().has_value(); });
  EXPECT_EQ(state(), "ready");
  EXPECT_EQ(read(), std::pair(appended + 1, ErrorCode{}));
}

TEST_F(EngineFailure, AFailedWriteEndsWritingUntilItIsOpenedAgain) {
  open();
  ASSERT_TRUE(append());
  io.add({.operation = Operation::kRingWrite, .error = EIO});
  AppendRequest request{.events = {{.stream = "s", .type = "T"}}};
  const auto encoded = EncodedAppend::encode(request).value();
  EXPECT_EQ(store->append(encoded).error().code, ErrorCode::kOutcomeUnknown);
  EXPECT_THAT(state(), StartsWith("read_only"));
  EXPECT_EQ(append().error().code, ErrorCode::kReadOnly);
  EXPECT_EQ(store->append(encoded).error().code, ErrorCode::kOutcomeUnknown) << "a retry of it";
  EXPECT_EQ(read(), std::pair(std::uint64_t{1}, ErrorCode{}));
  EXPECT_EQ(read(stream("s")), std::pair(std::uint64_t{1}, ErrorCode{}));
  open();
  EXPECT_EQ(state(), "ready");
  EXPECT_TRUE(store->append(encoded));
  EXPECT_EQ(read(), std::pair(std::uint64_t{2}, ErrorCode{}));
}

TEST_F(EngineFailure, AnIndexWithoutRoomIsShownAndClearsByItself) {
  for (const int error : {ENOSPC, EFBIG}) {
    SCOPED_TRACE(error);
    store.reset();
    std::filesystem::remove_all(path);
    said.clear();
    open();
    refused_to_the_index = error;
    AppendRequest request;
    for (int i = 0; i < 1'000; ++i)
      request.events.push_back({.stream = "s" + std::to_string(i), .type = "T"});
    ASSERT_TRUE(store->append(request));
    // More than what was reserved when the index was made.
    eventually("no room", [&] { return state().starts_with("disk_full: the index"); });
    EXPECT_TRUE(append());
    EXPECT_EQ(read().first, 1'001U);
    EXPECT_EQ(read(stream("s7")).first, 1U);
    EXPECT_THAT(all_said(), HasSubstr("no room for the index"));
    refused_to_the_index = 0;
    eventually("room again", [&] { return state() == "ready"; });
    eventually("it goes on", [&] { return store->statistics()->indexed == Position{1'001}; });
  }
}

// A process that gets signals all the time comes to an end all the same.
TEST_F(EngineFailure, InterruptionsWithoutEndKeepNobody) {
  open();
  ASSERT_TRUE(append());
  refused_to_the_index = EINTR;
  store.reset();
  refused_to_the_index = 0;
  open();
  EXPECT_EQ(read(), std::pair(std::uint64_t{1}, ErrorCode{}));
  EXPECT_THAT(all_said(), HasSubstr("Interrupted"));
  store.reset();
  locks_are_interrupted = true;
  const auto opened = open_directory(path, options(), &io);
  locks_are_interrupted = false;
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kUnavailable) << opened.error().message;
}

TEST_F(EngineFailure, AFileThatIsReplacedBelowTheStoreEndsWriting) {
  const std::vector<std::pair<std::string, std::function<void()>>> ways = {
      {"00000001.seg was removed", [&] { std::filesystem::remove(segment(1)); }},
      {"00000001.seg was cut short", [&] { std::filesystem::resize_file(segment(1), 4096); }},
      {"00000001.seg was replaced",
       [&] {
         std::filesystem::remove(segment(1));
         std::ofstream(segment(1), std::ios::binary) << std::string(kSegmentBytesMin, '\0');
       }},
      {"LOCK was removed", [&] { std::filesystem::remove(path + "/LOCK"); }},
      {"LOCK was replaced", [&] {
         std::filesystem::remove(path + "/LOCK");
         std::ofstream(path + "/LOCK") << "1\n\n1\n";
       }}};
  for (const auto& [said_of_it, make] : ways) {
    SCOPED_TRACE(said_of_it);
    std::filesystem::remove_all(path);
    open();
    ASSERT_TRUE(append());
    make();
    eventually("it is noticed", [&] {
      const auto answer = append();
      return !answer && answer.error().code == ErrorCode::kReadOnly;
    });
    EXPECT_THAT(state(), StartsWith("read_only"));
    EXPECT_THAT(state(), HasSubstr(said_of_it));
    EXPECT_TRUE(store->read(everything()).next().has_value());
    store.reset();
  }
}

TEST_F(EngineFailure, ADamagedFooterIsMendedWhileTheStoreServes) {
  open();
  fill(1);
  const auto events = store->statistics()->durable.value;
  store.reset();
  flip(segment(1), kSegmentBytesMin - kFooterBlockBytes * 2 + 100);  // the frames' table
  flip(segment(1), kSegmentBytesMin - kFooterBlockBytes * 3 + 100);  // the ids'
  flip(segment(1), kSegmentBytesMin - kFooterBlockBytes * 4 + 100);  // the offsets'
  open();
  EXPECT_EQ(read(), std::pair(events, ErrorCode{}));
  EXPECT_TRUE(append());
  eventually("mended", [&] { return all_said().find("built anew") != std::string::npos; });
  const auto so_far = all_said().size();
  open();
  EXPECT_EQ(read(), std::pair(events + 1, ErrorCode{}));
  EXPECT_THAT(all_said().substr(so_far), ::testing::Not(HasSubstr("damaged")));
}

// The index cannot be built: what needs it says so and where; the rest is served.
TEST_F(EngineFailure, ARebuildOverDamageSaysWhereAndTheRestIsServed) {
  open();
  fill(2);
  const auto events = store->statistics()->durable.value;
  for (const bool all_of_it : {true, false}) {
    SCOPED_TRACE(all_of_it);
    store.reset();
    said.clear();
    if (all_of_it) flip(segment(2), kSegmentBytesMin / 2);
    std::filesystem::remove_all(path + "/index");
    open();
    eventually("it is told", [&] { return state().starts_with("corrupt: "); });
    EXPECT_THAT(state(), HasSubstr(segment_name(2)));
    EXPECT_THAT(state(), HasSubstr("position"));
    const auto [found, code] = read(stream("s"));
    EXPECT_EQ(found, 0U);
    EXPECT_EQ(code, ErrorCode::kCorrupt);
    EXPECT_THAT(last_error, HasSubstr(segment_name(2)));
    EXPECT_EQ(append().error().code, ErrorCode::kCorrupt);
    EXPECT_EQ(store->count(tagged({{"a", "b"}})).error().code, ErrorCode::kCorrupt);
    const auto [before, at_damage] = read();
    EXPECT_GT(before, 40U);
    EXPECT_EQ(at_damage, ErrorCode::kCorrupt);
    EXPECT_EQ(read(everything(), Position{events - 10}).first, 10U);
    eventually("it is said", [&] { return all_said().find("index: segment") != said.npos; });
    const auto text = all_said();
    EXPECT_EQ(text.find("index: segment"), text.rfind("index: segment")) << text;
  }
}

}  // namespace
}  // namespace esdb::storage
