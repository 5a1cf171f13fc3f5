// The files around the index's environment: its directory, the one being built, and the markers.
//
// Threads: functions on files; one thread at a time.
// Errors:  kUnavailable, with the path and the system's words.
#pragma once

#include <string>

#include "esdb/error.h"

namespace esdb::storage {

class IndexFiles {
 public:
  explicit IndexFiles(std::string directory)
      : directory_(std::move(directory)), new_directory_(directory_ + ".new") {}

  const std::string& directory() const { return directory_; }
  const std::string& new_directory() const { return new_directory_; }
  std::string damaged_marker() const { return directory_ + "/damaged"; }

  bool exists() const;
  // A marker says that it must not be trusted: which, in words; empty: none.
  std::string distrusted() const;
  Result<void> make() const;
  Result<void> make_new() const;  // empty
  Result<void> discard() const;
  Result<void> discard_new() const;
  Result<void> mark_opening() const;
  Result<void> opened() const;
  Result<void> rename_new() const;  // durable when it returns

 private:
  std::string opening_marker() const { return directory_ + "/opening"; }

  std::string directory_, new_directory_;
};

}  // namespace esdb::storage
