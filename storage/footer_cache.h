// FooterCache: footer blocks of sealed segments as they were read and found sound, the last so many
// of them, for all readers.
//
// To find one event takes some three blocks (which frame holds it, where it lies), and a block that
// is copied out of the page cache and checked again costs as much as the event itself.
//
// Threads: any.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "storage/footer.h"

namespace esdb::storage {

class FooterCache {
 public:
  explicit FooterCache(std::size_t blocks_max) : blocks_max_(blocks_max) {}

  // Null: not there.
  std::shared_ptr<const FooterBlock> find(FooterBlockPlace place);
  void add(FooterBlockPlace place, std::shared_ptr<const FooterBlock> block);
  void forget();  // all of them

 private:
  struct Entry {
    std::uint64_t key{};
    std::shared_ptr<const FooterBlock> block{};
  };
  const std::size_t blocks_max_;
  std::mutex mutex_;
  std::list<Entry> entries_{};  // the newest use first
  std::unordered_map<std::uint64_t, std::list<Entry>::iterator>
      places_{};  // under mutex_, as above
};

}  // namespace esdb::storage
