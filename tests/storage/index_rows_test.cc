#include "storage/index_rows.h"

#include <gtest/gtest.h>

#include <string>

namespace esdb::storage {
namespace {

constexpr std::uint64_t kSeed = 0x1234;

std::string hex(Bytes bytes) {
  std::string text;
  for (const auto byte : bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    text += kDigits[static_cast<std::size_t>(byte) >> 4];
    text += kDigits[static_cast<std::size_t>(byte) & 15];
  }
  return text;
}

TermRow row_of(std::uint64_t count) {
  TermRow row;
  row.number = 7;
  row.count = count;
  row.in_row = 0;
  const std::uint64_t first = (count - 1) / kChunkPositions * kChunkPositions;
  for (std::uint64_t at = first; at < count; ++at) row.positions[row.in_row++] = 1000 + at * 3;
  return row;
}

// The bytes on disk, written down: a change here is a change of the format.
TEST(IndexRows, AreTheseBytes) {
  TermKey space;
  const Bytes key = term_key(TermClass::kStream, "order-1", space);
  EXPECT_EQ(hex(key), "736f726465722d31");
  std::vector<std::byte> value;
  write_term_row(key, row_of(3), kSeed, value);
  EXPECT_EQ(hex(value), "56884172446cac8b0703e8070303");
  const ChunkKey chunk = chunk_key(0x0102030405060708, 0x0a0b0c0d);
  EXPECT_EQ(hex(chunk), "01020304050607080a0b0c0d");
  ChunkList list;
  for (std::size_t at = 0; at < list.size(); ++at) list[at] = 1 + at * 200;
  write_chunk(chunk, list, kSeed, value);
  EXPECT_EQ(value.size(), 24 + 127 * 2);
  EXPECT_EQ(hex(Bytes(value).first(28)),
            "a6c389e99185c4bc01000000000000003963000000000000c801c801");
  EXPECT_EQ(hex(second_key('s', "order-1", kSeed)), "f44c8b1097b6133bc9517b151b7e87f7");
  EXPECT_EQ(hex(second_row(7)), "0700000000000000");
  EXPECT_EQ(hex(number_row(Tree::kTracking, source_key("source"), 9, kSeed)),
            "90d28367ba20582d0900000000000000");
  EXPECT_EQ(hex(meta_key()), "6d657461");
  MetaRow meta;
  meta.mark.frame_number = 5;
  seal(meta, kSeed);
  EXPECT_EQ(hex(bytes_of(meta).first(64)),
            "09df218dfea4bf127364626964781a0a02000000000000000000000000000000"
            "0000000000000000050000000000000000000000000000000000000000000000");
}

TEST(IndexRows, KeepUpTo128PositionsInATermsRow) {
  for (const std::uint64_t count : {1, 127, 128, 129, 255, 256, 257}) {
    TermKey space;
    const Bytes key = term_key(TermClass::kTag, "t", space);
    const TermRow row = row_of(count);
    std::vector<std::byte> value;
    write_term_row(key, row, kSeed, value);
    TermRow read;
    ASSERT_TRUE(read_term_row(key, value, kSeed, read));
    EXPECT_EQ(read.count, count);
    EXPECT_EQ(read.number, 7U);
    EXPECT_EQ(read.in_row, count % 128 == 0 ? 128 : count % 128);
    EXPECT_EQ(read.chunks(), (count - 1) / 128);
    EXPECT_EQ(read.last(), 1000 + (count - 1) * 3);
    EXPECT_TRUE(std::ranges::equal(read.listed(), row.listed()));
  }
}

TEST(IndexRows, FitTheKeysOfLmdbWithTheLongestName) {
  const std::string longest(500, 's');
  TermKey space;
  EXPECT_EQ(term_key(TermClass::kStream, longest, space).size(), 501U);
  EXPECT_EQ(text_of(term_key(TermClass::kStream, longest, space)), longest);
  EXPECT_EQ(text_of(term_key(TermClass::kStream, {}, space)), "");
}

TEST(IndexRows, DoNotPassWithAnyBitChangedOrUnderAnotherKey) {
  TermKey space, other_space;
  const Bytes key = term_key(TermClass::kStream, "a", space);
  const Bytes other = term_key(TermClass::kStream, "b", other_space);
  std::vector<std::byte> row, chunk;
  write_term_row(key, row_of(20), kSeed, row);
  ChunkList list;
  for (std::size_t at = 0; at < list.size(); ++at) list[at] = 1 + at;
  const ChunkKey chunk_at = chunk_key(1, 2), chunk_elsewhere = chunk_key(1, 3);
  write_chunk(chunk_at, list, kSeed, chunk);
  NumberRow number = number_row(Tree::kEpochs, key, 9, kSeed);
  MetaRow meta;
  seal(meta, kSeed);
  TermRow read;
  const auto passes = [&](Bytes row_key, Bytes chunk_row_key, std::uint64_t seed) {
    return read_term_row(row_key, row, seed, read) + read_chunk(chunk_row_key, chunk, seed, list) +
           read_number_row(Tree::kEpochs, row_key, number, seed).has_value() +
           read_meta_row(bytes_of(meta), seed).has_value();
  };
  EXPECT_EQ(passes(key, chunk_at, kSeed), 4);
  EXPECT_EQ(passes(other, chunk_elsewhere, kSeed), 1) << "the meta row has one key only";
  EXPECT_EQ(passes(key, chunk_at, kSeed + 1), 0) << "another store's";
  EXPECT_FALSE(read_number_row(Tree::kTracking, key, number, kSeed)) << "another tree's";
  for (std::span<std::byte> bytes :
       {std::span<std::byte>(row), std::span<std::byte>(chunk), std::span<std::byte>(number),
        std::as_writable_bytes(std::span(&meta, 1))}) {
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      bytes[bit / 8] ^= std::byte{1} << (bit % 8);
      EXPECT_EQ(passes(key, chunk_at, kSeed), 3) << bit;
      bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    }
  }
}

TEST(IndexRows, TellWhichTermsAreAtTheNextMark) {
  const auto is_at_next = [](const MetaRow& meta, std::string_view text) {
    TermKey space;
    return meta.is_at_next(term_key(TermClass::kStream, text, space));
  };
  MetaRow meta;
  EXPECT_FALSE(is_at_next(meta, "")) << "it is between no marks";
  EXPECT_EQ(meta.furthest().frame_number, 0);
  meta.set_between({.frame_number = 9}, {});
  EXPECT_FALSE(is_at_next(meta, "")) << "no row was written yet";
  EXPECT_EQ(meta.furthest().frame_number, 9);
  TermKey space;
  const std::string longest(500, '\xff');
  meta.set_between({.frame_number = 9}, term_key(TermClass::kStream, longest, space));
  EXPECT_TRUE(is_at_next(meta, longest));
  EXPECT_FALSE(meta.is_at_next(term_key(TermClass::kType, "", space)));
  meta.set_between({.frame_number = 9}, term_key(TermClass::kStream, "order-1", space));
  EXPECT_TRUE(is_at_next(meta, "order"));
  EXPECT_TRUE(is_at_next(meta, "order-1"));
  EXPECT_FALSE(is_at_next(meta, "order-10"));
  EXPECT_FALSE(is_at_next(meta, "order-\xff")) << "bytes have no sign";
  EXPECT_TRUE(meta.is_at_next(term_key(TermClass::kCategory, "z", space)));
  meta.streams = 3;
  meta.set_at(meta.next);
  EXPECT_FALSE(meta.is_between_marks());
  EXPECT_EQ(meta.mark.frame_number, 9);
  EXPECT_EQ(meta.streams_at_mark, 3);
}

TEST(IndexRows, OfAnotherFormatAreNotRead) {
  MetaRow meta;
  meta.format = kIndexFormatVersion + 1;
  seal(meta, kSeed);
  EXPECT_FALSE(read_meta_row(bytes_of(meta), kSeed));
}

TEST(IndexRows, HashTheSameTextOfTwoKindsApart) {
  EXPECT_NE(second_key('s', "a", kSeed), second_key('c', "a", kSeed));
  EXPECT_NE(second_key('s', "a", kSeed), second_key('s', "a", kSeed + 8));
}

}  // namespace
}  // namespace esdb::storage
