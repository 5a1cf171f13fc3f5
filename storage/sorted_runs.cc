#include "storage/sorted_runs.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "storage/check.h"
#include "storage/hash.h"
#include "storage/io.h"
#include "storage/packed_positions.h"
#include "storage/posix_io.h"

namespace esdb::storage {

namespace {

constexpr std::size_t kHeaderBytes = 16;

std::unexpected<Error> failed(std::string_view what, int number) {
  const bool full = is_full(IoError{number});
  return std::unexpected(
      Error{.code = full ? ErrorCode::kDiskFull : ErrorCode::kUnavailable,
            .message = "sorting the index: " + std::string(what) +
                       " failed: " + std::error_code(number, std::generic_category()).message()});
}

std::uint64_t checksum_of(Bytes block, std::uint64_t seed, std::uint64_t offset) {
  return hash64(block.subspan(sizeof(std::uint64_t)), seed ^ offset);
}

void put(std::vector<std::byte>& block, std::size_t at, std::uint64_t number) {
  std::memcpy(block.data() + at, &number, sizeof(number));
}

std::uint64_t take(Bytes& rows) {
  std::uint64_t number = 0;
  ESDB_CHECK(take_varint(rows, number));
  return number;
}

Bytes take(Bytes& rows, std::size_t size) {
  const Bytes taken = rows.first(size);
  rows = rows.subspan(size);
  return taken;
}

}  // namespace

Result<std::unique_ptr<SortedRuns>> SortedRuns::make(const std::string& directory,
                                                     std::uint64_t seed, std::size_t memory) {
  std::string path = directory + "/sorting.XXXXXX";
  const int fd = ::mkostemp(path.data(), O_CLOEXEC);
  if (fd < 0) return failed("making a file in " + directory, errno);
  std::unique_ptr<SortedRuns> runs(new SortedRuns(fd, seed, memory));
  if (::unlink(path.c_str()) != 0) return failed("unlinking " + path, errno);
  return runs;
}

SortedRuns::SortedRuns(int fd, std::uint64_t seed, std::size_t memory)
    : fd_(fd),
      seed_(seed),
      block_bytes_(std::clamp(memory / 1'000, kBlockBytesLeast, kBlockBytesMost)) {}
SortedRuns::~SortedRuns() { ::close(fd_); }

// ---- writing

Result<void> SortedRuns::add(Bytes key, Bytes value) {
  ESDB_CHECK(last_key_.empty() || std::ranges::lexicographical_compare(last_key_, key) ||
             std::ranges::equal(last_key_, key));
  const bool is_first = block_.empty();
  if (is_first) block_.resize(kHeaderBytes);
  const auto shared = is_first ? 0 : std::ranges::mismatch(key, last_key_).in1 - key.begin();
  const Bytes rest = key.subspan(static_cast<std::size_t>(shared));
  append_varint(static_cast<std::uint64_t>(shared), block_);
  append_varint(rest.size(), block_);
  append_varint(value.size(), block_);
  block_.insert(block_.end(), rest.begin(), rest.end());
  block_.insert(block_.end(), value.begin(), value.end());
  last_key_.assign(key.begin(), key.end());
  if (block_.size() < block_bytes_) return {};
  return write_block();
}

Result<void> SortedRuns::write_block() {
  put(block_, sizeof(std::uint64_t), block_.size() - kHeaderBytes);
  put(block_, 0, checksum_of(block_, seed_, end_));
  if (auto written = write_all(fd_, end_, block_); !written)
    return failed("writing", written.error().number);
  run_.blocks.push_back(static_cast<std::uint32_t>(block_.size()));
  end_ += block_.size();
  block_.clear();
  return {};
}

Result<void> SortedRuns::end_run() {
  if (!block_.empty())
    if (auto ok = write_block(); !ok) return ok;
  if (!run_.blocks.empty()) runs_.push_back(std::move(run_));
  run_ = {.begin = end_};
  last_key_.clear();
  return {};
}

void SortedRuns::abandon_run() {
  block_.clear();
  end_ = run_.begin;
  run_ = {.begin = end_};
  last_key_.clear();
  // Where that fails, the room is taken until the file is gone.
  [[maybe_unused]] const auto cut = ::ftruncate(fd_, static_cast<off_t>(end_));
}

// ---- walking

Result<void> SortedRuns::begin_walk() {
  ESDB_CHECK(block_.empty() && run_.blocks.empty());
  std::vector<std::byte>().swap(block_);
  for (std::size_t run = 0; run < runs_.size(); ++run) {
    auto head = std::make_unique<Head>(Head{.run = run, .offset = runs_[run].begin});
    auto stands = step(*head);
    if (!stands) return std::unexpected(stands.error());
    ESDB_CHECK(*stands);
    heads_.push_back(std::move(head));
  }
  std::ranges::make_heap(heads_, [](const auto& a, const auto& b) { return precedes(*b, *a); });
  return {};
}

Result<void> SortedRuns::next() {
  auto stands = step(*heads_.front());
  if (!stands) return std::unexpected(stands.error());
  if (!*stands) {
    std::swap(heads_.front(), heads_.back());
    heads_.pop_back();
  }
  sink_front();
  return {};
}

Result<bool> SortedRuns::step(Head& head) {
  const bool is_first = head.rows.empty();
  if (is_first) {
    if (head.next_block == runs_[head.run].blocks.size()) return false;
    if (auto ok = load_block(head); !ok) return std::unexpected(ok.error());
    head.key.clear();
  }
  const auto shared = take(head.rows), rest = take(head.rows), value = take(head.rows);
  ESDB_CHECK(shared <= head.key.size() && rest + value <= head.rows.size());
  head.key.resize(shared);
  const Bytes text = take(head.rows, rest);
  head.key.insert(head.key.end(), text.begin(), text.end());
  head.value = take(head.rows, value);
  return true;
}

Result<void> SortedRuns::load_block(Head& head) {
  head.block.resize(runs_[head.run].blocks[head.next_block++]);
  const auto read = read_all(fd_, head.offset, head.block);
  if (!read) return failed("reading", read.error().number);
  if (*read != head.block.size()) return failed("reading", EIO);
  std::uint64_t checksum = 0;
  std::memcpy(&checksum, head.block.data(), sizeof(checksum));
  std::uint64_t size = 0;
  std::memcpy(&size, head.block.data() + sizeof(checksum), sizeof(size));
  if (checksum != checksum_of(head.block, seed_, head.offset) ||
      size != head.block.size() - kHeaderBytes)
    return std::unexpected(Error{.code = ErrorCode::kUnavailable,
                                 .message = "sorting the index: what was written was damaged"});
  head.offset += head.block.size();
  head.rows = Bytes(head.block).subspan(kHeaderBytes);
  return {};
}

bool SortedRuns::precedes(const Head& a, const Head& b) {
  const auto size = std::min(a.key.size(), b.key.size());
  const int order = std::memcmp(a.key.data(), b.key.data(), size);
  if (order != 0) return order < 0;
  if (a.key.size() != b.key.size()) return a.key.size() < b.key.size();
  return a.run < b.run;
}

// The heap again, after what stood in front has changed.
void SortedRuns::sink_front() {
  for (std::size_t at = 0;;) {
    std::size_t least = at * 2 + 1;
    if (least >= heads_.size()) return;
    if (least + 1 < heads_.size() && precedes(*heads_[least + 1], *heads_[least])) ++least;
    if (!precedes(*heads_[least], *heads_[at])) return;
    std::swap(heads_[least], heads_[at]);
    at = least;
  }
}

}  // namespace esdb::storage
