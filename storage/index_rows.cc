#include "storage/index_rows.h"

#include <algorithm>
#include <cstring>

#include "storage/check.h"
#include "storage/hash.h"

namespace esdb::storage {

namespace {

constexpr std::size_t kChecksumBytes = 8;

void put_u64(std::uint64_t number, std::vector<std::byte>& out) {
  const auto bytes = std::bit_cast<std::array<std::byte, 8>>(number);
  out.insert(out.end(), bytes.begin(), bytes.end());
}

std::uint64_t get_u64(Bytes bytes, std::size_t at) {
  std::uint64_t number = 0;
  std::memcpy(&number, bytes.data() + at, sizeof(number));
  return number;
}

// Of everything behind the checksum.
std::uint64_t checksum_of(Tree tree, Bytes key, Bytes behind, std::uint64_t seed) {
  return hash64(behind, hash64(key, seed ^ static_cast<std::uint64_t>(tree)));
}

bool is_intact(Tree tree, Bytes key, Bytes value, std::uint64_t seed) {
  return value.size() > kChecksumBytes &&
         get_u64(value, 0) == checksum_of(tree, key, value.subspan(kChecksumBytes), seed);
}

void set_checksum(Tree tree, Bytes key, std::span<std::byte> value, std::uint64_t seed) {
  const auto checksum = checksum_of(tree, key, value.subspan(kChecksumBytes), seed);
  std::memcpy(value.data(), &checksum, sizeof(checksum));
}

}  // namespace

FrameMark to_mark(const MarkRow& row) {
  return {.frame_number = row.frame_number,
          .last = row.last_position,
          .checksum = row.checksum,
          .epoch_id = row.epoch_id,
          .committed = Time{std::chrono::nanoseconds{row.committed}}};
}

MarkRow to_row(const FrameMark& mark) {
  return {.frame_number = mark.frame_number,
          .last_position = mark.last.value,
          .checksum = mark.checksum,
          .epoch_id = mark.epoch_id,
          .committed = mark.committed.time_since_epoch().count()};
}

std::uint64_t MetaRow::*MetaRow::rows_of(TermClass kind, bool system) {
  switch (kind) {
    case TermClass::kStream:
      return system ? &MetaRow::system_streams : &MetaRow::streams;
    case TermClass::kCategory:
      return system ? &MetaRow::system_categories : &MetaRow::categories;
    case TermClass::kType:
      return &MetaRow::types;
    case TermClass::kTag:
      break;
  }
  return &MetaRow::tags;
}

bool MetaRow::is_at_next(Bytes term_key) const {
  return is_between_marks() && !std::ranges::lexicographical_compare(key(), term_key);
}

void MetaRow::set_between(const MarkRow& to, Bytes up_to) {
  ESDB_CHECK(up_to.size() <= key_space.size());
  next = to;
  key_bytes = up_to.size();
  key_space = {};
  std::ranges::copy(up_to, key_space.begin());
}

void MetaRow::set_at(MarkRow to) {
  set_between({}, {});
  mark = to;
  streams_at_mark = streams;
}

Bytes term_key(TermClass kind, std::string_view text, TermKey& space) {
  ESDB_CHECK(text.size() < space.size());
  space[0] = static_cast<std::byte>(kind);
  std::ranges::copy(std::as_bytes(std::span(text)), space.begin() + 1);  // `text` may be nothing
  return {space.data(), text.size() + 1};
}

std::string_view text_of(Bytes term_key) {
  return {reinterpret_cast<const char*>(term_key.data()) + 1, term_key.size() - 1};
}

ChunkKey chunk_key(std::uint64_t term_number, std::uint32_t chunk) {
  ChunkKey key;
  for (std::size_t i = 0; i < 8; ++i) key[i] = static_cast<std::byte>(term_number >> (56 - 8 * i));
  for (std::size_t i = 0; i < 4; ++i) key[8 + i] = static_cast<std::byte>(chunk >> (24 - 8 * i));
  return key;
}

SecondKey second_key(char kind, std::string_view text, std::uint64_t seed) {
  return hash128(text, seed ^ static_cast<std::uint64_t>(kind));
}

Bytes source_key(std::string_view source) {
  return std::as_bytes(std::span(source.data(), source.size()));
}

Bytes meta_key() { return source_key("meta"); }

void write_term_row(Bytes key, const TermRow& row, std::uint64_t seed,
                    std::vector<std::byte>& out) {
  ESDB_CHECK(row.in_row == (row.count - 1) % kChunkPositions + 1);
  out.clear();
  put_u64(0, out);
  append_varint(row.number, out);
  append_varint(row.count, out);
  append_varint(row.positions[0], out);
  append_differences(row.listed(), out);
  set_checksum(Tree::kTerms, key, out, seed);
}

bool read_term_row(Bytes key, Bytes value, std::uint64_t seed, TermRow& row) {
  if (!is_intact(Tree::kTerms, key, value, seed)) return false;
  Bytes rest = value.subspan(kChecksumBytes);
  if (!take_varint(rest, row.number) || !take_varint(rest, row.count) || row.count == 0 ||
      !take_varint(rest, row.positions[0]))
    return false;
  row.in_row = static_cast<std::uint32_t>((row.count - 1) % kChunkPositions + 1);
  return read_differences(rest, std::span(row.positions).first(row.in_row));
}

void write_chunk(Bytes key, const ChunkList& positions, std::uint64_t seed,
                 std::vector<std::byte>& out) {
  out.clear();
  put_u64(0, out);
  put_u64(positions.front(), out);
  put_u64(positions.back(), out);
  append_differences(positions, out);
  set_checksum(Tree::kChunks, key, out, seed);
}

std::optional<ChunkEnds> read_chunk_ends(Bytes key, Bytes value, std::uint64_t seed) {
  if (value.size() < 24 || !is_intact(Tree::kChunks, key, value, seed)) return std::nullopt;
  return ChunkEnds{.first = get_u64(value, 8), .last = get_u64(value, 16)};
}

bool read_chunk(Bytes key, Bytes value, std::uint64_t seed, ChunkList& positions) {
  const auto ends = read_chunk_ends(key, value, seed);
  if (!ends) return false;
  positions.front() = ends->first;
  return read_differences(value.subspan(24), positions) && positions.back() == ends->last;
}

NumberRow number_row(Tree tree, Bytes key, std::uint64_t number, std::uint64_t seed) {
  NumberRow row;
  std::memcpy(row.data() + kChecksumBytes, &number, sizeof(number));
  set_checksum(tree, key, row, seed);
  return row;
}

std::optional<std::uint64_t> read_number_row(Tree tree, Bytes key, Bytes value,
                                             std::uint64_t seed) {
  if (value.size() != sizeof(NumberRow) || !is_intact(tree, key, value, seed)) return std::nullopt;
  return get_u64(value, kChecksumBytes);
}

SecondRow second_row(std::uint64_t term_number) { return std::bit_cast<SecondRow>(term_number); }

std::optional<std::uint64_t> read_second_row(Bytes value) {
  if (value.size() != sizeof(SecondRow)) return std::nullopt;
  return get_u64(value, 0);
}

void seal(MetaRow& row, std::uint64_t seed) {
  set_checksum(Tree::kMeta, meta_key(), std::as_writable_bytes(std::span(&row, 1)), seed);
}

LmdbResult<void> put_meta(Transaction& transaction, MetaRow& row, std::uint64_t seed) {
  seal(row, seed);
  return transaction.put(Tree::kMeta, meta_key(), bytes_of(row));
}

Bytes bytes_of(const MetaRow& row) { return std::as_bytes(std::span(&row, 1)); }

std::optional<MetaRow> read_meta_row(Bytes value, std::uint64_t seed) {
  MetaRow row;
  if (value.size() != sizeof(row) || !is_intact(Tree::kMeta, meta_key(), value, seed))
    return std::nullopt;
  std::memcpy(&row, value.data(), sizeof(row));
  if (row.magic != kIndexMagic || row.format != kIndexFormatVersion ||
      row.key_bytes > row.key_space.size())
    return std::nullopt;
  return row;
}

}  // namespace esdb::storage
