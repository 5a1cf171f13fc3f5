#include "storage/generation.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <functional>
#include <limits>
#include <new>
#include <span>
#include <tuple>

#include "storage/check.h"
#include "storage/hash.h"

namespace esdb::storage {

namespace {

std::uint64_t hash_of_source(std::string_view source) { return hash64(source, 0); }

// A term and sixteen bytes of its key (the kind, then the text) as a number that compares as they
// do. Sorting compares numbers that lie beside each other: the texts are all over memory.
struct Slice {
  std::uint64_t high{}, low{};
  const TermNode* node{};

  bool operator==(const Slice& other) const { return high == other.high && low == other.low; }
  bool operator<(const Slice& other) const {
    return high != other.high ? high < other.high : low < other.low;
  }
};

// Behind the end of a text there are zeros.
void load(Slice& slice, std::size_t from) {
  std::array<char, 16> bytes{};
  const std::string_view text = slice.node->text();
  if (from == 0) {
    bytes[0] = static_cast<char>(slice.node->kind);
    std::memcpy(bytes.data() + 1, text.data(), std::min(text.size(), bytes.size() - 1));
  } else if (from - 1 < text.size()) {
    std::memcpy(bytes.data(), text.data() + from - 1,
                std::min(text.size() - from + 1, bytes.size()));
  }
  const auto halves = std::bit_cast<std::array<std::uint64_t, 2>>(bytes);
  slice.high = std::byteswap(halves[0]);
  slice.low = std::byteswap(halves[1]);
}

// Those that do not differ in the bytes before `from`.
void sort_from(std::size_t from, std::span<Slice> slices) {
  for (Slice& slice : slices) load(slice, from);
  std::ranges::sort(slices, std::less<>{});
  const std::size_t next = from + 16;
  for (std::size_t begin = 0, end; begin < slices.size(); begin = end) {
    end = begin + 1;
    while (end < slices.size() && slices[end] == slices[begin]) ++end;
    // A text that is another's beginning, and zeros: with the shorter one first.
    const auto same = slices.subspan(begin, end - begin);
    const auto is_longer = [next](const Slice& slice) {
      return slice.node->text_bytes + std::size_t{1} > next;
    };
    if (same.size() == 1) continue;
    if (std::ranges::any_of(same, is_longer))
      sort_from(next, same);
    else
      std::ranges::sort(same, precedes, &Slice::node);
  }
}

const char* copy_text(ListArena& arena, std::string_view text) {
  auto* copy = static_cast<char*>(arena.allocate(text.size()));
  std::memcpy(copy, text.data(), text.size());
  return copy;
}

}  // namespace

void prefetch_behind(const std::vector<const TermNode*>& sorted, std::size_t at) {
  look_ahead(at, sorted.size(), [&](std::size_t i, Prefetch what) {
    __builtin_prefetch(what == Prefetch::kPointer ? static_cast<const void*>(sorted[i])
                                                  : sorted[i]->text_begin);
  });
}

bool precedes(const TermNode* a, const TermNode* b) {
  return std::tuple(a->kind, a->text()) < std::tuple(b->kind, b->text());
}

std::optional<std::uint64_t> SourceNode::up_to(std::uint64_t frame_number) const {
  const AppendList<TrackedAt, 1>::View view(values);
  const auto end = view.first_where(
      0, [&](const TrackedAt& value) { return value.frame_number > frame_number; });
  if (end == 0) return std::nullopt;
  return view[end - 1].position;
}

Generation::Generation(const FrameMark& begins_behind, std::size_t table_slots)
    : begins_behind_(begins_behind), end_(begins_behind), terms_(table_slots), sources_(16) {}

void Generation::add(const IndexedEvent& event) {
  terms_.prefetch_slot(event.stream.hash);
  const std::uint32_t at = distance(event.position);
  const bool system = is_system(event.stream.text);
  if (!system) {
    terms_.prefetch_slot(event.type.hash);
    for (const TermRef& tag : event.tags) terms_.prefetch_slot(tag.hash);
  }
  TermNode* stream = find_or_add(event.stream);
  if (const std::uint32_t count = stream->postings.count(); count == 0)
    stream->first_version = event.version.value;
  else
    ESDB_CHECK(stream->first_version + count == event.version.value);
  stream->postings.add(arena_, at);
  find_or_add(event.category)->postings.add(arena_, at);
  ++events_;
  if (system) {
    system_events_.add(arena_, at);
    return;
  }
  find_or_add(event.type)->postings.add(arena_, at);
  for (const TermRef& tag : event.tags) find_or_add(tag)->postings.add(arena_, at);
  if (event.version.value == 1) new_streams_.add(arena_, at);
}

void Generation::add_tracking(std::string_view source, std::uint64_t position) {
  const std::uint64_t hash = hash_of_source(source);
  auto* node = sources_.find(hash, [&](const SourceNode& other) { return other.text() == source; });
  if (node == nullptr) {
    node = new (arena_.allocate(sizeof(SourceNode)))
        SourceNode{.older = newest_source_.load(std::memory_order_relaxed),
                   .hash = hash,
                   .text_begin = copy_text(arena_, source),
                   .text_bytes = static_cast<std::uint16_t>(source.size())};
    newest_source_.store(node, std::memory_order_release);
    sources_.add(node);
  }
  node->newest = position;
  tracked_in_frame_.push_back(node);
}

void Generation::end_frame(const FrameMark& mark, std::size_t log_bytes) {
  log_bytes_.store(log_bytes_.load(std::memory_order_relaxed) + log_bytes,
                   std::memory_order_relaxed);
  ESDB_CHECK(mark.frame_number > end_.frame_number && mark.last >= end_.last);
  for (SourceNode* node : tracked_in_frame_) {
    const AppendList<TrackedAt, 1>::View view(node->values);
    const bool published =
        view.count() > 0 && view[view.count() - 1].frame_number == mark.frame_number;
    if (!published) node->values.add(arena_, {mark.frame_number, node->newest});
  }
  tracked_in_frame_.clear();
  end_ = mark;
}

std::optional<std::uint64_t> Generation::newest_tracked(std::string_view source) const {
  const SourceNode* node = find_source(source);
  if (node == nullptr) return std::nullopt;
  return node->newest;
}

const TermNode* Generation::find(const TermRef& term) const {
  return terms_.find(term.hash, [&](const TermNode& node) {
    return node.kind == term.kind && node.text() == term.text;
  });
}

void Generation::prefetch(const TermRef& term, Prefetch what) const {
  if (what == Prefetch::kPointer)
    terms_.prefetch_slot(term.hash);
  else
    terms_.prefetch_node(term.hash);
}

const SourceNode* Generation::find_source(std::string_view source) const {
  return sources_.find(hash_of_source(source),
                       [&](const SourceNode& node) { return node.text() == source; });
}

TermNode* Generation::find_or_add(const TermRef& term) {
  if (auto* node = terms_.find(term.hash, [&](const TermNode& other) {
        return other.kind == term.kind && other.text() == term.text;
      }))
    return node;
  auto* node = new (arena_.allocate(sizeof(TermNode)))
      TermNode{.older = newest_term_.load(std::memory_order_relaxed),
               .hash = term.hash,
               .text_begin = copy_text(arena_, term.text),
               .sequence = static_cast<std::uint32_t>(terms_.count()),
               .text_bytes = static_cast<std::uint16_t>(term.text.size()),
               .kind = term.kind};
  terms_.add(node);
  newest_term_.store(node, std::memory_order_release);
  return node;
}

std::uint32_t Generation::distance(Position position) const {
  const std::uint64_t distance = position.value - base();
  ESDB_CHECK(position.value > base() && distance <= std::numeric_limits<std::uint32_t>::max());
  return static_cast<std::uint32_t>(distance);
}

TailPostings::View Generation::view(const TailPostings& postings, Position bound) const {
  TailPostings::View view(postings);
  if (bound.value <= base()) {
    view.cut(0);
    return view;
  }
  const std::uint64_t highest = bound.value - base();
  if (view.count() == 0 || view[view.count() - 1] <= highest) return view;
  view.cut(view.first_where(0, [&](std::uint32_t at) { return at > highest; }));
  return view;
}

// Mostly everything lies below the bound, or all but the newest value.
Generation::Head Generation::head(const TailPostings& postings, Position bound) const {
  if (const std::uint32_t count = postings.count(); count > 0) {
    const Position last = base() + postings.last_of(count);
    if (last <= bound) return {.count = count, .last = last};
  }
  const auto below = view(postings, bound);
  if (below.count() == 0) return {};
  return {.count = below.count(), .last = base() + below[below.count() - 1]};
}

std::shared_ptr<const std::vector<const TermNode*>> Generation::sorted_terms() const {
  const std::lock_guard lock(sorted_mutex_);
  const TermNode* newest = newest_term_.load(std::memory_order_acquire);
  if (sorted_ != nullptr && newest == sorted_up_to_) return sorted_;
  auto sorted = std::make_shared<std::vector<const TermNode*>>();
  if (sorted_ != nullptr) *sorted = *sorted_;
  const auto old = static_cast<std::ptrdiff_t>(sorted->size());
  std::vector<Slice> added;
  if (newest != nullptr)
    added.reserve(newest->sequence + std::size_t{1} - static_cast<std::size_t>(old));
  for (const TermNode* node = newest; node != sorted_up_to_; node = node->older)
    added.push_back({.node = node});
  sort_from(0, added);
  for (const auto& slice : added) sorted->push_back(slice.node);
  std::inplace_merge(sorted->begin(), sorted->begin() + old, sorted->end(), precedes);
  sorted_ = std::move(sorted);
  sorted_up_to_ = newest;
  return sorted_;
}

std::vector<const SourceNode*> Generation::sources() const {
  std::vector<const SourceNode*> all;
  for (const auto* node = newest_source_.load(std::memory_order_acquire); node != nullptr;
       node = node->older)
    all.push_back(node);
  return all;
}

std::size_t Generation::bytes() const { return arena_.bytes() + terms_.bytes() + sources_.bytes(); }

}  // namespace esdb::storage
