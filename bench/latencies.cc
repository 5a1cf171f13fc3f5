#include "bench/latencies.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <sstream>

namespace esdb::bench {
namespace {

constexpr unsigned kSubBits = 7;                                  // 128 buckets to a power of two
constexpr std::uint64_t kLongest = (std::uint64_t{1} << 40) - 1;  // ns: above 1,000 s

// Below 256 ns a bucket holds one value, above it 2^shift of them.
constexpr unsigned shift_of(std::uint64_t ns) {
  const auto width = static_cast<unsigned>(std::bit_width(ns));
  return width > kSubBits + 1 ? width - kSubBits - 1 : 0;
}
constexpr std::size_t bucket_of(std::uint64_t ns) {
  const auto shift = shift_of(ns);
  return (static_cast<std::size_t>(shift) << kSubBits) + static_cast<std::size_t>(ns >> shift);
}
constexpr std::size_t kBuckets = bucket_of(kLongest) + 1;

// The middle of a bucket.
constexpr std::uint64_t middle_of(std::size_t bucket) {
  constexpr std::size_t kFirstLinear = std::size_t{2} << kSubBits;
  if (bucket < kFirstLinear) return bucket;
  const auto shift = (bucket >> kSubBits) - 1;
  const auto low = (bucket - (shift << kSubBits)) << shift;
  return low + (std::uint64_t{1} << shift) / 2;
}
static_assert(bucket_of(255) == 255 && bucket_of(256) == 256 && bucket_of(511) == 383);
static_assert(bucket_of(middle_of(2'000)) == 2'000 && bucket_of(middle_of(300)) == 300);

}  // namespace

void Latencies::add(std::chrono::nanoseconds latency) {
  if (buckets_.empty()) buckets_.resize(kBuckets);
  const auto ns = std::clamp<std::uint64_t>(
      static_cast<std::uint64_t>(std::max<std::int64_t>(latency.count(), 0)), 0, kLongest);
  ++buckets_[bucket_of(ns)];
  min_ = count_ == 0 ? ns : std::min(min_, ns);
  max_ = std::max(max_, ns);
  ++count_;
}

void Latencies::merge(const Latencies& other) {
  if (other.count_ == 0) return;
  if (buckets_.empty()) buckets_.resize(kBuckets);
  for (std::size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  min_ = count_ == 0 ? other.min_ : std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  count_ += other.count_;
}

double Latencies::percentile(double share) const {
  if (count_ == 0) return 0;
  const auto rank = std::clamp<std::uint64_t>(
      static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_))), 1, count_);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    below += buckets_[i];
    if (below >= rank) return static_cast<double>(std::clamp(middle_of(i), min_, max_)) / 1000;
  }
  return max();
}

std::string Latencies::to_text() const {
  std::string text = std::to_string(min_) + " " + std::to_string(max_);
  for (std::size_t i = 0; i < buckets_.size(); ++i)
    if (buckets_[i] != 0)
      text.append(" ").append(std::to_string(i)).append(" ").append(std::to_string(buckets_[i]));
  return text;
}

Latencies Latencies::from_text(std::string_view text) {
  Latencies latencies;
  latencies.buckets_.resize(kBuckets);
  std::istringstream in{std::string(text)};
  in >> latencies.min_ >> latencies.max_;
  std::size_t bucket = 0;
  for (std::uint64_t count = 0; in >> bucket >> count;) {
    latencies.buckets_.at(bucket) += count;
    latencies.count_ += count;
  }
  return latencies;
}

}  // namespace esdb::bench
