#include "tools/line_reader.h"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>

#include "tools/json_text.h"

namespace esdb::tools {
namespace {

constexpr std::size_t kChunk = std::size_t{256} << 10;
constexpr std::string_view kZstdMagic = "\x28\xb5\x2f\xfd";
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

std::unexpected<Error> unreadable(std::string message) {
  return std::unexpected(Error{.code = ErrorCode::kFailed, .message = std::move(message)});
}

}  // namespace

struct LineReader::Decompressor {
  struct Free {
    void operator()(ZSTD_DStream* done) const { ZSTD_freeDStream(done); }
  };
  std::unique_ptr<ZSTD_DStream, Free> stream{ZSTD_createDStream()};
  std::vector<char> compressed = std::vector<char>(kChunk);
  ZSTD_inBuffer in{};
  bool inside_frame = false;
};

LineReader::LineReader(std::istream& input, std::size_t line_bytes_max)
    : input_(input), line_bytes_max_(line_bytes_max), buffer_(2 * kChunk + kJsonPadding) {}

LineReader::~LineReader() = default;

Result<std::size_t> LineReader::read_plain(char* out, std::size_t size) {
  std::size_t read = std::min(size, pending_.size());
  if (read != 0) {
    std::memcpy(out, pending_.data(), read);
    pending_.erase(0, read);
    return read;
  }
  // What has arrived, not all that was asked for: a pipe may be slow.
  const bool any = input_.good() && input_.peek() != std::istream::traits_type::eof();
  if (input_.bad()) return unreadable("it cannot be read");
  if (!any) return 0;
  read = static_cast<std::size_t>(input_.readsome(out, static_cast<std::streamsize>(size)));
  consumed_ += read;
  return read;
}

Result<void> LineReader::look_at_the_beginning() {
  begun_ = true;
  char first[4];
  std::size_t size = 0;
  while (size < sizeof first) {
    const auto read = read_plain(first + size, sizeof first - size);
    if (!read) return std::unexpected(read.error());
    if (*read == 0) break;
    size += *read;
  }
  std::string_view text(first, size);
  if (text == kZstdMagic) zstd_ = std::make_unique<Decompressor>();
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  pending_ = text;
  return {};
}

Result<std::size_t> LineReader::read_some(char* out, std::size_t size) {
  if (!begun_) {
    if (auto looked = look_at_the_beginning(); !looked) return std::unexpected(looked.error());
  }
  if (!zstd_) return read_plain(out, size);
  auto& z = *zstd_;
  ZSTD_outBuffer to{.dst = out, .size = size, .pos = 0};
  while (to.pos == 0) {
    if (z.in.pos == z.in.size) {
      const auto read = read_plain(z.compressed.data(), z.compressed.size());
      if (!read) return std::unexpected(read.error());
      if (*read == 0) {
        if (z.inside_frame)
          return unreadable("it ends in the middle of a zstd frame: it was cut off");
        return 0;
      }
      z.in = {.src = z.compressed.data(), .size = *read, .pos = 0};
    }
    const auto left = ZSTD_decompressStream(z.stream.get(), &to, &z.in);
    if (ZSTD_isError(left))
      return unreadable(fmt::format("its zstd data is damaged: {}", ZSTD_getErrorName(left)));
    z.inside_frame = left != 0;
  }
  return to.pos;
}

// What is left moves to the front of the buffer; the buffer doubles while a line does not fit.
Result<bool> LineReader::fill() {
  if (begin_ != 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_, begin_ = 0;
  }
  if (buffer_.size() - end_ < kChunk + kJsonPadding) buffer_.resize(buffer_.size() * 2);
  const auto read = read_some(buffer_.data() + end_, kChunk);
  if (!read) return std::unexpected(read.error());
  end_ += *read;
  std::memset(buffer_.data() + end_, 0, kJsonPadding);
  return *read != 0;
}

Result<LineReader::Status> LineReader::next() {
  if (inside_long_line_) {
    if (auto passed = pass_over_long_line(); !passed) return std::unexpected(passed.error());
  }
  std::size_t looked_at = 0;
  for (;;) {
    const char* from = buffer_.data() + begin_;
    const auto* newline =
        static_cast<const char*>(std::memchr(from + looked_at, '\n', end_ - begin_ - looked_at));
    if (newline != nullptr) {
      line_ = {from, static_cast<std::size_t>(newline - from)};
      begin_ += line_.size() + 1;
      ++number_;
      return line_.size() > line_bytes_max_ ? Status::kTooLong : Status::kLine;
    }
    looked_at = end_ - begin_;
    if (looked_at > line_bytes_max_) {
      inside_long_line_ = true;
      line_ = {};
      ++number_;
      return Status::kTooLong;
    }
    const auto more = fill();
    if (!more) return std::unexpected(more.error());
    if (*more) continue;
    if (looked_at == 0) return Status::kEnd;
    line_ = {buffer_.data() + begin_, looked_at};
    begin_ = end_;
    ++number_;
    return Status::kLine;
  }
}

Result<void> LineReader::pass_over_long_line() {
  inside_long_line_ = false;
  for (;;) {
    const char* from = buffer_.data() + begin_;
    const auto* newline = static_cast<const char*>(std::memchr(from, '\n', end_ - begin_));
    if (newline != nullptr) {
      begin_ += static_cast<std::size_t>(newline - from) + 1;
      return {};
    }
    begin_ = end_ = 0;
    const auto more = fill();
    if (!more) return std::unexpected(more.error());
    if (!*more) return {};
  }
}

}  // namespace esdb::tools
