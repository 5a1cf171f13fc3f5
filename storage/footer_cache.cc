#include "storage/footer_cache.h"

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
  const auto* found = blocks_.find(key_of(place));
  return found != nullptr ? *found : nullptr;
}

void FooterCache::add(FooterBlockPlace place, std::shared_ptr<const FooterBlock> block) {
  std::shared_ptr<const FooterBlock> left_out;  // freed outside the lock
  const std::lock_guard lock(mutex_);
  left_out = blocks_.add(key_of(place), std::move(block));  // another reader may have been first
}

void FooterCache::forget() {
  const std::lock_guard lock(mutex_);
  blocks_.take_all();
}

}  // namespace esdb::storage
