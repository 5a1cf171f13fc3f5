// A disk without space: a small file system of the test's own, where it may make one.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "esdb/event_store.h"
#include "tests/end_to_end/event_lines.h"
#include "tests/end_to_end/process.h"
#include "tests/end_to_end/server_process.h"
#include "tests/fixtures/scratch_directory.h"

namespace esdb::end_to_end {
namespace {

// Seen by this process and its children alone, so that it is gone with them.
class SmallDisk {
 public:
  explicit SmallDisk(std::string path) : path_(std::move(path)) {
    std::filesystem::create_directory(path_);
    mounted_ = ::unshare(CLONE_NEWNS) == 0 &&
               ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
               ::mount("none", path_.c_str(), "tmpfs", 0, "size=48m") == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }

 private:
  std::string path_;
  bool mounted_ = false;
};

Result<Appended> append_some(EventStore& store) {
  return store.append("s-1", {.type = "T", .data = std::string(100'000, 'x')});
}

std::uint64_t count_by_reading(EventStore& store) {
  std::uint64_t count = 0;
  const auto read = store.for_each(everything(), {}, [&count](RecordedEvent event) {
    count += event.data().size() == 100'000 ? 1 : 0;
  });
  EXPECT_TRUE(read.has_value()) << read.error().message;
  return count;
}

TEST(FullDisk, RefusesAppendsGoesOnReadingAndClearsByItself) {
  const fixtures::ScratchDirectory scratch;
  const SmallDisk disk(scratch.path("disk"));
  if (!disk.mounted()) GTEST_SKIP() << "this user may not mount a file system";
  const auto ballast = scratch.write("disk/ballast", std::string(std::size_t{12} << 20, 'b'));
  ServerProcess server(scratch, {.data = "disk/data", .arguments = small_server(scratch)});
  ASSERT_TRUE(server.start()) << server.log();
  const auto store = open(server.url());
  ASSERT_TRUE(store.has_value()) << store.error().message;

  std::uint64_t written = 0;
  auto appended = append_some(**store);
  for (; appended && written < 1000; appended = append_some(**store)) ++written;
  ASSERT_FALSE(appended.has_value()) << "the disk never was full";
  EXPECT_EQ(appended.error().code, ErrorCode::kDiskFull) << appended.error().message;
  EXPECT_GT(written, 50U);

  EXPECT_EQ(count_by_reading(**store), written);
  const auto statistics = (*store)->statistics();
  ASSERT_TRUE(statistics.has_value()) << statistics.error().message;
  EXPECT_TRUE(statistics->state.starts_with("disk_full")) << statistics->state;
  const auto refused = run_esctl({"append", "s-1", "--type", "T", "--content-type", "text/plain",
                                  "--data", "@" + scratch.write("large", std::string(100'000, 'x')),
                                  "--store", server.url(), "--json"});
  EXPECT_EQ(refused.ended, Ended{.code = 1});
  EXPECT_EQ(raw_value(refused.err, "error"), "\"disk_full\"") << refused.err;

  std::filesystem::remove(ballast);
  const auto until = std::chrono::steady_clock::now() + kPatience;
  for (appended = append_some(**store); !appended && std::chrono::steady_clock::now() < until;
       appended = append_some(**store)) {
    EXPECT_EQ(appended.error().code, ErrorCode::kDiskFull) << appended.error().message;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  ASSERT_TRUE(appended.has_value()) << appended.error().message;
  EXPECT_EQ(count_by_reading(**store), written + 1);
  EXPECT_EQ(server.stop(), Ended{.code = 0}) << server.log();
  const auto verified = run_esctl({"verify", server.data()});
  EXPECT_TRUE(verified.ok()) << verified.out << verified.err;
}

TEST(FullDisk, ABenchmarkThatFindsNoRoomSaysSoAndLeavesNothing) {
  const fixtures::ScratchDirectory scratch;
  const SmallDisk disk(scratch.path("disk"));
  if (!disk.mounted()) GTEST_SKIP() << "this user may not mount a file system";
  scratch.write("disk/ballast", std::string(std::size_t{40} << 20, 'b'));
  const auto done = run_esctl({"bench", "--seconds", "1", "--directory", scratch.path("disk")});
  EXPECT_EQ(done.ended, Ended{.code = 1}) << done.out << done.err;
  const bool told = done.err.find("full") != std::string::npos ||
                    done.err.find("No space left") != std::string::npos;
  EXPECT_TRUE(told) << done.err;
  for (const auto& left : std::filesystem::directory_iterator(scratch.path("disk")))
    EXPECT_EQ(left.path().filename(), "ballast");
}

}  // namespace
}  // namespace esdb::end_to_end
