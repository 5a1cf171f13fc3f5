// Segments as they lie in a directory that nobody has open, damaged or not: what verify and inspect
// look at.
//
// Threads: functions; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "esdb/error.h"
#include "storage/format.h"
#include "storage/frame_check.h"
#include "storage/io.h"

namespace esdb::storage {

struct OfflineSegment {
  std::uint32_t number{};
  std::string path{};
  std::uint64_t file_bytes{};
  std::optional<SegmentHeader> header{};
  std::optional<FooterTail> tail{};  // needs the store's secret
};

// The segment files of a store, in order of number; kInvalidArgument when there are none, kRefused
// when an index tells that there were some. The secret is taken from the first sound header.
struct OfflineLog {
  std::vector<OfflineSegment> segments{};
  Uuid store_id{};
  std::uint64_t seed{};
  std::string index_directory{};
};
Result<OfflineLog> look_at_log(Io& io, const std::string& directory);

// Where a segment's bytes come from. What was not sealed is asked of the device: the page cache may
// hold what a failed write never brought there.
enum class ReadFrom : std::uint8_t { kCache, kDevice };

// The whole file; what cannot be read is zero.
class SegmentBytes {
 public:
  static Result<SegmentBytes> read(Io& io, const OfflineSegment& segment,
                                   ReadFrom from = ReadFrom::kCache);
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(words_)).first(size_); }
  void clear_from(std::uint64_t offset);  // makes zeros of the rest

 private:
  std::vector<std::uint64_t> words_{};
  std::size_t size_ = 0;
};

// The highest frame that the witnesses in a segment's bytes say was durable; 0: none is sound.
std::uint64_t witnessed_in(std::span<const std::byte> bytes, const SegmentHeader& header);

// Walks the frames of one segment's bytes: each whole one, and what lies between them.
struct WalkedFrame {
  std::uint64_t offset{};
  std::string damage{};  // nothing: whole. Else what is wrong here; the walk goes on behind it
  std::optional<FrameHeader> header{};
  Uuid parent_epoch_id{};
  std::span<const ScannedRecord> records{};
};
struct WalkRange {
  std::uint64_t begin{};
  std::uint64_t end{};  // frames do not reach behind it
};
// The offset behind the last unit that is not zero.
Result<std::uint64_t> walk_frames(std::span<const std::byte> bytes, const SegmentHeader& header,
                                  const WalkRange& range,
                                  const std::function<Result<void>(const WalkedFrame&)>& each);

std::string uuid_text(const Uuid& id);

}  // namespace esdb::storage
