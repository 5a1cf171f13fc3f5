#include "tools/line_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zstd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <vector>

namespace esdb::tools {

struct LineWriter::Compressor {
  struct Free {
    void operator()(ZSTD_CCtx* done) const { ZSTD_freeCCtx(done); }
  };
  std::unique_ptr<ZSTD_CCtx, Free> context{ZSTD_createCCtx()};
  std::vector<char> compressed = std::vector<char>(ZSTD_CStreamOutSize());
};

LineWriter::LineWriter(std::ostream& out) : out_(&out) {}

LineWriter::LineWriter(std::string path) : path_(std::move(path)), out_(&file_) {}

LineWriter::~LineWriter() {
  if (finished_ || written_ == path_) return;
  std::error_code ignored;  // a left-over .part is overwritten the next time
  std::filesystem::remove(written_, ignored);
}

Result<std::unique_ptr<LineWriter>> LineWriter::to_file(const std::string& path) {
  std::unique_ptr<LineWriter> writer(new LineWriter(path));
  std::error_code missing;
  const auto status = std::filesystem::status(path, missing);
  const bool replaced = !exists(status) || is_regular_file(status);
  writer->written_ = replaced ? path + ".part" : path;
  writer->file_.open(writer->written_, std::ios::binary | std::ios::trunc);
  if (!writer->file_) {
    writer->finished_ = true;
    return writer->unwritable();
  }
  if (path.ends_with(".zst")) writer->zstd_ = std::make_unique<Compressor>();
  return writer;
}

std::unexpected<Error> LineWriter::unwritable() const {
  return std::unexpected(
      Error{.code = ErrorCode::kFailed,
            .message = fmt::format("cannot write {}: {}", path_.empty() ? "the output" : written_,
                                   errno != 0 ? std::strerror(errno) : "the output is closed")});
}

Result<void> LineWriter::write(std::string_view bytes) {
  if (zstd_) return compress(bytes, Part::kMore);
  out_->write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!*out_) return unwritable();
  return {};
}

Result<void> LineWriter::compress(std::string_view bytes, Part part) {
  auto& z = *zstd_;
  ZSTD_inBuffer in{.src = bytes.data(), .size = bytes.size(), .pos = 0};
  const auto mode = part == Part::kLast ? ZSTD_e_end : ZSTD_e_continue;
  for (;;) {
    ZSTD_outBuffer to{.dst = z.compressed.data(), .size = z.compressed.size(), .pos = 0};
    const auto left = ZSTD_compressStream2(z.context.get(), &to, &in, mode);
    if (ZSTD_isError(left)) {
      return std::unexpected(Error{
          .code = ErrorCode::kFailed,
          .message = fmt::format("cannot compress {}: {}", written_, ZSTD_getErrorName(left))});
    }
    out_->write(z.compressed.data(), static_cast<std::streamsize>(to.pos));
    if (!*out_) return unwritable();
    if (part == Part::kLast ? left == 0 : in.pos == in.size) return {};
  }
}

Result<void> LineWriter::finish() {
  if (zstd_) {
    if (auto done = compress({}, Part::kLast); !done) return done;
  }
  out_->flush();
  if (!*out_) return unwritable();
  if (!path_.empty()) {
    file_.close();
    if (!file_) return unwritable();
    if (written_ != path_) {
      if (auto renamed = rename_into_place(); !renamed) return renamed;
    }
  }
  finished_ = true;
  return {};
}

Result<void> LineWriter::rename_into_place() {
  const int file = ::open(written_.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return unwritable();
  const bool synced = ::fsync(file) == 0;
  const auto error = errno;
  ::close(file);
  errno = error;
  if (!synced || ::rename(written_.c_str(), path_.c_str()) != 0) return unwritable();
  return {};
}

}  // namespace esdb::tools
