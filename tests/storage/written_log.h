// A log in memory, or in a directory, that a test writes frame by frame.
#pragma once

#include <memory>
#include <vector>

#include "protocol/encoded_event.h"
#include "storage/check.h"
#include "storage/index.h"
#include "storage/memory_io.h"
#include "storage/recovery.h"
#include "tests/storage/term_history.h"

namespace esdb::storage {

class WrittenLog {
 public:
  WrittenLog() { open(); }

  Log& operator*() { return *log_; }
  Log* operator->() { return log_.get(); }

  void close() { log_.reset(); }
  // As a restart does it: what is appended next begins an epoch.
  void reopen() {
    close();
    open();
  }

  // Writes the history's newest frame, durably, and gives the history the mark it got.
  const HistoryFrame& append(TermHistory& history) {
    if (log_->needs_epoch()) complete(log_->place_epoch().write);
    const HistoryFrame& frame = history.frames().back();
    encode(frame);
    while (!log_->has_room(content_bytes_, encoded_.size())) {
      log_->background_step(io_.steady()).value();
      ESDB_CHECK(log_->roll() != Log::Rolled::kDiskFull);
    }
    log_->begin_frame(io_.now());
    for (std::size_t i = 0; i < frame.tracking.size(); ++i) {
      const bool last = frame.events.empty() && i + 1 == frame.tracking.size();
      log_->add_tracking(frame.tracking[i].first, frame.tracking[i].second, last);
    }
    for (std::size_t i = 0; i < frame.events.size(); ++i) place(frame, i);
    const auto ended = log_->end_frame();
    complete(ended.write);
    history.set_last_mark(ended.mark);
    return history.frames().back();
  }

  IndexOptions index_options(const std::string& store) const {
    return {.directory = store + "/index", .store_id = log_->store_id(), .seed = log_->seed()};
  }

 private:
  void open() {
    log_ = open_log(io_, {.directory = "store",
                          .segment_bytes = kSegmentBytesMin,
                          .append_bytes_max = kSegmentBytesMin / 4})
               .value();
  }

  void complete(const FrameWrite& write) {
    ESDB_CHECK(write.file->write_durable(write.offset, write.bytes).has_value());
    log_->complete(write.frame_number);
  }

  void encode(const HistoryFrame& frame) {
    encoded_.clear();
    content_bytes_ = 0;
    for (const auto& [source, position] : frame.tracking)
      content_bytes_ += log_->content_bytes(8 + source.size());
    for (const auto& event : frame.events) {
      const protocol::EventFields fields{.id = EventId::make(),
                                         .stream = event.stream,
                                         .type = event.type,
                                         .data = "{}",
                                         .tags = {event.tags.begin(), event.tags.end()}};
      encoded_.emplace_back();
      protocol::encode(fields, encoded_.back());
      content_bytes_ += log_->content_bytes(encoded_.back().size());
    }
  }

  void place(const HistoryFrame& frame, std::size_t i) {
    const auto& bytes = encoded_[i];
    const Position placed = log_->add_event({.encoded = bytes,
                                             .hash = protocol::hash_of(bytes),
                                             .id = protocol::id_of(bytes),
                                             .fingerprint = protocol::fingerprint_of(bytes),
                                             .version = frame.events[i].version,
                                             .ordinal = static_cast<std::uint32_t>(i),
                                             .ends_commit = i + 1 == frame.events.size()});
    ESDB_CHECK(placed == frame.events[i].position);
  }

  MemoryIo io_;
  std::unique_ptr<Log> log_;
  std::vector<std::vector<std::byte>> encoded_;
  std::size_t content_bytes_ = 0;
};

}  // namespace esdb::storage
