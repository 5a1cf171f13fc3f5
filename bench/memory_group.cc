#include "bench/memory_group.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "bench/failure.h"
#include "bench/suite.h"

namespace esdb::bench {
namespace {

struct Version {
  const char* root;
  const char* limit;  // file of the bound
};
constexpr std::array kVersions = {Version{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
                                  Version{"/sys/fs/cgroup", "memory.max"}};

bool write_text(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text << std::flush;
  return file.good();
}

}  // namespace

MemoryGroup::MemoryGroup(std::size_t bytes) {
  for (const auto& version : kVersions) {
    const std::string root = version.root;
    if (!std::filesystem::exists(root + "/cgroup.procs")) continue;
    // Version 2 hands out memory only where it was told to; version 1 has no such file.
    const auto handing_out = root + "/cgroup.subtree_control";
    if (std::filesystem::exists(handing_out)) write_text(handing_out, "+memory");
    path_ = root + "/esdb-bench-" + std::to_string(::getpid());
    if (::mkdir(path_.c_str(), 0755) != 0) continue;
    if (write_text(path_ + "/" + version.limit, std::to_string(bytes))) return;
    ::rmdir(path_.c_str());
  }
  throw NotHere("no control group of memory can be made here: needs root, and a mounted hierarchy");
}

MemoryGroup::~MemoryGroup() {
  // The kernel lets go of the last process a moment after it was waited for.
  for (int tries = 0; ::rmdir(path_.c_str()) != 0 && tries < 100; ++tries) ::usleep(10'000);
}

void join(const std::string& door) {
  if (!door.empty() && !write_text(door, "0")) fail("join " + door);
}

void forget_pages(const std::string& directory) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    const int fd = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    ::fdatasync(fd);  // only what is on the disk can be let go of
    ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    ::close(fd);
  }
}

}  // namespace esdb::bench
