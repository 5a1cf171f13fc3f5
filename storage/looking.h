// Looking: what is in the store, without reading its events.
//
// Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "esdb/event_store.h"
#include "storage/prepare.h"

namespace esdb::storage {

struct PageRequest {
  std::string_view prefix{};
  std::string_view after{};
  std::size_t limit{};  // above kPageMax: kPageMax
};

Result<StreamInfo> stream_info(const Sources& sources, std::string_view stream);
Result<StreamPage> streams(const Sources& sources, const PageRequest& page);
Result<TermPage> terms(const Sources& sources, TermKind kind, const PageRequest& page);
Result<TrackingPage> tracking(const Sources& sources, const PageRequest& page);
Result<std::uint64_t> tracked(const Sources& sources, std::string_view source);
Result<std::uint64_t> count(const Sources& sources, const Query& query, Position after);
// What the log and its terms know of themselves: state, io and clock are the engine's to add.
Result<Statistics> statistics(const Sources& sources);

}  // namespace esdb::storage
