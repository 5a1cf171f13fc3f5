// The limits of a process and of its machine, each in a process of its own: descriptors, address
// space, file sizes, locked memory, no io_uring, a disk that is full and one that fails.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/loop.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <mutex>
#include <thread>
#include <vector>

#include "storage/embedded_store.h"
#include "tests/faults/apart.h"
#include "tests/faults/scenario.h"
#include "tests/fixtures/figures.h"
#include "tests/fixtures/scratch_directory.h"
#include "tests/fixtures/test_run.h"

namespace esdb::faults {
namespace {

using std::chrono_literals::operator""ms;

constexpr unsigned kHangSeconds = 120;

// What a process with a limit leaves behind.
struct Left {
  Ledger ledger{};
  bool skipped = false;
  bool opened = false;
  char wrong[1024]{};
  char said[8192]{};  // through the store's log

  void tell(const std::string& what) {
    if (wrong[0] == '\0') std::strncpy(wrong, what.c_str(), sizeof(wrong) - 1);
  }
};

class Limits : public ::testing::Test {
 protected:
  void SetUp() override { new (&*left_) Left; }
  void TearDown() override {
    fixtures::tell("limits", {{1, "cases"}, {IsSkipped() ? 1U : 0U, "skipped"}});
  }

  static auto opener(const std::string& path, Left& left) {
    return [path, &left](OpenOptions options) {
      options.log = [&left](std::string_view line) {
        static std::mutex mutex;
        const std::lock_guard lock(mutex);
        const auto at = std::strlen(left.said);
        const auto room = sizeof(left.said) - at - 2;
        std::strncat(left.said, std::string(line.substr(0, room)).append("\n").c_str(), room);
      };
      auto opened = storage::open_directory(path, options);
      left.opened = left.opened || opened.has_value();
      return opened;
    };
  }

  static void set_limit(__rlimit_resource which, rlim_t value) {
    rlimit limit{};
    ::getrlimit(which, &limit);
    limit.rlim_cur = std::min(value, limit.rlim_max);
    ::setrlimit(which, &limit);
  }
  static void lift_limit(__rlimit_resource which) { set_limit(which, RLIM_INFINITY); }

  // A short life below the limit, and a sound one when it is gone.
  static void live(const std::string& path, Left& left, const std::function<void()>& begin,
                   const std::function<void()>& end) {
    Scenario scenario({.kind = Scenario::Kind::kShort,
                       .ledger = left.ledger,
                       .open = opener(path, left),
                       .may_fail = true,
                       .disturbed = [] { return true; },
                       .may_throw = true});
    begin();
    left.tell(scenario.run());
    end();
    left.ledger.process_ended();
    left.tell(live_soundly(path, left));
  }
  static std::string live_soundly(const std::string& path, Left& left) {
    Scenario sound(
        {.kind = Scenario::Kind::kShort, .ledger = left.ledger, .open = opener(path, left)});
    const auto wrong = sound.run_soundly();
    return wrong.empty() ? "" : "without the limit: " + wrong;
  }

  enum class Abort : std::uint8_t { kNever, kAllowed };
  // "" or what is wrong.
  std::string run(const std::string& path, Abort abort, const std::function<void(Left&)>& body) {
    const auto ended = run_apart(path + ".said", kHangSeconds, [&] { body(*left_); });
    if (ended.aborted && !ended.by_a_check && abort == Abort::kAllowed) {
      left_->ledger.process_ended();
      return live_soundly(path, *left_);
    }
    if (!ended.at_its_end) return ended.how;
    return left_->wrong;
  }

