#include "storage/file_system.h"

#include <sys/vfs.h>

#include <cerrno>

namespace esdb::storage {
namespace {

// linux/magic.h, and where it lacks them, each file system's own.
constexpr long kNfs = 0x6969;
constexpr long kSmb = 0x517b;
constexpr long kCifs = 0xff534d42;
constexpr long kSmb2 = 0xfe534d42;
constexpr long kCeph = 0x00c36400;
constexpr long kAfs = 0x5346414f;
constexpr long kNinep = 0x01021997;
constexpr long kFuse = 0x65735546;
constexpr long kTmpfs = 0x01021994;
constexpr long kRamfs = 0x858458f6;
constexpr long kOverlay = 0x794c7630;

}  // namespace

std::string_view file_system_objection(long f_type) {
  switch (f_type) {
    case kNfs:
    case kSmb:
    case kCifs:
    case kSmb2:
    case kCeph:
    case kAfs:
    case kNinep:
      return "lies on a network file system: locks and the index's shared memory do not hold "
             "there, "
             "and what is acknowledged may not be on stable storage; use a local disk";
    case kFuse:
      return "lies on a file system in user space: whether what is acknowledged is on stable "
             "storage depends on it; use a local disk";
    case kTmpfs:
    case kRamfs:
      return "lies in memory: nothing in it outlives the machine's next stop; use a disk";
    case kOverlay:
      return "lies on a container's own layer: it goes with the container; use a volume";
    default:
      return {};
  }
}

std::string file_system_warning(const std::string& directory) {
  struct statfs found {};
  int result = 0;
  do {
    result = ::statfs(directory.c_str(), &found);
  } while (result != 0 && errno == EINTR);
  if (result != 0) return {};
  // Wider than 32 bits on some machines, and then sign-extended.
  const auto objection = file_system_objection(static_cast<long>(found.f_type) & 0xffffffffL);
  return objection.empty() ? std::string{} : directory + " " + std::string(objection);
}

}  // namespace esdb::storage
