// Terms: what the index knows events by. A stream, a category, a type and a tag are all terms; a
// term's postings are its events' positions in order.
//
// Threads: plain data; any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace esdb::storage {

// The numbers are bytes of keys on disk; frozen.
enum class TermClass : std::uint8_t { kStream = 's', kCategory = 'c', kType = 't', kTag = 'g' };

// A term named, with its hash computed once (by whoever prepares a request, not by the writer).
// The text is viewed.
struct TermRef {
  TermClass kind{};
  std::string_view text{};
  std::uint64_t hash{};  // XXH3-64 of kind and text
};
TermRef term(TermClass kind, std::string_view text);

// Events of the system's streams (`$...`) are indexed under their stream and category only, so that
// types and tags neither count nor find them.
constexpr bool is_system(std::string_view stream) { return !stream.empty() && stream[0] == '$'; }

}  // namespace esdb::storage
