// Lines of a file or a stream, plain or zstd-compressed (told by its first bytes), one at a time.
//
// Memory is bounded by the longest line accepted: a longer one is passed over without being kept.
#pragma once

#include <cstdint>
#include <istream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "esdb/error.h"

namespace esdb::tools {

// Longer than any event can be written: four times the largest append by default.
inline constexpr std::size_t kLineBytesMax = std::size_t{16} << 20;

// Threads: one.
class LineReader {
 public:
  // `input` outlives the reader.
  explicit LineReader(std::istream& input, std::size_t line_bytes_max = kLineBytesMax);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  enum class Status : std::uint8_t { kLine, kTooLong, kEnd };
  // Goes to the next line. Errors (the input fails, or ends inside a zstd frame) are final.
  Result<Status> next();

  // The line without its newline, followed by kJsonPadding readable bytes. Valid until next().
  std::string_view line() const { return line_; }
  std::uint64_t number() const { return number_; }        // of this line, from 1
  std::uint64_t bytes_read() const { return consumed_; }  // of the input, as it lies there

 private:
  struct Decompressor;

  Result<bool> fill();  // more bytes behind `end_`; false at the end of the input
  Result<std::size_t> read_plain(char* out, std::size_t size);
  Result<std::size_t> read_some(char* out, std::size_t size);
  Result<void> look_at_the_beginning();
  Result<void> pass_over_long_line();

  std::istream& input_;
  std::size_t line_bytes_max_;
  std::unique_ptr<Decompressor> zstd_{};
  std::string pending_{};  // first bytes, read to tell the format
  bool begun_ = false;
  bool inside_long_line_ = false;
  std::vector<char> buffer_{};
  std::size_t begin_ = 0, end_ = 0;  // bytes of the buffer not given out yet
  std::string_view line_{};
  std::uint64_t number_ = 0;
  std::uint64_t consumed_ = 0;
};

}  // namespace esdb::tools
