// IndexRecording: what LMDB has written to the files of an index and not yet made durable, watched
// at the calls of libc, so that the directory can be made that a power loss leaves behind.
//
// A power loss decides of every sector written since the file's last flush, each by itself, whether
// it is old, new or zeros. LMDB's two meta pages are written through a descriptor of their own
// (O_DSYNC); a sector is taken to be written whole, as LMDB takes it. Names are as they stand.
//
// Threads: one, and one recording at a time.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/fixtures/simulated_io.h"

namespace esdb::simulation {

class IndexRecording {
 public:
  explicit IndexRecording(std::string directory);  // of everything below it, from now on
  ~IndexRecording();
  IndexRecording(const IndexRecording&) = delete;
  IndexRecording& operator=(const IndexRecording&) = delete;

  // Called whenever something is about to become durable, while it is still undecided.
  void at_crash_points(std::function<void()> call) { at_crash_point_ = std::move(call); }

  const std::string& directory() const { return directory_; }
  std::size_t undecided() const;  // sectors
  // Makes `into` what a power loss leaves of the directory. `fates`: of each undecided sector.
  void leave(const std::string& into, const std::vector<fixtures::Fate>& fates) const;

  // ---- of libc's calls
  static IndexRecording* current();
  void wrote(int fd, std::uint64_t offset, std::string_view bytes);  // before it is
  void written(int fd);
  void flush(int fd);  // before it is

 private:
  struct Write {
    std::uint64_t offset{};
    std::string bytes{};
  };
  struct RecordedFile {
    std::string durable{};
    std::vector<Write> writes{};  // since the last flush, each within one sector
  };
  RecordedFile* file_of(int fd);
  void crash_point();

  const std::string directory_;
  std::function<void()> at_crash_point_{};
  bool looking_ = false;
  std::map<ino_t, RecordedFile> files_{};
};

// Makes `into` a copy of the directory, which may not be there.
void copy_directory(const std::string& from, const std::string& into);

}  // namespace esdb::simulation
