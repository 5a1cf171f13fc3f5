// Wire: the public API's values as the structs of esdb.capnp, and back.
//
// put() fills a builder; get() reads what the other side sent, which it does not trust: lists are
// checked against limits.h before anything is made of them, and what this version does not know is
// kUnsupported.
//
// Threads: functions, any thread.
#pragma once

#include <capnp/message.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "esdb/append.h"
#include "esdb/cursor.h"
#include "esdb/error.h"
#include "esdb/event_store.h"
#include "esdb/limits.h"
#include "esdb/query.h"
#include "protocol/esdb.capnp.h"
#include "protocol/received_batch.h"

namespace esdb::protocol {

// Unix sockets are found by path; TCP is found here unless the address says otherwise.
inline constexpr std::uint16_t kDefaultPort = 3732;

// Bytes of one RPC message: every legal append fits (encode() and adopt() refuse larger ones), and
// so does every answer: a page, a batch, one event larger than a batch.
inline constexpr std::size_t kMessageBytesMax = kAppendBytesCap + (std::size_t{64} << 10);

// What Cap'n Proto may walk of one message: more than its bytes, as some are looked at twice.
inline capnp::ReaderOptions reader_options() {
  return {.traversalLimitInWords = 4 * kMessageBytesMax / sizeof(capnp::word), .nestingLimit = 32};
}

void put(const esdb::Error& from, Error::Builder to);
esdb::Error get(Error::Reader from);

void put(const esdb::Query& from, Query::Builder to);
Result<esdb::Query> get(Query::Reader from);

void put(const esdb::Checkpoint& from, Checkpoint::Builder to);
esdb::Checkpoint get(Checkpoint::Reader from);

void put(const esdb::Start& from, Start::Builder to);
Result<esdb::Start> get(Start::Reader from);

void put(const esdb::ReadOptions& from, ReadOptions::Builder to);
Result<esdb::ReadOptions> get(ReadOptions::Reader from);

void put(const esdb::Appended& from, Appended::Builder to);
esdb::Appended get(Appended::Reader from);

void put(const esdb::StreamInfo& from, StreamInfo::Builder to);
esdb::StreamInfo get(StreamInfo::Reader from);

void put(const esdb::StreamPage& from, StreamsResult::Page::Builder to);
esdb::StreamPage get(StreamsResult::Page::Reader from);

void put(const esdb::TermPage& from, TermsResult::Page::Builder to);
esdb::TermPage get(TermsResult::Page::Reader from);
TermKind to_wire(esdb::TermKind kind);
Result<esdb::TermKind> from_wire(TermKind kind);

void put(const esdb::TrackingPage& from, TrackingResult::Page::Builder to);
esdb::TrackingPage get(TrackingResult::Page::Reader from);

void put(const esdb::Statistics& from, Statistics::Builder to);
esdb::Statistics get(Statistics::Reader from);

// A batch as a reply. wire_size() is what a message that holds it needs, so that it is made in one
// piece. get() copies it out of its message; open() in received_batch.h checks what it says.
void put(const esdb::Batch& from, Batch::Builder to);
ReceivedBatch get(Batch::Reader from);
capnp::MessageSize wire_size(const esdb::Batch& batch);

// Durations: whole milliseconds; kForever and everything longer than a day are one day.
std::uint64_t to_wire(std::chrono::milliseconds duration);
std::chrono::milliseconds from_wire(std::uint64_t milliseconds);

inline std::string to_string(capnp::Text::Reader text) { return {text.cStr(), text.size()}; }
inline std::string_view view_of(capnp::Text::Reader text) { return {text.cStr(), text.size()}; }
inline kj::StringPtr to_kj(const std::string& text) { return {text.c_str(), text.size()}; }

}  // namespace esdb::protocol
