// Stores that something has damaged: a few small logs, written by the engine the same way every
// time, and what a fuzzer's bytes do to their files.
//
// Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "storage/io.h"
#include "storage/log.h"
#include "storage/recovery.h"
#include "tests/fuzz/input.h"

namespace esdb::fuzz {

using Bytes = std::vector<std::byte>;
using Files = std::map<std::uint32_t, Bytes>;  // segments, by number

struct WholeStore {
  Files files{};
  std::vector<Bytes> events{};  // encoded, by position - 1
};
// closed in order, killed with a frame under way, just made, with prepared segments
const std::vector<WholeStore>& whole_stores();

storage::LogOptions log_options(Access access);

// Encoded events as one append in a frame of its own, durable when this returns; false where the
// log has no room that it could make. `versions`: of the streams so far.
struct Appending {
  std::vector<Bytes> events{};
  std::map<std::string, std::uint64_t> tracking{};
};
bool append(storage::Log& log, storage::Io& io, const Appending& appending,
            std::map<std::string, std::uint64_t, std::less<>>& versions);
Bytes encoded_event(std::string_view stream, std::string_view data, const EventId& id);

// Any number of: bytes written, bits turned, ranges zeroed, copied or moved, files cut, removed or
// copied under another number.
void damage(Files& files, Input& input);

// Fills in the checksums that a writer of these bytes would have, with the secret that the file's
// header names. A record of an event gets one only where its payload is an encoded event: a
// checksum says that a writer laid it out.
void mend_checksums(Files& files);

void put_files(const Files& files, storage::Io& io);

// Every place of the files where the record of an event may begin.
class Records {
 public:
  explicit Records(const Files& files);
  // Whether this event's record, with a sound checksum, is at one of them.
  bool hold(const RecordedEvent::Stored& event, std::uint64_t seed) const;

 private:
  std::multimap<std::uint32_t, std::span<const std::byte>> by_length_{};
};

}  // namespace esdb::fuzz
