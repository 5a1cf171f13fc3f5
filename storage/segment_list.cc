#include "storage/segment_list.h"

#include <algorithm>

#include "storage/check.h"
#include "storage/segment_file.h"

namespace esdb::storage {
namespace {

// The last segment whose number of this kind is not above `wanted`.
template <class Number>
std::size_t last_not_above(const std::vector<Segment>& segments, std::uint64_t wanted,
                           Number number) {
  ESDB_CHECK(!segments.empty());
  const auto behind = std::partition_point(
      segments.begin(), segments.end(),
      [wanted, number](const Segment& segment) { return number(segment) <= wanted; });
  return behind == segments.begin() ? 0 : static_cast<std::size_t>(behind - segments.begin()) - 1;
}

}  // namespace

Segment segment_of(std::shared_ptr<OpenSegment> open) {
  return {.number = open->number(),
          .first = open->before().last.value + 1,
          .first_frame = open->before().frame_number + 1,
          .open = open};
}

Segment segment_of(const FooterTail& tail) {
  return {.number = tail.segment,
          .first = tail.first_position,
          .first_frame = tail.first_frame,
          .sealed = std::make_shared<const FooterTail>(tail)};
}

std::size_t SegmentList::of_position(Position position) const {
  return last_not_above(segments, position.value,
                        [](const Segment& segment) { return segment.first.value; });
}

std::size_t SegmentList::of_frame(std::uint64_t frame_number) const {
  return last_not_above(segments, frame_number,
                        [](const Segment& segment) { return segment.first_frame; });
}

IoResult<std::shared_ptr<File>> FileCache::open(std::uint32_t number) {
  std::shared_ptr<File> closed;  // outside the lock
  std::lock_guard lock(mutex_);
  if (const auto* known = files_.find(number)) return *known;
  auto opened = io_.open(directory_ + "/" + segment_name(number), OpenMode::kRead);
  if (!opened) return std::unexpected(opened.error());
  const auto file = std::shared_ptr<File>(std::move(*opened));
  closed = files_.add(number, file);
  return file;
}

void FileCache::forget() {
  footers_.forget();
  RecentlyUsed<std::shared_ptr<File>> closed(0);  // outside the lock
  std::lock_guard lock(mutex_);
  closed = files_.take_all();
}

void FileCache::doubt_footer(std::uint32_t number) {
  std::lock_guard lock(mutex_);
  if (!hopeless_.contains(number)) doubted_.insert(number);
}

std::optional<std::uint32_t> FileCache::doubted_footer() const {
  std::lock_guard lock(mutex_);
  if (doubted_.empty()) return std::nullopt;
  return *doubted_.begin();
}

void FileCache::settle_doubt(std::uint32_t number, Settled how) {
  std::lock_guard lock(mutex_);
  doubted_.erase(number);
  if (how == Settled::kHopeless) hopeless_.insert(number);
}

}  // namespace esdb::storage
