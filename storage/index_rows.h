// The rows of the index: their keys, values and checksums. docs/format.md draws them; nothing
// outside index_rows.{h,cc} knows an offset or a size of theirs.
//
//   tree      key                                      value
//   terms     kind, text                               checksum | number, count, first, differences
//   chunks    term number, chunk number (big-endian)   checksum | first, last | 127 differences
//   seconds   128-bit hash of kind and text            term number (0: a tracking source)
//   tracking  source                                   checksum | position
//   epochs    epoch id                                 checksum | frame number
//   meta      "meta"                                   MetaRow
//
// A term's list is cut into chunks of 128 positions; the last, of 1 to 128, lies in its row. All
// numbers of values are little-endian, or packed seven bits to a byte (packed_positions.h). Every
// checksum is XXH3-64 of the value behind it, seeded with the XXH3-64 of tree and key, which is
// seeded with the store's secret: a row that stands under another key, or is another store's, does
// not pass.
//
// Threads: plain data and functions; any thread.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "storage/format.h"
#include "storage/index_environment.h"
#include "storage/log.h"
#include "storage/packed_positions.h"
#include "storage/term.h"

namespace esdb::storage {

inline constexpr std::uint64_t kIndexMagic = 0x0a1a'7864'6962'6473;
inline constexpr std::uint32_t kIndexFormatVersion = 2;

// A frame mark, as it is stored.
struct MarkRow {
  std::uint64_t frame_number{};
  std::uint64_t last_position{};
  std::uint64_t checksum{};  // of the frame's header
  Uuid epoch_id{};           // the frame's
  std::int64_t committed{};  // its commit time
};
FrameMark to_mark(const MarkRow& row);
MarkRow to_row(const FrameMark& mark);

// What the index is of, how far it has come, and what it must hold. In every transaction.
//
// A large generation takes several transactions. Between them the index is at `mark`, but for the
// terms that come first in the order of keys, up to and including key(): these are at `next`.
struct MetaRow {
  std::uint64_t checksum{};  // as of every row
  std::uint64_t magic = kIndexMagic;
  std::uint32_t format = kIndexFormatVersion;
  std::uint32_t zero{};
  Uuid store_id{};
  MarkRow mark{};             // everything up to this frame is in the index
  std::uint64_t next_term{};  // the first number above those of `mark`; the first is 1
  std::uint64_t streams{};    // rows of each kind, the system's (`$...`) apart
  std::uint64_t system_streams{};
  std::uint64_t categories{};
  std::uint64_t system_categories{};
  std::uint64_t types{};
  std::uint64_t tags{};
  std::uint64_t sources{};
  std::uint64_t epochs{};
  std::uint64_t system_events{};  // as of `mark`
  std::uint64_t streams_at_mark{};
  MarkRow next{};  // frame 0: the index is not between two marks
  std::uint64_t key_bytes{};
  std::array<std::byte, 504> key_space{};

  // The counter of a kind's rows. The system's have their own where they are named so: among
  // streams and categories.
  static std::uint64_t MetaRow::*rows_of(TermClass kind, bool system = false);
  bool is_between_marks() const { return next.frame_number != 0; }
  Bytes key() const { return Bytes(key_space).first(key_bytes); }
  bool is_at_next(Bytes term_key) const;
  // Everything up to this frame was durable.
  const MarkRow& furthest() const { return is_between_marks() ? next : mark; }
  void set_between(const MarkRow& to, Bytes up_to);
  void set_at(MarkRow to);
};
static_assert(sizeof(MetaRow) == 736 && std::has_unique_object_representations_v<MetaRow>);

// ---- keys

using TermKey = std::array<std::byte, 511>;
Bytes term_key(TermClass kind, std::string_view text, TermKey& space);
std::string_view text_of(Bytes term_key);

using ChunkKey = std::array<std::byte, 12>;
ChunkKey chunk_key(std::uint64_t term_number, std::uint32_t chunk);

// Of a term's key; of a tracking source, whose kind byte is kSourceKind.
using SecondKey = std::array<std::byte, 16>;
inline constexpr char kSourceKind = 'x';
SecondKey second_key(char kind, std::string_view text, std::uint64_t seed);

Bytes source_key(std::string_view source);
Bytes meta_key();

// ---- values. Reading gives nothing when the bytes are not what was written under this key.

struct TermRow {
  std::uint64_t number{};
  std::uint64_t count{};  // of all positions
  // Those that lie in the row: the last 1..128. The earlier ones are in count / 128 full chunks.
  std::array<std::uint64_t, kChunkPositions> positions;
  std::uint32_t in_row{};

  std::span<const std::uint64_t> listed() const { return {positions.data(), in_row}; }
  std::uint64_t last() const { return positions[in_row - 1]; }
  std::uint32_t chunks() const { return static_cast<std::uint32_t>((count - 1) / kChunkPositions); }
};
void write_term_row(Bytes key, const TermRow& row, std::uint64_t seed, std::vector<std::byte>& out);
bool read_term_row(Bytes key, Bytes value, std::uint64_t seed, TermRow& row);

using ChunkList = std::array<std::uint64_t, kChunkPositions>;
void write_chunk(Bytes key, const ChunkList& positions, std::uint64_t seed,
                 std::vector<std::byte>& out);
struct ChunkEnds {
  std::uint64_t first{}, last{};
};
std::optional<ChunkEnds> read_chunk_ends(Bytes key, Bytes value, std::uint64_t seed);
bool read_chunk(Bytes key, Bytes value, std::uint64_t seed, ChunkList& positions);

// Of the trees tracking and epochs: one number.
using NumberRow = std::array<std::byte, 16>;
NumberRow number_row(Tree tree, Bytes key, std::uint64_t number, std::uint64_t seed);
std::optional<std::uint64_t> read_number_row(Tree tree, Bytes key, Bytes value, std::uint64_t seed);

using SecondRow = std::array<std::byte, 8>;
SecondRow second_row(std::uint64_t term_number);
std::optional<std::uint64_t> read_second_row(Bytes value);

void seal(MetaRow& row, std::uint64_t seed);  // sets its checksum
// Seals it, and puts it where it belongs.
LmdbResult<void> put_meta(Transaction& transaction, MetaRow& row, std::uint64_t seed);
Bytes bytes_of(const MetaRow& row);
// Nothing unless it is intact and of this version.
std::optional<MetaRow> read_meta_row(Bytes value, std::uint64_t seed);

}  // namespace esdb::storage
