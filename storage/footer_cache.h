// FooterCache: footer blocks of sealed segments as they were read and found sound, the last so many
// of them, for all readers.
//
// To find one event takes some three blocks (which frame holds it, where it lies), and a block that
// is copied out of the page cache and checked again costs as much as the event itself.
//
// Threads: any.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>

#include "storage/footer.h"
#include "storage/recently_used.h"

namespace esdb::storage {

class FooterCache {
 public:
  explicit FooterCache(std::size_t blocks_max) : blocks_(blocks_max) {}

  // Null: not there.
  std::shared_ptr<const FooterBlock> find(FooterBlockPlace place);
  void add(FooterBlockPlace place, std::shared_ptr<const FooterBlock> block);
  void forget();  // all of them

 private:
  std::mutex mutex_;
  RecentlyUsed<std::shared_ptr<const FooterBlock>> blocks_;  // under mutex_
};

}  // namespace esdb::storage
