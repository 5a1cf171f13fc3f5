// Drives a Log as the writer does, but one frame at a time and without judging: for the tests of
// the log.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "protocol/encoded_event.h"
#include "storage/io.h"
#include "storage/log.h"
#include "storage/recovery.h"

namespace esdb::storage {

struct DrivenEvent {
  std::string stream{};
  std::string data{};
  EventId id = EventId::make();
};

// What a test knows of an event in the log.
struct WrittenEvent {
  Position position{};
  Version version{};
  EventId id{};
  std::string stream{};
  std::string data{};
};

inline LogOptions log_options(const std::string& directory, std::size_t segment_bytes = 1 << 20) {
  LogOptions options;
  options.directory = directory;
  options.segment_bytes = segment_bytes;
  options.append_bytes_max = std::min(kAppendBytesDefault, segment_bytes / 4);
  return options;
}

inline std::vector<std::byte> encode(const DrivenEvent& event) {
  std::vector<std::byte> bytes;
  protocol::encode({.id = event.id, .stream = event.stream, .type = "Happened", .data = event.data},
                   bytes);
  return bytes;
}

class LogDriver {
 public:
  LogDriver(Io& io, const LogOptions& options) : io_(io), options_(options) {}

  // "" or the error's message.
  std::string open() {
    close_ring();
    log_.reset();
    auto log = open_log(io_, options_);
    if (!log) return log.error().message;
    log_ = std::move(*log);
    auto ring = io_.make_ring(16, -1);
    if (!ring) return to_string(ring.error());
    ring_ = std::move(*ring);
    return "";
  }
  // As a process that ends without closing: nothing more is written.
  void drop() {
    close_ring();
    log_.reset();
  }
  void close() {
    ASSERT_TRUE(log_->close().has_value());
    drop();
  }

  // Takes over what another driver has written, as far as this log holds it.
  void take_over(std::vector<WrittenEvent> written) {
    written.resize(log_->durable().value);
    heads_.clear();
    for (const auto& event : written) heads_[event.stream] = {event.version, event.position};
    written_ = std::move(written);
  }

  Log& log() { return *log_; }
  const std::vector<WrittenEvent>& written() const { return written_; }
  std::vector<WrittenEvent>& written() { return written_; }

  // One commit in a frame of its own, durable when it returns. "" or what went wrong.
  std::string append(const std::vector<DrivenEvent>& events) {
    if (auto why = place(events); !why.empty()) return why;
    return finish();
  }
  std::string append(const std::string& stream, const std::string& data) {
    return append({{.stream = stream, .data = data}});
  }

  // Lays out a frame and hands it to the ring, which has not submitted it yet.
  std::string place(const std::vector<DrivenEvent>& events,
                    const std::map<std::string, std::uint64_t>& tracking = {}) {
    std::vector<std::vector<std::byte>> encoded;
    std::size_t bytes = 0;
    for (const auto& event : events) {
      encoded.push_back(encode(event));
      bytes += log_->content_bytes(encoded.back().size());
    }
    for (const auto& [source, position] : tracking) bytes += log_->content_bytes(8 + source.size());
    const auto epoch_bytes = log_->needs_epoch() ? std::size_t{1} << 16 : 0;
    if (!log_->has_room(bytes + epoch_bytes, events.size())) {
      if (auto why = finish(); !why.empty()) return why;
      if (auto why = roll(); !why.empty()) return why;
    }
    if (log_->needs_epoch()) submit(log_->place_epoch());
    log_->begin_frame(io_.now());
    std::size_t left = tracking.size() + events.size();
    for (const auto& [source, position] : tracking)
      log_->add_tracking(source, position, --left == 0);
    for (std::size_t i = 0; i < events.size(); ++i) {
      auto& head = heads_[events[i].stream];
      const Version version = head.first.value + 1;
      const auto position = log_->add_event({.encoded = encoded[i],
                                             .hash = protocol::hash_of(encoded[i]),
                                             .id = events[i].id,
                                             .fingerprint = protocol::fingerprint_of(encoded[i]),
                                             .version = version,
                                             .previous = head.second,
                                             .ordinal = static_cast<std::uint32_t>(i),
                                             .ends_commit = --left == 0});
      head = {version, position};
      written_.push_back({position, version, events[i].id, events[i].stream, events[i].data});
    }
    submit(log_->end_frame());
    return "";
  }

  // Submits what was placed and waits until it is durable.
  std::string finish() {
    ring_->submit();
    while (ring_->wait()) {
      std::array<Ring::Done, 16> done;
      const auto count = ring_->reap(done);
      for (std::size_t i = 0; i < count; ++i) {
        if (done[i].result < 0) return to_string(IoError{static_cast<int>(-done[i].result)});
        log_->complete(done[i].token);
      }
    }
    log_->acknowledged(io_.steady());
    return "";
  }

  // Everything that is due, and the witness.
  void run_background() {
    const auto later = io_.steady() + std::chrono::hours(1);
    for (;;) {
      auto did = log_->background_step(later);
      ASSERT_TRUE(did.has_value()) << did.error().message;
      if (!*did) return;
    }
  }

  // As place(), where another thread runs the background.
  std::string place_when_prepared(const std::vector<DrivenEvent>& events) {
    background_elsewhere_ = true;
    return place(events);
  }

  std::string roll() {
    if (background_elsewhere_)
      return log_->roll() == Log::Rolled::kYes ? "" : "no segment is prepared";
    for (int attempt = 0; attempt < 3; ++attempt) {
      const auto rolled = log_->roll();
      if (rolled == Log::Rolled::kYes) return "";
      auto did = log_->background_step(io_.steady() + std::chrono::seconds(5));
      while (did && *did) did = log_->background_step(io_.steady() + std::chrono::seconds(5));
      if (!did) return did.error().message;
      if (log_->disk_full()) return "disk full";
    }
    return "no segment is prepared";
  }

 private:
  void submit(const Log::Ended& ended) {
    ring_->write_durable(*ended.write.file, ended.write.offset, ended.write.bytes,
                         ended.write.frame_number);
  }
  void close_ring() { ring_.reset(); }

  Io& io_;
  const LogOptions options_;
  std::unique_ptr<Log> log_{};
  std::unique_ptr<Ring> ring_{};
  bool background_elsewhere_ = false;
  std::vector<WrittenEvent> written_{};
  std::map<std::string, std::pair<Version, Position>> heads_{};
};

// "" when the log holds exactly these events, read forwards in batches of this size.
inline std::string compare(const Log& log, const std::vector<WrittenEvent>& expected,
                           std::size_t batch_bytes = 64 << 10) {
  if (log.durable().value != expected.size())
    return "durable is " + to_string(log.durable()) + ", not " + std::to_string(expected.size());
  Position after = 0;
  while (after < log.durable()) {
    BatchMemory batch;
    auto last = log.read_forwards(after, log.durable(), {.bytes = batch_bytes}, batch);
    if (!last) return last.error().message;
    if (*last <= after) return "nothing was read behind " + to_string(after);
    for (const auto& event : batch.stored) {
      const auto& known = expected[event.position.value - 1];
      after = after.value + 1;
      if (event.position != after || event.version != known.version || event.id != known.id ||
          protocol::stream_of(event.encoded) != known.stream ||
          protocol::data_of(event.encoded) != known.data)
        return "another event than was written at position " + to_string(after);
    }
    if (after != *last) return "the last position given is not " + to_string(*last);
  }
  return "";
}

}  // namespace esdb::storage
