#include "bench/population.h"

#include <semaphore>

#include "esdb/event_store.h"

namespace esdb::bench {
namespace {

constexpr std::ptrdiff_t kInFlight = 16;
constexpr std::uint64_t kEventsOfAppend = 500;
// Far from the numbers of the long streams.
constexpr std::uint64_t kFirstShort = std::uint64_t{1} << 32;
// Odd, so that neighbours in the log have tags that are not neighbours.
constexpr std::uint64_t kTagStride = 7'919;

std::string_view type_of(std::uint64_t number) { return kTypes[number & 3]; }

}  // namespace

const std::string& Population::directory() {
  if (directory_.empty()) {
    directory_ = scratch_.path("store");
    fill();
  }
  return directory_;
}

void Population::fill() const {
  auto store = open(directory_).value();
  std::counting_semaphore<kInFlight> free(kInFlight);
  Author author({.events = kEventsOfAppend}, kSeed);
  // Whole rounds, so that every stream is as long as the others.
  const auto half = short_streams() * kShort;
  const auto long_half = long_streams() * kLong;
  std::uint64_t shorts = 0, longs = 0, number = 0;
  while (shorts < half || longs < long_half) {
    auto& request = author.next();
    for (auto& event : request.events) {
      const bool is_short = longs >= long_half || (shorts < half && (number & 1) == 0);
      event.stream = is_short ? stream_name(kFirstShort + shorts++ % short_streams())
                              : stream_name(longs++ % long_streams());
      event.tags.front().text = tag_text(number * kTagStride % tags());
      event.type = type_of(number / tags());
      ++number;
      if (shorts >= half && longs >= long_half) break;
    }
    if (shorts >= half && longs >= long_half)
      request.events.resize(number % kEventsOfAppend == 0 ? kEventsOfAppend
                                                          : number % kEventsOfAppend);
    free.acquire();
    store->append(EncodedAppend::encode(request).value(), {}, [&free](Result<Appended> appended) {
      appended.value();
      free.release();
    });
  }
  for (std::ptrdiff_t i = 0; i < kInFlight; ++i) free.acquire();
}

Query Population::short_stream(std::mt19937_64& random) const {
  return stream(stream_name(kFirstShort + random() % short_streams()));
}
Query Population::long_stream(std::mt19937_64& random) const {
  return stream(stream_name(random() % long_streams()));
}
Query Population::tag(std::mt19937_64& random) const {
  return tagged({Tag(tag_text(random() % tags()))});
}
Query Population::tag_and_type(std::mt19937_64& random) const {
  const auto type = std::string(type_of(random() >> 62));
  return types({type}).tagged({Tag(tag_text(random() % tags()))});
}

}  // namespace esdb::bench
