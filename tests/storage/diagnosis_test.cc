// Facts that are made up, and what is said of them.
#include "storage/diagnosis.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <string>

namespace esdb::storage {
namespace {

using namespace std::chrono_literals;
using Grade = Finding::Grade;

// A machine that is as it should be.
MachineFacts sound() {
  MachineFacts facts{.directory = "/data",
                     .file_system = "ext4",
                     .mount = {"rw", "relatime"},
                     .mounted_at = "/data",
                     .f_type = 0xef53,
                     .free_bytes = std::uint64_t{100} << 30,
                     .all_bytes = std::uint64_t{200} << 30,
                     .device = "nvme0n1",
                     .write_cache = "write through",
                     .fua = true,
                     .rotational = false,
                     .physical_block = 4096,
                     .write_unit = 4096,
                     .files_max = 65536,
                     .memlock_max = 8 << 20,
                     .io_uring_disabled = 0,
                     .clock_source = "tsc",
                     .wall_clock = Time(std::chrono::sys_days(std::chrono::June / 1 / 2026)),
                     .direct_io = 0,
                     .durable_write = 0,
                     .fallocate = 0,
                     .io_uring = 0,
                     .address_space = 0,
                     .monotonic_clock = 0};
  facts.write_times.assign(200, 100us);
  return facts;
}

// The one finding that is not ok, after this change.
Finding told(const std::function<void(MachineFacts&)>& change) {
  auto facts = sound();
  change(facts);
  const auto findings = diagnose(facts);
  EXPECT_EQ(std::ranges::count(findings, Grade::kOk, &Finding::grade),
            static_cast<std::ptrdiff_t>(findings.size()) - 1);
  const auto found = std::ranges::find_if(
      findings, [](const Finding& finding) { return finding.grade != Grade::kOk; });
  if (found == findings.end()) return {};
  EXPECT_FALSE(found->remedy.empty());
  return *found;
}

void expect(Grade grade, const std::string& check, const std::string& words,
            const std::function<void(MachineFacts&)>& change) {
  SCOPED_TRACE(check + ": " + words);
  const auto found = told(change);
  EXPECT_EQ(to_string(found.grade), to_string(grade));
  EXPECT_EQ(found.check, check);
  EXPECT_NE((found.what + " " + found.remedy).find(words), std::string::npos)
      << found.what << " / " << found.remedy;
}

TEST(Diagnosis, OfASoundMachineIsThatAllIsWell) {
  for (const auto& finding : diagnose(sound())) {
    EXPECT_EQ(finding.grade, Grade::kOk) << finding.check << ": " << finding.what;
    EXPECT_FALSE(finding.what.empty());
    EXPECT_TRUE(finding.remedy.empty());
  }
}

TEST(Diagnosis, NamesFileSystemsThatKeepNoPromise) {
  const auto on = [](std::string name, long type) {
    return [name, type](MachineFacts& facts) {
      facts.file_system = name;
      facts.f_type = type;
    };
  };
  expect(Grade::kProblem, "file system", "lies in memory", on("tmpfs", 0x01021994));
  expect(Grade::kProblem, "file system", "network", on("nfs4", 0x6969));
  expect(Grade::kWarning, "file system", "user space", on("fuse.sshfs", 0x65735546));
  expect(Grade::kWarning, "file system", "use a volume", on("overlay", 0x794c7630));
}

TEST(Diagnosis, NamesMountOptionsThatTakeFlushesAway) {
  for (const std::string option : {"nobarrier", "barrier=0", "ro"})
    expect(Grade::kProblem, "mount options", option,
           [&](MachineFacts& facts) { facts.mount.push_back(option); });
}

TEST(Diagnosis, NamesAWriteCacheAndADeviceThatDoesNotTell) {
  expect(Grade::kWarning, "write cache", "FUA",
         [](MachineFacts& facts) { facts.write_cache = "write back"; });
  expect(Grade::kWarning, "write cache", "flushes", [](MachineFacts& facts) {
    facts.write_cache = "write back";
    facts.fua = false;
  });
  expect(Grade::kWarning, "write cache", "does not say",
         [](MachineFacts& facts) { facts.write_cache.clear(); });
  expect(Grade::kWarning, "write cache", "no block device",
         [](MachineFacts& facts) { facts.device.clear(); });
}

TEST(Diagnosis, NamesAWriteUnitThatATornWriteReachesBeyond) {
  expect(Grade::kProblem, "write unit", "ruin",
         [](MachineFacts& facts) { facts.write_unit = 512; });
  expect(Grade::kProblem, "write unit", "units of 4096 bytes on physical blocks of 16384",
         [](MachineFacts& facts) { facts.physical_block = 16384; });
  expect(Grade::kWarning, "write unit", "neighbouring sectors", [](MachineFacts& facts) {
    facts.write_unit = 512;
    facts.physical_block = 512;
  });
}

TEST(Diagnosis, NamesWhatTheKernelLacksOrForbids) {
  expect(Grade::kWarning, "direct I/O", "page cache",
         [](MachineFacts& facts) { facts.direct_io = EINVAL; });
  expect(Grade::kWarning, "durable writes", "a write and a flush",
         [](MachineFacts& facts) { facts.durable_write = EOPNOTSUPP; });
  expect(Grade::kWarning, "reserving space", "zeros",
         [](MachineFacts& facts) { facts.fallocate = EOPNOTSUPP; });
  expect(Grade::kWarning, "io_uring", "sysctl", [](MachineFacts& facts) {
    facts.io_uring = EPERM;
    facts.io_uring_disabled = 2;
  });
  expect(Grade::kWarning, "io_uring", "seccomp",
         [](MachineFacts& facts) { facts.io_uring = EPERM; });
  expect(Grade::kWarning, "io_uring", "LimitMEMLOCK",
         [](MachineFacts& facts) { facts.io_uring = ENOMEM; });
  expect(Grade::kWarning, "address space", "ulimit -v",
         [](MachineFacts& facts) { facts.address_space = ENOMEM; });
}

TEST(Diagnosis, NamesADirectoryThatCannotBeWrittenTo) {
  auto facts = sound();
  facts.direct_io.reset();
  facts.durable_write.reset();
  facts.fallocate.reset();
  facts.write_times.clear();
  const auto findings = diagnose(facts);
  EXPECT_EQ(std::ranges::count(findings, Grade::kProblem, &Finding::grade), 2);
}

TEST(Diagnosis, NamesWhatIsScarce) {
  expect(Grade::kWarning, "descriptors", "256", [](MachineFacts& facts) { facts.files_max = 256; });
  expect(Grade::kProblem, "descriptors", "ulimit -n",
         [](MachineFacts& facts) { facts.files_max = 30; });
  expect(Grade::kProblem, "free space", "100 MiB",
         [](MachineFacts& facts) { facts.free_bytes = 100 << 20; });
  expect(Grade::kWarning, "free space", "make room",
         [](MachineFacts& facts) { facts.free_bytes = std::uint64_t{9} << 30; });
}

TEST(Diagnosis, NamesClocksThatCannotBeTrusted) {
  expect(Grade::kWarning, "clock", "2025", [](MachineFacts& facts) { facts.wall_clock = Time{}; });
  expect(Grade::kWarning, "clock", "jiffies",
         [](MachineFacts& facts) { facts.clock_source = "refined-jiffies"; });
  expect(Grade::kProblem, "clock", "goes back",
         [](MachineFacts& facts) { facts.monotonic_clock = ERANGE; });
}

TEST(Diagnosis, NamesFlushesThatAreTooFastAndTooSlow) {
  expect(Grade::kWarning, "durable 4 KiB write", "flushes may not reach",
         [](MachineFacts& facts) { facts.write_times.assign(200, 4us); });
  expect(Grade::kWarning, "durable 4 KiB write", "rotating", [](MachineFacts& facts) {
    facts.write_times.assign(200, 25ms);
    facts.rotational = true;
  });
  auto facts = sound();
  facts.write_times.back() = 900us;
  facts.write_times[197] = facts.write_times[198] = 500us;
  for (const auto& finding : diagnose(facts))
    if (finding.check == "durable 4 KiB write") {
      EXPECT_EQ(finding.what, "p50 100 us, p99 500 us of 200");
    }
}

}  // namespace
}  // namespace esdb::storage
