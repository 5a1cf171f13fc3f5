#include "storage/gathered_reads.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "storage/check.h"

namespace esdb::storage {

GatheredReads::Answer GatheredReads::take(std::uint32_t segment, const std::shared_ptr<File>& file,
                                          std::uint64_t offset, std::span<std::byte> into) {
  const auto known = pieces_.find({segment, offset});
  if (known == pieces_.end() && file->read_at_hand(offset, into)) return Answer::kHere;
  auto& piece = known == pieces_.end() ? pieces_[{segment, offset}] : known->second;
  if (piece.state == Piece::State::kFailed) return Answer::kAlone;
  if (piece.state == Piece::State::kHere && piece.size >= into.size()) {
    std::memcpy(into.data(), piece.bytes.get(), into.size());
    return Answer::kHere;
  }
  missed_ = true;
  const bool is_noted = piece.bytes && piece.state == Piece::State::kNoted;
  if (is_noted && piece.size >= into.size()) return Answer::kMissed;
  if (!is_noted) noted_.push_back(&piece);
  piece.file = file;
  piece.offset = offset;
  piece.size = into.size();
  piece.bytes = std::make_unique_for_overwrite<std::byte[]>(piece.size);
  piece.state = Piece::State::kNoted;
  return Answer::kMissed;
}

bool GatheredReads::fetch() {
  if (noted_.empty()) return false;
  for (std::size_t from = 0; from < noted_.size();) {
    const auto count = in_flight_.begin(noted_.size() - from);
    read_noted(from, count);
    in_flight_.end(count);
    from += count;
  }
  noted_.clear();
  return true;
}

void GatheredReads::read_noted(std::size_t from, std::size_t count) {
  for (std::size_t i = from; i < from + count; ++i) {
    auto& piece = *noted_[i];
    ring_.read(*piece.file, piece.offset, {piece.bytes.get(), piece.size}, i);
  }
  ring_.submit();
  std::array<Ring::Done, 8> done;
  for (std::size_t left = count; left > 0;) {
    ESDB_CHECK(ring_.wait());
    const auto reaped = ring_.reap(done);
    ESDB_CHECK(reaped <= left);
    left -= reaped;
    for (std::size_t i = 0; i < reaped; ++i) {
      auto& piece = *noted_[done[i].token];
      const bool whole = done[i].result == static_cast<std::int64_t>(piece.size);
      piece.state = whole ? Piece::State::kHere : Piece::State::kFailed;
    }
  }
}

std::size_t ReadsInFlight::begin(std::size_t wanted) {
  std::unique_lock lock(mutex_);
  std::size_t may_be = 0;  // asked once: an append may come between
  ended_.wait(lock, [&] { return count_ < (may_be = most()); });
  const auto count = std::min(wanted, may_be - count_);
  count_ += count;
  if (beside_appends_.load(std::memory_order_relaxed) > 0)
    beside_appends_.fetch_sub(1, std::memory_order_relaxed);
  return count;
}

std::size_t ReadsInFlight::most() const {
  const bool beside = beside_appends_.load(std::memory_order_relaxed) > 0;
  return beside ? std::min(kReadsBesideAppends, most_) : most_;
}

void ReadsInFlight::end(std::size_t count) {
  {
    const std::lock_guard lock(mutex_);
    ESDB_CHECK(count <= count_);
    count_ -= count;
  }
  ended_.notify_all();
}

std::unique_ptr<Ring> RingPool::take() {
  {
    const std::lock_guard lock(mutex_);
    if (none_) return nullptr;
    if (!free_.empty()) {
      auto ring = std::move(free_.back());
      free_.pop_back();
      return ring;
    }
  }
  auto made = io_.make_ring(kReadsAtOnce, -1);
  if (made) return std::move(*made);
  const std::lock_guard lock(mutex_);
  none_ = !is_passing(made.error());
  return nullptr;
}

void RingPool::put_back(std::unique_ptr<Ring> ring) {
  const std::lock_guard lock(mutex_);
  free_.push_back(std::move(ring));
}

}  // namespace esdb::storage
