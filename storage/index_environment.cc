#include "storage/index_environment.h"

#include <fcntl.h>
#include <lmdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "storage/paced_flush.h"
#include "storage/threads.h"

namespace esdb::storage {

namespace {

constexpr std::size_t kMapBytes = std::size_t{1} << 40;
constexpr std::size_t kMapBytesMin = std::size_t{1} << 30;
constexpr unsigned kReaders = 512;
constexpr unsigned kFilePermissions = 0600;
constexpr std::size_t kReserveStep = std::size_t{16} << 20;
constexpr unsigned kInterruptionsMax = 8;
constexpr std::array<const char*, kTrees> kTreeNames = {"terms",    "chunks", "seconds",
                                                        "tracking", "epochs", "meta"};

std::unexpected<LmdbError> failed(int number) { return std::unexpected(LmdbError{number}); }

LmdbResult<void> done(int number) {
  if (number != MDB_SUCCESS) return failed(number);
  return {};
}

MDB_val to_val(Bytes bytes) {
  return {.mv_size = bytes.size(), .mv_data = const_cast<std::byte*>(bytes.data())};
}

Bytes to_bytes(const MDB_val& val) {
  return {static_cast<const std::byte*>(val.mv_data), val.mv_size};
}

}  // namespace

bool LmdbError::is_damage() const {
  switch (number) {
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_PANIC:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
    case MDB_NOTFOUND:  // a tree that has to be there
    case MDB_CURSOR_FULL:
    case MDB_BAD_TXN:
    case MDB_BAD_VALSIZE:
    case EINVAL:
      return true;
    default:
      return false;
  }
}

std::string to_string(LmdbError error) {
  return std::string(mdb_strerror(error.number)) + " (" + std::to_string(error.number) + ")";
}

LmdbResult<std::unique_ptr<Environment>> Environment::open(const std::string& directory,
                                                           Mode mode) {
  std::unique_ptr<Environment> environment(new Environment);
  if (auto mapped = environment->map(directory, mode); !mapped)
    return std::unexpected(mapped.error());
  if (auto opened = environment->open_trees(mode); !opened) return std::unexpected(opened.error());
  return environment;
}

Environment::~Environment() {
  if (env_ != nullptr) mdb_env_close(env_);
}

LmdbResult<void> Environment::map(const std::string& directory, Mode mode) {
  const WithoutFileSizeSignal quiet;
  unsigned flags = MDB_NOTLS | MDB_NORDAHEAD;
  if (mode == Mode::kReadOnly) flags |= MDB_RDONLY | MDB_NOLOCK;
  if (mode == Mode::kBulk) flags |= MDB_NOSYNC;
  int number = ENOMEM;
  for (std::size_t bytes = kMapBytes; bytes >= kMapBytesMin && number == ENOMEM; bytes /= 2) {
    if (env_ != nullptr) mdb_env_close(env_);
    env_ = nullptr;
    if (number = mdb_env_create(&env_); number != MDB_SUCCESS) return failed(number);
    mdb_env_set_mapsize(env_, bytes);
    mdb_env_set_maxdbs(env_, kTrees);
    mdb_env_set_maxreaders(env_, kReaders);
    number = mdb_env_open(env_, directory.c_str(), flags, kFilePermissions);
  }
  if (number != MDB_SUCCESS) return failed(number);
  int fd = -1;
  mdb_env_get_fd(env_, &fd);
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  // A file that was cut would be found out by a SIGBUS.
  struct stat status {};
  if (::fstat(fd, &status) != 0) return failed(errno);
  if (static_cast<std::size_t>(status.st_size) < used_bytes()) return failed(MDB_CORRUPTED);
  return {};
}

LmdbResult<void> Environment::open_trees(Mode mode) {
  const WithoutFileSizeSignal quiet;
  const bool writes = mode != Mode::kReadOnly;
  MDB_txn* txn = nullptr;
  if (int number = mdb_txn_begin(env_, nullptr, writes ? 0 : MDB_RDONLY, &txn))
    return failed(number);
  for (std::size_t tree = 0; tree < kTrees; ++tree) {
    const int number = mdb_dbi_open(txn, kTreeNames[tree], writes ? MDB_CREATE : 0, &trees_[tree]);
    if (number == MDB_SUCCESS) continue;
    mdb_txn_abort(txn);
    return failed(number);
  }
  return done(mdb_txn_commit(txn));
}

LmdbResult<void> Environment::sync() {
  const PacedFlush paced;
  return done(mdb_env_sync(env_, 1));
}

std::size_t Environment::used_bytes() const {
  MDB_envinfo info{};
  MDB_stat stat{};
  mdb_env_info(env_, &info);
  mdb_env_stat(env_, &stat);
  return (info.me_last_pgno + 1) * stat.ms_psize;
}

LmdbResult<void> Environment::reserve(std::size_t bytes) {
  const WithoutFileSizeSignal quiet;
  const std::size_t used = used_bytes(), needed = used + bytes;
  if (needed <= reserved_) return {};
  const std::size_t reserved = (needed / kReserveStep + 1) * kReserveStep;
  int fd = -1;
  mdb_env_get_fd(env_, &fd);
  int result = -1;
  for (unsigned tries = 0; result != 0 && tries <= kInterruptionsMax; ++tries) {
    result = ::fallocate(fd, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(used),
                         static_cast<off_t>(reserved - used));
    if (result != 0 && errno != EINTR) break;
  }
  if (result != 0 && errno != EOPNOTSUPP) return failed(errno);
  reserved_ = reserved;
  return {};
}

TreeCursor::TreeCursor(TreeCursor&& other) noexcept
    : cursor_(std::exchange(other.cursor_, nullptr)), key_(other.key_), value_(other.value_) {}

TreeCursor& TreeCursor::operator=(TreeCursor&& other) noexcept {
  std::swap(cursor_, other.cursor_);
  key_ = other.key_;
  value_ = other.value_;
  return *this;
}

TreeCursor::~TreeCursor() {
  if (cursor_ != nullptr) mdb_cursor_close(cursor_);
}

LmdbResult<bool> TreeCursor::get(Bytes key, int operation) {
  MDB_val key_val = to_val(key), value_val{};
  const int number =
      mdb_cursor_get(cursor_, &key_val, &value_val, static_cast<MDB_cursor_op>(operation));
  if (number == MDB_NOTFOUND) return false;
  if (number != MDB_SUCCESS) return failed(number);
  key_ = to_bytes(key_val);
  value_ = to_bytes(value_val);
  return true;
}

LmdbResult<bool> TreeCursor::find(Bytes key) { return get(key, MDB_SET_KEY); }
LmdbResult<bool> TreeCursor::find_from(Bytes key) { return get(key, MDB_SET_RANGE); }
LmdbResult<bool> TreeCursor::next() { return get({}, MDB_NEXT); }
LmdbResult<bool> TreeCursor::first() { return get({}, MDB_FIRST); }

LmdbResult<void> TreeCursor::put(Bytes key, Bytes value, unsigned flags) {
  MDB_val key_val = to_val(key), value_val = to_val(value);
  return done(mdb_cursor_put(cursor_, &key_val, &value_val, flags));
}

LmdbResult<void> TreeCursor::replace(Bytes key, Bytes value) {
  return put(key, value, MDB_CURRENT);
}
LmdbResult<void> TreeCursor::insert(Bytes key, Bytes value) { return put(key, value, 0); }
LmdbResult<void> TreeCursor::append(Bytes key, Bytes value) { return put(key, value, MDB_APPEND); }

LmdbResult<bool> TreeCursor::insert_new(Bytes key, Bytes value) {
  auto result = put(key, value, MDB_NOOVERWRITE);
  if (!result && result.error().number == MDB_KEYEXIST) return false;
  if (!result) return std::unexpected(result.error());
  return true;
}

LmdbResult<Transaction> Transaction::begin(const Environment& environment, Kind kind) {
  MDB_txn* txn = nullptr;
  const unsigned flags = kind == Kind::kRead ? MDB_RDONLY : 0;
  if (int number = mdb_txn_begin(environment.env_, nullptr, flags, &txn)) return failed(number);
  return Transaction(txn, &environment);
}

Transaction::Transaction(Transaction&& other) noexcept
    : txn_(std::exchange(other.txn_, nullptr)), environment_(other.environment_) {}

Transaction& Transaction::operator=(Transaction&& other) noexcept {
  std::swap(txn_, other.txn_);
  std::swap(environment_, other.environment_);
  return *this;
}

Transaction::~Transaction() {
  if (txn_ != nullptr) mdb_txn_abort(txn_);
}

LmdbResult<std::optional<Bytes>> Transaction::get(Tree tree, Bytes key) const {
  MDB_val key_val = to_val(key), value_val{};
  const int number =
      mdb_get(txn_, environment_->trees_[static_cast<std::size_t>(tree)], &key_val, &value_val);
  if (number == MDB_NOTFOUND) return std::optional<Bytes>{};
  if (number != MDB_SUCCESS) return failed(number);
  return to_bytes(value_val);
}

LmdbResult<void> Transaction::put(Tree tree, Bytes key, Bytes value) {
  MDB_val key_val = to_val(key), value_val = to_val(value);
  return done(
      mdb_put(txn_, environment_->trees_[static_cast<std::size_t>(tree)], &key_val, &value_val, 0));
}

LmdbResult<std::uint64_t> Transaction::rows(Tree tree) const {
  MDB_stat stat{};
  const int number = mdb_stat(txn_, environment_->trees_[static_cast<std::size_t>(tree)], &stat);
  if (number != MDB_SUCCESS) return failed(number);
  return stat.ms_entries;
}

LmdbResult<std::uint64_t> Transaction::pages(Tree tree) const {
  MDB_stat stat{};
  const int number = mdb_stat(txn_, environment_->trees_[static_cast<std::size_t>(tree)], &stat);
  if (number != MDB_SUCCESS) return failed(number);
  return stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
}

LmdbResult<TreeCursor> Transaction::cursor(Tree tree) const {
  MDB_cursor* cursor = nullptr;
  const int number =
      mdb_cursor_open(txn_, environment_->trees_[static_cast<std::size_t>(tree)], &cursor);
  if (number != MDB_SUCCESS) return failed(number);
  return TreeCursor(cursor);
}

LmdbResult<void> Transaction::commit() {
  const WithoutFileSizeSignal quiet;
  const PacedFlush paced;
  return done(mdb_txn_commit(std::exchange(txn_, nullptr)));
}

}  // namespace esdb::storage
