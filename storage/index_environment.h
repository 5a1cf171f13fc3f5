// The index's LMDB environment: its trees, transactions and cursors. The one place that knows LMDB.
//
// LMDB is used with its default, crash-safe flags, without thread-local readers and without
// read-ahead. It detects no damage: what is stored carries its own checksums (index_rows.h).
//
// Threads: Environment: any. A transaction and its cursors: one thread at a time; one transaction
//          for writing at a time.
// Errors:  LmdbError, LMDB's own or an errno; the caller decides what it means.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>

struct MDB_env;
struct MDB_txn;
struct MDB_cursor;

namespace esdb::storage {

enum class Tree : std::uint8_t { kTerms, kChunks, kSeconds, kTracking, kEpochs, kMeta };
inline constexpr std::size_t kTrees = 6;

struct LmdbError {
  int number{};
  // It tells that the file is damaged, not that something is short or in the way.
  bool is_damage() const;
};
std::string to_string(LmdbError error);

template <class T>
using LmdbResult = std::expected<T, LmdbError>;
using Bytes = std::span<const std::byte>;

inline constexpr std::size_t kPageBytes = 4096;  // LMDB's: the system's

class Environment {
 public:
  // kBulk: nothing is synced before sync() is called.
  enum class Mode : std::uint8_t { kReadWrite, kReadOnly, kBulk };
  // `directory` exists; kReadOnly writes nothing and needs the trees to be there.
  static LmdbResult<std::unique_ptr<Environment>> open(const std::string& directory, Mode mode);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  LmdbResult<void> sync();
  // Bytes of the file in use: what transactions have ever allocated.
  std::size_t used_bytes() const;
  // Reserves space behind what is in use, so that a commit does not meet a full disk half-way.
  LmdbResult<void> reserve(std::size_t bytes);

 private:
  friend class Transaction;
  Environment() = default;
  LmdbResult<void> map(const std::string& directory, Mode mode);
  LmdbResult<void> open_trees(Mode mode);

  MDB_env* env_ = nullptr;
  std::array<unsigned, kTrees> trees_{};
  std::size_t reserved_ = 0;
};

// A place in one tree. Its views are valid until the transaction ends or writes.
class TreeCursor {
 public:
  TreeCursor(TreeCursor&& other) noexcept;
  TreeCursor& operator=(TreeCursor&& other) noexcept;
  ~TreeCursor();

  // Each says whether it stands on a row.
  LmdbResult<bool> find(Bytes key);       // exactly this one
  LmdbResult<bool> find_from(Bytes key);  // the first one >= it
  LmdbResult<bool> next();
  LmdbResult<bool> first();
  Bytes key() const { return key_; }
  Bytes value() const { return value_; }
  // Writing: after find(key).
  LmdbResult<void> replace(Bytes key, Bytes value);
  LmdbResult<void> insert(Bytes key, Bytes value);
  LmdbResult<bool> insert_new(Bytes key, Bytes value);  // false: the key is there already
  // Behind every key there is.
  LmdbResult<void> append(Bytes key, Bytes value);

 private:
  friend class Transaction;
  explicit TreeCursor(MDB_cursor* cursor) : cursor_(cursor) {}
  LmdbResult<bool> get(Bytes key, int operation);
  LmdbResult<void> put(Bytes key, Bytes value, unsigned flags);

  MDB_cursor* cursor_ = nullptr;
  Bytes key_{}, value_{};
};

class Transaction {
 public:
  enum class Kind : std::uint8_t { kRead, kWrite };
  static LmdbResult<Transaction> begin(const Environment& environment, Kind kind);
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&& other) noexcept;
  ~Transaction();  // aborts what was not committed

  LmdbResult<std::optional<Bytes>> get(Tree tree, Bytes key) const;
  LmdbResult<void> put(Tree tree, Bytes key, Bytes value);
  LmdbResult<std::uint64_t> rows(Tree tree) const;
  LmdbResult<std::uint64_t> pages(Tree tree) const;  // that the tree is made of
  LmdbResult<TreeCursor> cursor(Tree tree) const;
  LmdbResult<void> commit();  // ends it, whatever comes of it

 private:
  Transaction(MDB_txn* txn, const Environment* environment)
      : txn_(txn), environment_(environment) {}

  MDB_txn* txn_ = nullptr;
  const Environment* environment_ = nullptr;
};

}  // namespace esdb::storage
