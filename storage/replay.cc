#include "storage/replay.h"

#include <cstring>
#include <string_view>
#include <vector>

#include "esdb/query.h"
#include "protocol/encoded_event.h"

namespace esdb::storage {

namespace {

template <class Sink>
void replay_event(const ScannedRecord& record, Sink& sink) {
  const std::string_view stream = protocol::stream_of(record.payload);
  std::vector<TermRef> tags;
  for (const auto tag : protocol::tags_of(record.payload))
    tags.push_back(term(TermClass::kTag, tag));
  sink.add({.position = record.position,
            .version = record.version,
            .stream = term(TermClass::kStream, stream),
            .category = term(TermClass::kCategory, category_of(stream)),
            .type = term(TermClass::kType, protocol::type_of(record.payload)),
            .tags = tags});
}

template <class Sink>
void replay_tracking(const ScannedRecord& record, Sink& sink) {
  std::uint64_t position = 0;
  std::memcpy(&position, record.payload.data(), sizeof(position));
  const auto source = record.payload.subspan(sizeof(position));
  sink.add_tracking({reinterpret_cast<const char*>(source.data()), source.size()}, position);
}

template <class Sink>
void replay(const ScannedFrame& frame, Sink& sink) {
  if (frame.kind == FrameKind::kEpoch) sink.add_epoch(frame.mark.epoch_id);
  for (const auto& record : frame.records) {
    if (record.kind == RecordKind::kEvent)
      replay_event(record, sink);
    else
      replay_tracking(record, sink);
  }
  sink.end_frame(frame.mark, frame.bytes);
}

}  // namespace

void replay_frame(const ScannedFrame& frame, TailIndex& tail) { replay(frame, tail); }
void replay_frame(const ScannedFrame& frame, Generation& generation) { replay(frame, generation); }

Result<void> replay_tail(const Log& log, TailIndex& tail) {
  return log.scan(tail.first_frame() + 1, [&](const ScannedFrame& frame) -> Result<void> {
    replay_frame(frame, tail);
    tail.freeze_when_due({});
    return {};
  });
}

}  // namespace esdb::storage
