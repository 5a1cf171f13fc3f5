#include "tools/bench_population.h"

#include <algorithm>

namespace esdb::tools {
namespace {

constexpr std::size_t kBytesMax = std::size_t{64} << 20;
constexpr std::size_t kAppendEventsMax = 500;
constexpr std::size_t kAroundData = 256;  // more than what an event is beside its data

// Of streams and tags that no load writes to.
constexpr std::uint64_t kFirstStream = 1'000'000, kFirstTag = 1'000'000;

constexpr std::size_t kStreamsOfTag = BenchPopulation::kOfTag / BenchPopulation::kOfStream;

}  // namespace

BenchPopulation::BenchPopulation(const bench::Shape& shape, std::size_t streams)
    : shape_(shape),
      streams_(std::min(streams, kBytesMax / (kOfStream * (shape.data_bytes + kAroundData)))) {
  streams_ = std::max(streams_ / kStreamsOfTag, std::size_t{1}) * kStreamsOfTag;
}

Result<std::uint64_t> BenchPopulation::fill(EventStore& store, std::size_t append_bytes,
                                            const std::stop_token& stop) const {
  auto shape = shape_;
  shape.events =
      std::clamp<std::size_t>(append_bytes / (shape.data_bytes + kAroundData), 1, kAppendEventsMax);
  bench::Author author(shape, bench::kSeed);
  std::uint64_t written = 0;
  for (const auto all = streams_ * kOfStream; written < all && !stop.stop_requested();) {
    auto& request = author.next();
    request.events.resize(std::min<std::size_t>(request.events.size(), all - written));
    for (auto& event : request.events) {
      event.stream = bench::stream_name(shape_, kFirstStream + written / kOfStream);
      event.tags.front() = Tag(bench::tag_text(shape_, kFirstTag + written / kOfTag));
      ++written;
    }
    if (const auto appended = store.append(request); !appended)
      return std::unexpected(appended.error());
  }
  return written;
}

Query BenchPopulation::stream_at_random(std::mt19937_64& random) const {
  return stream(bench::stream_name(shape_, kFirstStream + random() % streams_));
}

Query BenchPopulation::tag_at_random(std::mt19937_64& random) const {
  return tagged({Tag(bench::tag_text(shape_, kFirstTag + random() % (streams_ / kStreamsOfTag)))});
}

}  // namespace esdb::tools