  Shared<Left> left_{};
};

TEST_F(Limits, WithFewDescriptorsItOpensOrSaysSoAndRecovers) {
#ifdef ESDB_SANITIZED
  GTEST_SKIP() << "a sanitizer needs descriptors for itself";
#endif
  const int next = ::dup(0);
  ::close(next);
  std::size_t opened = 0, refused = 0;
  const int step = fixtures::scale() < 10 ? 3 : 1;
  for (int more = 0; more <= 40; more += step) {
    SCOPED_TRACE(more);
    SetUp();
    const fixtures::ScratchDirectory scratch;
    const auto path = scratch.path("store");
    const auto wrong = run(path, Abort::kNever, [&](Left& left) {
      live(
          path, left, [&] { set_limit(RLIMIT_NOFILE, static_cast<rlim_t>(next + more)); },
          [] { lift_limit(RLIMIT_NOFILE); });
    });
    EXPECT_EQ(wrong, "");
    const bool any = left_->ledger.is_written(0);
    opened += any ? 1 : 0;
    refused += any ? 0 : 1;
  }
  EXPECT_GT(opened, 0U);
  EXPECT_GT(refused, 0U);
  std::cout << "limits of descriptors " << opened + refused << ", opened below " << opened << "\n";
}

std::size_t address_space_in_use() {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

TEST_F(Limits, WithLittleAddressSpaceItOpensOrSaysSoOrEndsAndRecovers) {
#ifdef ESDB_SANITIZED
  GTEST_SKIP() << "a sanitizer needs the address space for itself";
#endif
  constexpr std::size_t kMiB = std::size_t{1} << 20;
  std::size_t written = 0, runs = 0;
  for (const std::size_t more : {1, 8, 24, 48, 80, 128, 512, 1'200, 2'500, 100'000}) {
    SCOPED_TRACE(more);
    SetUp();
    const fixtures::ScratchDirectory scratch;
    const auto path = scratch.path("store");
    const auto wrong = run(path, Abort::kAllowed, [&](Left& left) {
      live(
          path, left, [&] { set_limit(RLIMIT_AS, address_space_in_use() + more * kMiB); },
          [] { lift_limit(RLIMIT_AS); });
    });
    EXPECT_EQ(wrong, "");
    ++runs;
    written += left_->ledger.is_written(0) ? 1 : 0;
  }
  EXPECT_GT(written, 0U);
  EXPECT_LT(written, runs);
}

// No SIGXFSZ ends the process, and the store takes it for a full disk.
TEST_F(Limits, AFileThatMayNotGrowIsAFullDisk) {
  for (const rlim_t bytes :
       {rlim_t{1}, rlim_t{4096}, rlim_t{512} << 10, rlim_t{1} << 20, rlim_t{4} << 20}) {
    SCOPED_TRACE(bytes);
    SetUp();
    const fixtures::ScratchDirectory scratch;
    const auto path = scratch.path("store");
    const auto wrong = run(path, Abort::kNever, [&](Left& left) {
      live(
          path, left, [&] { set_limit(RLIMIT_FSIZE, bytes); }, [] { lift_limit(RLIMIT_FSIZE); });
    });
    EXPECT_EQ(wrong, "");
    EXPECT_EQ(left_->ledger.is_written(0), bytes >= kSegmentBytesMin);
  }
}

// The same promises by pwritev2, and the log says so.
bool deny_io_uring() {
  const sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{.len = std::size(program), .filter = const_cast<sock_filter*>(program)};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

std::string live_whole(
    const std::string& path, Left& left, std::string_view io,
    const std::function<Result<std::unique_ptr<EventStore>>(const OpenOptions&)>& open) {
  Scenario scenario({.kind = Scenario::Kind::kBusy, .ledger = left.ledger, .open = open});
  if (auto wrong = scenario.run(); !wrong.empty()) return wrong;
  const auto store = open({});
  if (!store) return store.error().message;
  const auto statistics = (*store)->statistics();
  if (!statistics) return statistics.error().message;
  if (!io.empty() && statistics->io != io) return path + " is written by " + statistics->io;
  return left.ledger.compare(**store);
}

TEST_F(Limits, WithoutIoUringItWritesByPwriteAndSaysSo) {
  const fixtures::ScratchDirectory scratch;
  const auto path = scratch.path("store");
  const auto wrong = run(path, Abort::kNever, [&](Left& left) {
    left.skipped = !deny_io_uring();
    if (!left.skipped) left.tell(live_whole(path, left, "posix", opener(path, left)));
  });
  if (left_->skipped) GTEST_SKIP() << "no seccomp here";
  EXPECT_EQ(wrong, "");
  EXPECT_NE(std::string(left_->said).find("no io_uring here"), std::string::npos) << left_->said;
}

TEST_F(Limits, WithoutLockedMemoryNothingIsMissing) {
  const fixtures::ScratchDirectory scratch;
  const auto path = scratch.path("store");
  EXPECT_EQ(run(path, Abort::kNever,
                [&](Left& left) {
                  set_limit(RLIMIT_MEMLOCK, 0);
                  left.tell(live_whole(path, left, "", opener(path, left)));
                }),
            "");
}

// ---- disks

// A small ext4 on a loop device over a file in a tmpfs of its own: seen by this process alone, and
// gone with it. Where the tmpfs is smaller than the file, the device fails.
class LoopDisk {
 public:
  LoopDisk(const std::string& directory, std::size_t memory_mib, std::size_t disk_mib)
      : memory_(directory + "/memory"), disk_(directory + "/disk") {
    std::filesystem::create_directory(memory_);
    std::filesystem::create_directory(disk_);
    made_ = ::unshare(CLONE_NEWNS) == 0 &&
            ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
            ::mount("none", memory_.c_str(), "tmpfs", 0, size_of(memory_mib).c_str()) == 0 &&
            make_file_system(disk_mib) && attach() &&
            ::mount(device_.c_str(), disk_.c_str(), "ext4", 0, "data_err=ignore") == 0;
  }
  ~LoopDisk() {
    ::umount2(disk_.c_str(), MNT_DETACH);
    ::umount2(memory_.c_str(), MNT_DETACH);
  }
  LoopDisk(const LoopDisk&) = delete;
  LoopDisk& operator=(const LoopDisk&) = delete;

  bool made() const { return made_; }
  const std::string& path() const { return disk_; }
  void enlarge(std::size_t memory_mib) const {
    ::mount("none", memory_.c_str(), "tmpfs", MS_REMOUNT, size_of(memory_mib).c_str());
  }

 private:
  static std::string size_of(std::size_t mib) { return "size=" + std::to_string(mib) + "m"; }
  bool make_file_system(std::size_t mib) const {
    std::ofstream(memory_ + "/image").flush();
    std::filesystem::resize_file(memory_ + "/image", mib << 20);
    const auto make = "/sbin/mkfs.ext4 -q -O ^has_journal -m 0 -E nodiscard,lazy_itable_init=1 " +
                      memory_ + "/image >/dev/null 2>&1";
    return std::system(make.c_str()) == 0;
  }
  // Let go of by itself when it is unmounted.
  bool attach() {
    const int control = ::open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    const int number = control < 0 ? -1 : ::ioctl(control, LOOP_CTL_GET_FREE);
    ::close(control);
    if (number < 0) return false;
    device_ = "/dev/loop" + std::to_string(number);
    const int device = ::open(device_.c_str(), O_RDWR | O_CLOEXEC);
    const int image = ::open((memory_ + "/image").c_str(), O_RDWR | O_CLOEXEC);
    loop_config config{};
    config.fd = static_cast<std::uint32_t>(image);
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
    const bool attached = device >= 0 && ::ioctl(device, LOOP_CONFIGURE, &config) == 0;
    ::close(image);
    device_fd_ = device;  // until this process ends: what is not open is let go of
    return attached;
  }

  const std::string memory_, disk_;
  std::string device_{};
  int device_fd_ = -1;
  bool made_ = false;
};

constexpr std::size_t kEventBytes = 100'000;

OpenOptions small_store() {
  return {.timeout = 500ms,
          .memory = kMemoryMin,
          .segment_bytes = kSegmentBytesMin,
          .event_bytes_max = kSegmentBytesMin / 4,
          .append_bytes_max = kSegmentBytesMin / 4};
}

Result<Appended> append_one(EventStore& store, Ledger& ledger, std::size_t number) {
  ledger.ask(number, 1, kEventBytes);
  auto answer = store.append({.events = events_of(number, 1, kEventBytes)});
  ledger.answered(number, answer);
  return answer;
}

// Until the first error; which append that was.
std::size_t fill(EventStore& store, Ledger& ledger, std::size_t from, Result<Appended>& answer) {
  for (auto number = from; number < kAppendsMax; ++number)
    if (answer = append_one(store, ledger, number); !answer) return number;
  return kAppendsMax;
}

TEST_F(Limits, AFullFileSystemStopsAppendsAndClearsByItself) {
  const fixtures::ScratchDirectory scratch;
  const auto wrong = run(scratch.path("disk"), Abort::kNever, [&](Left& left) {
    const LoopDisk disk(scratch.path(), 96, 64);
    left.skipped = !disk.made();
    if (left.skipped) return;
    const auto ballast = disk.path() + "/ballast";
    std::ofstream(ballast, std::ios::binary) << std::string(std::size_t{54} << 20, 'b');
    auto store = opener(disk.path() + "/store", left)(small_store());
    if (!store) return left.tell(store.error().message);
    Result<Appended> answer;
    auto number = fill(**store, left.ledger, 0, answer);
    if (number == kAppendsMax || answer.error().code != ErrorCode::kDiskFull)
      return left.tell("it was not full: " + (answer ? "" : answer.error().message));
    left.tell(left.ledger.compare(**store));
    std::filesystem::remove(ballast);
    for (int tries = 0; tries < 600 && !answer; ++tries) {
      std::this_thread::sleep_for(100ms);
      answer = append_one(**store, left.ledger, number);
    }
    if (!answer) left.tell("it did not clear by itself: " + answer.error().message);
    left.tell(left.ledger.compare(**store));
    store->reset();
    left.tell(live_soundly(disk.path() + "/store", left));
  });
  if (left_->skipped) GTEST_SKIP() << "this user may not make a file system of its own";
  EXPECT_EQ(wrong, "");
}

// What was acknowledged is there when the device works again; nothing else is believed.
TEST_F(Limits, ADeviceThatFailsEndsWritingUntilItIsOpenedAgain) {
  const fixtures::ScratchDirectory scratch;
  const auto wrong = run(scratch.path("disk"), Abort::kNever, [&](Left& left) {
    const LoopDisk disk(scratch.path(), 4, 64);
    left.skipped = !disk.made();
    if (left.skipped) return;
    const auto path = disk.path() + "/store";
    auto store = opener(path, left)(small_store());
    Result<Appended> answer = std::unexpected(Error{});
    std::size_t number = 0;
    if (store) number = fill(**store, left.ledger, 0, answer);
    if (store && (number == 0 || number == kAppendsMax))
      left.tell("the device did not fail where it was to");
    if (store) {
      left.tell(left.ledger.compare(**store));
      store->reset();
    }
    disk.enlarge(256);
    left.tell(live_soundly(path, left));
    std::snprintf(left.said, sizeof(left.said), "written %zu, then: %s", number,
                  store ? answer.error().message.c_str() : store.error().message.c_str());
  });
  if (left_->skipped) GTEST_SKIP() << "this user may not make a file system of its own";
  EXPECT_EQ(wrong, "");
  std::cout << left_->said << "\n";
}

}  // namespace
}  // namespace esdb::faults
