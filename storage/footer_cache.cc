#include "storage/footer_cache.h"

#include <iterator>
#include <utility>

namespace esdb::storage {
namespace {

constexpr std::uint64_t kSectorBytes = 512;  // blocks begin on one at least

std::uint64_t key_of(FooterBlockPlace place) {
  return std::uint64_t{place.segment} << 32 | place.offset / kSectorBytes;
}

}  // namespace

std::shared_ptr<const FooterBlock> FooterCache::find(FooterBlockPlace place) {
  const std::lock_guard lock(mutex_);
  const auto found = places_.find(key_of(place));
  if (found == places_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->block;
}

void FooterCache::add(FooterBlockPlace place, std::shared_ptr<const FooterBlock> block) {
  if (blocks_max_ == 0) return;
  std::shared_ptr<const FooterBlock> oldest;  // freed outside the lock
  const std::lock_guard lock(mutex_);
  const auto key = key_of(place);
  if (places_.contains(key)) return;  // another reader was first
  if (entries_.size() < blocks_max_) {
    entries_.push_front({key, std::move(block)});
  } else {  // the one not used for longest gives its entry
    entries_.splice(entries_.begin(), entries_, std::prev(entries_.end()));
    places_.erase(entries_.front().key);
    oldest = std::exchange(entries_.front().block, std::move(block));
    entries_.front().key = key;
  }
  places_.emplace(key, entries_.begin());
}

void FooterCache::forget() {
  const std::lock_guard lock(mutex_);
  places_.clear();
  entries_.clear();
}

}  // namespace esdb::storage
