#include "storage/diagnosis.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "storage/file_system.h"
#include "storage/io.h"

namespace esdb::storage {
namespace {

using Grade = Finding::Grade;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kFreeFloor = 256 * kMiB;  // two segments and an index transaction
constexpr std::uint64_t kUnitFloor = 4096;
constexpr std::uint64_t kFilesFloor = 64, kFilesEnough = 512;
constexpr auto kImplausible = std::chrono::microseconds(20);
constexpr auto kSlow = std::chrono::milliseconds(20);

std::string words_of(int number) { return to_string(IoError{number}); }

Finding ok(std::string check, std::string what) {
  return {.check = std::move(check), .grade = Grade::kOk, .what = std::move(what)};
}
Finding warning(std::string check, std::string what, std::string remedy) {
  return {std::move(check), Grade::kWarning, std::move(what), std::move(remedy)};
}
Finding problem(std::string check, std::string what, std::string remedy) {
  return {std::move(check), Grade::kProblem, std::move(what), std::move(remedy)};
}

Finding file_system(const MachineFacts& facts) {
  const auto name = facts.file_system.empty() ? "an unknown file system" : facts.file_system;
  const auto objection = file_system_objection(facts.f_type & 0xffffffffL);
  if (objection.empty()) return ok("file system", name + " at " + facts.mounted_at);
  const auto semicolon = objection.rfind(';');
  const auto what = name + ": " + std::string(objection.substr(0, semicolon));
  const std::string remedy(objection.substr(semicolon + 2));
  // Whether these keep what they are given depends on what lies below them.
  const bool depends = facts.file_system.starts_with("fuse") || facts.file_system == "overlay";
  return depends ? warning("file system", what, remedy) : problem("file system", what, remedy);
}

Finding mount_options(const MachineFacts& facts) {
  const auto has = [&](std::string_view option) {
    return std::ranges::find(facts.mount, option) != facts.mount.end();
  };
  for (const auto* option : {"nobarrier", "barrier=0"})
    if (has(option))
      return problem("mount options",
                     std::string(option) +
                         ": the device is never told to flush its cache; a power "
                         "loss takes what was acknowledged",
                     "mount " + facts.mounted_at + " with barriers");
  if (has("ro"))
    return problem("mount options", "ro: nothing can be written",
                   "mount " + facts.mounted_at + " for writing");
  return ok("mount options", "none that weakens a flush");
}

Finding write_cache(const MachineFacts& facts) {
  if (facts.device.empty())
    return warning("write cache", "no block device can be told below the directory",
                   "see to it that what lies below it keeps what was flushed");
  if (facts.write_cache == "write through")
    return ok("write cache", facts.device +
                                 " writes through: it has no volatile cache, or one with "
                                 "its own power");
  if (facts.write_cache.empty())
    return warning("write cache", facts.device + " does not say whether it caches writes",
                   "look it up, and whether it honours flushes");
  return warning("write cache",
                 facts.device + " has a volatile cache" +
                     (facts.fua.value_or(false) ? ", and takes writes past it (FUA)"
                                                : ", which every durable write flushes") +
                     ": what is acknowledged rests on its honouring that",
                 "use a device with power-loss protection; a virtual disk must pass flushes on to "
                 "its host");
}

Finding write_unit(const MachineFacts& facts) {
  const auto physical = facts.physical_block;
  const auto unit = facts.write_unit;
  const auto told = "physical blocks of " + std::to_string(physical) + " bytes";
  if (unit == 0) return ok("write unit", physical == 0 ? "of no store yet" : told);
  const auto wants = std::max(physical, kUnitFloor);
  const auto both = "units of " + std::to_string(unit) + " bytes" +
                    (physical == 0 ? std::string() : " on " + told);
  if (unit >= wants) return ok("write unit", both);
  const std::string remedy =
      "copy the store into a new one (esctl copy) that is made with write_unit 0";
  if (physical > unit)
    return problem("write unit", both + ": a torn write can ruin what was acknowledged beside it",
                   remedy);
  return warning("write unit",
                 both + ": sound only where the device leaves neighbouring sectors whole", remedy);
}

Finding direct_io(const MachineFacts& facts) {
  if (!facts.direct_io)
    return problem("direct I/O", "nothing can be written to " + facts.directory,
                   "run this as the user that the store belongs to");
  if (*facts.direct_io == 0) return ok("direct I/O", "works");
  return warning("direct I/O",
                 "is not there, " + words_of(*facts.direct_io) +
                     ": writes go through the page cache, and need a flush each",
                 "use ext4 or XFS on a local disk");
}

Finding durable_write(const MachineFacts& facts) {
  if (!facts.durable_write)
    return problem("durable writes", "none could be tried in " + facts.directory,
                   "see what stands above");
  if (*facts.durable_write == 0) return ok("durable writes", "one operation each (RWF_DSYNC)");
  return warning("durable writes",
                 "RWF_DSYNC is not there, " + words_of(*facts.durable_write) +
                     ": each takes a write and a flush",
                 "use a newer kernel, and ext4 or XFS");
}

Finding fallocate_of(const MachineFacts& facts) {
  if (!facts.fallocate || *facts.fallocate == 0)
    return ok("reserving space", facts.fallocate ? "works" : "not tried");
  return warning("reserving space",
                 "is not there, " + words_of(*facts.fallocate) +
                     ": segments are filled with zeros without it, and a file system that copies "
                     "on write may meet a full disk later",
                 "use ext4 or XFS");
}

Finding io_uring(const MachineFacts& facts) {
  if (!facts.io_uring) return ok("io_uring", "not tried");
  if (*facts.io_uring == 0) return ok("io_uring", "works");
  auto why = "is not to be had, " + words_of(*facts.io_uring);
  std::string remedy = "allow it to the server, or accept slower writes";
  if (facts.io_uring_disabled.value_or(0) != 0) {
    why += "; kernel.io_uring_disabled is " + std::to_string(*facts.io_uring_disabled);
    remedy = "sysctl kernel.io_uring_disabled=0, or accept slower writes";
  } else if (*facts.io_uring == EPERM || *facts.io_uring == ENOSYS) {
    remedy = "let the container's or the service's seccomp profile allow io_uring_setup";
  } else if (*facts.io_uring == ENOMEM) {
    why += "; RLIMIT_MEMLOCK is " + std::to_string(facts.memlock_max);
    remedy = "raise LimitMEMLOCK";
  }
  return warning("io_uring", why + ": writes block, and scattered reads take longer", remedy);
}

Finding descriptors(const MachineFacts& facts) {
  if (facts.files_max == ~std::uint64_t{0}) return ok("descriptors", "unlimited");
  const auto told = "at most " + std::to_string(facts.files_max);
  const std::string remedy = "raise ulimit -n (LimitNOFILE in a service)";
  if (facts.files_max < kFilesFloor) return problem("descriptors", told, remedy);
  if (facts.files_max < kFilesEnough)
    return warning("descriptors", told + ": a server's connections take one each", remedy);
  return ok("descriptors", told);
}

Finding free_space(const MachineFacts& facts) {
  const auto told = std::to_string(facts.free_bytes / kMiB) + " MiB of " +
                    std::to_string(facts.all_bytes / kMiB) + " MiB are free";
  if (facts.free_bytes < kFreeFloor)
    return problem("free space", told + ": no room for the next segments and the index",
                   "make room");
  if (facts.free_bytes < facts.all_bytes / 20) return warning("free space", told, "make room soon");
  return ok("free space", told);
}

Finding address_space(const MachineFacts& facts) {
  if (facts.address_space.value_or(0) == 0)
    return ok("address space", "1 TiB for the index can be mapped");
  return warning("address space",
                 "1 TiB for the index cannot be mapped, " + words_of(*facts.address_space) +
                     ": the index may grow to what can be",
                 "lift ulimit -v, and vm.overcommit_memory=2 if it is set");
}

Finding clock(const MachineFacts& facts) {
  using std::chrono::sys_days;
  if (facts.monotonic_clock.value_or(0) != 0)
    return problem("clock", "the monotonic clock goes back", "mend the machine's clock source");
  if (facts.wall_clock < Time(sys_days(std::chrono::January / 1 / 2025)))
    return warning("clock", "the wall clock stands before 2025: commit times will be wrong",
                   "set it, and let NTP keep it");
  if (facts.clock_source.ends_with("jiffies"))
    return warning("clock", "the clock source is " + facts.clock_source + ": coarse and slow",
                   "see why the kernel trusts no better one (dmesg)");
  return ok("clock",
            facts.clock_source.empty() ? "monotonic" : "monotonic, by " + facts.clock_source);
}

std::string in_microseconds(std::chrono::nanoseconds time) {
  return std::to_string(std::chrono::round<std::chrono::microseconds>(time).count()) + " us";
}

Finding flush_time(const MachineFacts& facts) {
  const auto& times = facts.write_times;
  if (times.empty()) return ok("durable 4 KiB write", "not measured");
  const auto p50 = times[times.size() / 2];
  const auto p99 = times[times.size() * 99 / 100];
  const auto told = "p50 " + in_microseconds(p50) + ", p99 " + in_microseconds(p99) + " of " +
                    std::to_string(times.size());
  if (p50 < kImplausible)
    return warning("durable 4 KiB write",
                   told +
                       ": faster than a device that keeps what it is given; flushes may not "
                       "reach one",
                   "see whether a host, a controller or a file system answers them instead");
  if (p50 > kSlow)
    return warning("durable 4 KiB write",
                   told + (facts.rotational.value_or(false) ? ", on a rotating disk" : "") +
                       ": an append waits that long",
                   "use an SSD with power-loss protection");
  return ok("durable 4 KiB write", told);
}

}  // namespace

std::string_view to_string(Finding::Grade grade) {
  constexpr std::array<std::string_view, 3> kNames = {"ok", "warning", "problem"};
  return kNames[std::to_underlying(grade)];
}

std::vector<Finding> diagnose(const MachineFacts& facts) {
  return {file_system(facts), mount_options(facts), write_cache(facts),  write_unit(facts),
          direct_io(facts),   durable_write(facts), fallocate_of(facts), io_uring(facts),
          flush_time(facts),  free_space(facts),    descriptors(facts),  address_space(facts),
          clock(facts)};
}

}  // namespace esdb::storage
