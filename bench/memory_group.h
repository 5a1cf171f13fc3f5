// A memory group: processes in it together keep no more than so many bytes in memory, the pages of
// files that they read included. A store larger than that is read from the disk.
//
// It is a control group, of version 1 or 2, and needs the right to make one.
#pragma once

#include <cstddef>
#include <string>

namespace esdb::bench {

class MemoryGroup {
 public:
  // NotHere where this process may not make one.
  explicit MemoryGroup(std::size_t bytes);
  ~MemoryGroup();  // whoever was in it has ended
  MemoryGroup(const MemoryGroup&) = delete;
  MemoryGroup& operator=(const MemoryGroup&) = delete;

  // The file by which a process joins: join() of it.
  std::string door() const { return path_ + "/cgroup.procs"; }

 private:
  std::string path_;
};

// The calling process, and all that it reads from here on. Empty: stays where it is.
void join(const std::string& door);

// Lets go of what memory holds of the files below this directory.
void forget_pages(const std::string& directory);

}  // namespace esdb::bench
