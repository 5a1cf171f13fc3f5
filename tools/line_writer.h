// Where exported lines go: a stream, or a file that appears under its name only when it is whole.
//
// A file whose name ends in .zst is compressed. It is written beside its name, with ".part" behind
// it, synced and renamed by finish(); what is no regular file (a pipe, /dev/stdout) is written as
// it is. Anything that goes wrong while writing is said by finish().
#pragma once

#include <cstdint>
#include <fstream>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>

#include "esdb/error.h"

namespace esdb::tools {

// Threads: one.
class LineWriter {
 public:
  static Result<std::unique_ptr<LineWriter>> to_file(const std::string& path);
  explicit LineWriter(std::ostream& out);  // `out` outlives the writer
  ~LineWriter();                           // without finish(): what was begun is removed
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  Result<void> write(std::string_view bytes);
  Result<void> finish();

 private:
  struct Compressor;
  enum class Part : std::uint8_t { kMore, kLast };

  explicit LineWriter(std::string path);
  Result<void> compress(std::string_view bytes, Part part);
  Result<void> rename_into_place();
  std::unexpected<Error> unwritable() const;

  std::string path_{};     // empty: a stream
  std::string written_{};  // the file that is written: the path, or the path with ".part"
  std::ofstream file_{};
  std::ostream* out_;
  std::unique_ptr<Compressor> zstd_{};
  bool finished_ = false;
};

}  // namespace esdb::tools
