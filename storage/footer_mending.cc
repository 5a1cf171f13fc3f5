#include "storage/footer_mending.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "protocol/encoded_event.h"
#include "storage/aligned_bytes.h"
#include "storage/footer.h"
#include "storage/segment_file.h"
#include "storage/segment_scan.h"

namespace esdb::storage {
namespace {

struct Tables {
  std::vector<std::uint32_t> offsets{};
  std::vector<FooterId> ids{};
  std::vector<FooterFrame> frames{};
  std::uint64_t end{};  // behind the last frame
  Uuid last_epoch_id{};
};

Result<Tables> tables_of(SegmentReader& reader) {
  Tables tables;
  auto done = scan_segment(
      reader, 0,
      [&](const ScannedFrame& frame, const FrameHeader& header,
          std::span<const std::byte> bytes) -> Result<void> {
        tables.frames.push_back({.first_position = header.first_position,
                                 .commit_time = header.commit_time,
                                 .offset = header.offset});
        for (const auto& record : frame.records) {
          if (record.kind != RecordKind::kEvent) continue;
          const auto offset = static_cast<std::uint32_t>(offset_of(record, header, bytes) / 8);
          tables.offsets.push_back(offset | (record.ends_commit ? kOffsetEndsCommit : 0));
          tables.ids.push_back(
              {protocol::id_of(record.payload).bytes, protocol::fingerprint_of(record.payload)});
        }
        tables.end = header.offset + bytes.size();
        tables.last_epoch_id = header.epoch_id;
        return {};
      });
  if (!done) return std::unexpected(done.error());
  return tables;
}

bool agree(const Tables& tables, const FooterTail& tail, const FooterPlan& plan) {
  return tables.frames.size() == tail.frame_count && tables.offsets.size() == tail.event_count &&
         (tables.frames.empty() || tables.end == tail.frames_end) &&
         (tables.frames.empty() || tables.last_epoch_id == tail.last_epoch_id) &&
         plan.offsets_at == tail.offsets_at && plan.ids_at == tail.ids_at &&
         plan.frames_at == tail.frames_at && tail.frames_end <= plan.begins;
}

// Block by block, so that what is sound is not written.
IoResult<std::uint64_t> write_what_differs(File& file, std::uint64_t begin,
                                           std::span<const std::byte> wanted,
                                           std::size_t block_bytes) {
  std::uint64_t written = 0;
  AlignedBytes found(block_bytes);
  for (std::size_t at = 0; at < wanted.size(); at += block_bytes) {
    const auto block = wanted.subspan(at, block_bytes);
    auto count = file.read(begin + at, found.bytes());
    if (!count && is_passing(count.error())) return std::unexpected(count.error());
    if (count && *count == block_bytes && std::ranges::equal(found.bytes(), block)) continue;
    if (auto done = file.write_durable(begin + at, block); !done)
      return std::unexpected(done.error());
    written += block_bytes;
  }
  return written;
}

}  // namespace

Result<std::uint64_t> mend_footer(Io& io, const std::string& path, SegmentReader& reader,
                                  const FooterTail& tail) {
  const Positions all{reader.first(), reader.last()};
  const auto failed = [&](IoError error) -> std::unexpected<Error> {
    if (is_passing(error))
      return std::unexpected(
          Error{.code = ErrorCode::kUnavailable, .message = path + ", " + to_string(error)});
    return reader.damaged(tail.offsets_at, all, "its footer cannot be mended, " + to_string(error));
  };
  auto tables = tables_of(reader);
  if (!tables) return std::unexpected(tables.error());
  auto file = io.open(path, OpenMode::kReadWrite);
  if (!file) return failed(file.error());
  auto header = read_segment_header(**file);
  if (!header) return failed(header.error());
  if (!*header) return reader.damaged(0, all, "its header fails its checksum");
  const auto block_bytes = (*header)->block_bytes;
  const auto plan =
      footer_plan((*header)->segment_bytes, block_bytes, {tail.event_count, tail.frame_count});
  if (!agree(*tables, tail, plan))
    return reader.damaged(tail.offsets_at, all, "its footer and its frames contradict each other");
  if (plan.begins == plan.tail_block_at) return std::uint64_t{0};
  AlignedBytes wanted(plan.tail_block_at - plan.begins);
  lay_tables(wanted.bytes(), plan, **header,
             {.offsets = std::as_bytes(std::span(tables->offsets)),
              .ids = std::as_bytes(std::span(tables->ids)),
              .frames = std::as_bytes(std::span(tables->frames))});
  auto written = write_what_differs(**file, plan.begins, wanted.bytes(), block_bytes);
  if (!written) return failed(written.error());
  return *written;
}

}  // namespace esdb::storage
