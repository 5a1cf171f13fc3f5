#include "esdb/event_store.h"

namespace esdb {

Result<Appended> EventStore::append(const AppendRequest& request, const CallOptions& call) {
  auto encoded = EncodedAppend::encode(request);
  if (!encoded) return std::unexpected(std::move(encoded.error()));
  return append(*std::move(encoded), call);
}

Result<Appended> EventStore::append(std::string_view stream, Expect expect,
                                    std::vector<NewEvent> events, const CallOptions& call) {
  AppendRequest request{.events = std::move(events)};
  for (auto& event : request.events)
    if (event.stream.empty()) event.stream = stream;
  if (expect.kind() != Expect::Kind::kAny)
    request.checks.push_back(Check::stream(std::string(stream), expect));
  return append(request, call);
}

Result<Appended> EventStore::append(std::string_view stream, NewEvent event,
                                    const CallOptions& call) {
  AppendRequest request;
  if (event.stream.empty()) event.stream = stream;
  request.events.push_back(std::move(event));
  return append(request, call);
}

}  // namespace esdb
