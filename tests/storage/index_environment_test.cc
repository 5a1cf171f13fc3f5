#include "storage/index_environment.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/fixtures/scratch_directory.h"

namespace esdb::storage {
namespace {

Bytes bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }
std::string text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

using Kind = Transaction::Kind;
using Mode = Environment::Mode;

TEST(IndexEnvironment, KeepsWhatWasCommitted) {
  fixtures::ScratchDirectory directory;
  for (const std::string value : {"1", "2"}) {
    auto environment = Environment::open(directory.path(), Mode::kReadWrite).value();
    auto transaction = Transaction::begin(*environment, Kind::kWrite).value();
    transaction.put(Tree::kMeta, bytes_of("key"), bytes_of(value)).value();
    if (value == "1") transaction.commit().value();
  }
  auto environment = Environment::open(directory.path(), Mode::kReadOnly).value();
  auto transaction = Transaction::begin(*environment, Kind::kRead).value();
  const auto found = transaction.get(Tree::kMeta, bytes_of("key")).value();
  ASSERT_TRUE(found);
  EXPECT_EQ(text_of(*found), "1") << "the second one was not committed";
  EXPECT_FALSE(transaction.get(Tree::kTerms, bytes_of("key")).value()) << "another tree";
  EXPECT_EQ(transaction.rows(Tree::kMeta).value(), 1U);
}

TEST(IndexEnvironment, WalksATreeInTheOrderOfItsKeys) {
  fixtures::ScratchDirectory directory;
  auto environment = Environment::open(directory.path(), Mode::kReadWrite).value();
  auto transaction = Transaction::begin(*environment, Kind::kWrite).value();
  auto cursor = transaction.cursor(Tree::kTerms).value();
  EXPECT_FALSE(cursor.first().value());
  for (const auto* key : {"b", "d", "a"}) cursor.insert(bytes_of(key), bytes_of("1")).value();
  EXPECT_FALSE(cursor.insert_new(bytes_of("b"), bytes_of("2")).value());
  EXPECT_TRUE(cursor.insert_new(bytes_of("e"), bytes_of("2")).value());
  ASSERT_TRUE(cursor.find(bytes_of("d")).value());
  cursor.replace(bytes_of("d"), bytes_of("longer than before")).value();
  EXPECT_FALSE(cursor.find(bytes_of("c")).value());
  ASSERT_TRUE(cursor.find_from(bytes_of("c")).value());
  EXPECT_EQ(text_of(cursor.key()), "d");
  EXPECT_EQ(text_of(cursor.value()), "longer than before");
  std::string keys;
  for (bool found = cursor.first().value(); found; found = cursor.next().value())
    keys += text_of(cursor.key());
  EXPECT_EQ(keys, "abde");
}

TEST(IndexEnvironment, ReservesSpaceWithoutGrowingTheFile) {
  fixtures::ScratchDirectory directory;
  auto environment = Environment::open(directory.path(), Mode::kReadWrite).value();
  environment->reserve(1 << 20).value();
  EXPECT_LT(std::filesystem::file_size(directory.path() + "/data.mdb"), 1U << 20);
  EXPECT_GT(environment->used_bytes(), 0U);
}

TEST(IndexEnvironment, RefusesAFileThatWasCut) {
  fixtures::ScratchDirectory directory;
  {
    auto environment = Environment::open(directory.path(), Mode::kReadWrite).value();
    auto transaction = Transaction::begin(*environment, Kind::kWrite).value();
    const std::string large(100'000, 'x');
    transaction.put(Tree::kMeta, bytes_of("key"), bytes_of(large)).value();
    transaction.commit().value();
  }
  const auto file = directory.path() + "/data.mdb";
  std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
  const auto opened = Environment::open(directory.path(), Mode::kReadOnly);
  ASSERT_FALSE(opened);
  EXPECT_TRUE(opened.error().is_damage());
}

TEST(IndexEnvironment, TellsDamageFromWhatIsInTheWay) {
  fixtures::ScratchDirectory directory;
  const auto missing = Environment::open(directory.path() + "/none", Mode::kReadWrite);
  ASSERT_FALSE(missing);
  EXPECT_FALSE(missing.error().is_damage());
  EXPECT_EQ(to_string(missing.error()), "No such file or directory (2)");
  std::ofstream(directory.path() + "/data.mdb") << std::string(20'000, 'x');
  const auto garbage = Environment::open(directory.path(), Mode::kReadWrite);
  ASSERT_FALSE(garbage);
  EXPECT_TRUE(garbage.error().is_damage());
}

}  // namespace
}  // namespace esdb::storage
