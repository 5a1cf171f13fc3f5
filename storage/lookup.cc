#include "storage/lookup.h"

#include <algorithm>
#include <utility>

#include "storage/check.h"
#include "storage/index_rows.h"
#include "storage/lookup_state.h"

namespace esdb::storage {

namespace {

using TailPart = Postings::Source::TailPart;

// The first position of the part >= the one given; 0: none.
Position seek_in(TailPart& part, Position at_or_after) {
  const std::uint64_t least = at_or_after.value <= part.base ? 0 : at_or_after.value - part.base;
  const std::uint32_t from = part.hint > 0 && part.view[part.hint - 1] < least ? part.hint : 0;
  part.hint = part.view.first_where(from, [&](std::uint32_t at) { return at >= least; });
  if (part.hint < part.view.count()) return {part.base + part.view[part.hint]};
  part.hint = part.view.count() - 1;
  return {};
}

// The last position of the part <= the one given; 0: none.
Position seek_back_in(TailPart& part, Position at_or_before) {
  if (at_or_before.value <= part.base) return {};
  const std::uint64_t most = at_or_before.value - part.base;
  const auto above = [&](std::uint32_t at) { return at > most; };
  std::uint32_t end = part.hint;  // the value there was found last, in a walk downwards
  const bool still = end > 0 && above(part.view[end]) && !above(part.view[end - 1]);
  if (!still) end = part.view.first_where(0, above);
  if (end == 0) return {};
  part.hint = end - 1;
  return {part.base + part.view[end - 1]};
}

LookupBound bound_of(const Log& log) {
  // In this order: the position covers at least what the frame does.
  LookupBound bound;
  bound.frame = log.covered_frame();
  bound.position = log.durable();
  return bound;
}

}  // namespace

Postings::Postings(std::unique_ptr<Source> source) : source_(std::move(source)) {}
Postings::Postings(Postings&&) noexcept = default;
Postings& Postings::operator=(Postings&&) noexcept = default;
Postings::~Postings() = default;

Result<Position> Postings::seek(Position at_or_after) {
  if (source_->indexed && source_->indexed->last() >= at_or_after.value)
    return source_->indexed->seek(at_or_after);
  for (auto& part : source_->tail) {
    const std::uint64_t last = part.base + part.view[part.view.count() - 1];
    if (last >= at_or_after.value) return seek_in(part, at_or_after);
  }
  return Position{};
}

Result<Position> Postings::seek_back(Position at_or_before) {
  for (auto part = source_->tail.rbegin(); part != source_->tail.rend(); ++part)
    if (const Position found = seek_back_in(*part, at_or_before)) return found;
  if (source_->indexed) return source_->indexed->seek_back(at_or_before);
  return Position{};
}

Result<Position> Postings::nth(std::uint64_t ordinal) {
  if (ordinal < source_->first_ordinal) return Position{};
  std::uint64_t index = ordinal - source_->first_ordinal;
  if (source_->indexed) {
    if (index < source_->indexed->count()) return source_->indexed->nth(ordinal);
    index -= source_->indexed->count();
  }
  for (const auto& part : source_->tail) {
    if (index < part.view.count())
      return Position{part.base + part.view[static_cast<std::uint32_t>(index)]};
    index -= part.view.count();
  }
  return Position{};
}

std::uint64_t Postings::count() const { return source_->count; }

Lookup::Lookup(std::unique_ptr<State> state) : state_(std::move(state)) {}
Lookup::Lookup(Lookup&&) noexcept = default;
Lookup& Lookup::operator=(Lookup&&) noexcept = default;
Lookup::~Lookup() = default;

Result<Lookup> Lookup::begin(const Log& log, const TailIndex& tail, Index* index) {
  return begin(bound_of(log), tail, index);
}

Result<Lookup> Lookup::begin(const LookupBound& bound, const TailIndex& tail, Index* index) {
  auto state = std::make_unique<State>();
  state->bound = bound;
  for (;;) {
    state->list = tail.generations();
    if (index == nullptr) return Lookup(std::move(state));
    if (auto ok = state->read(*index); !ok) return std::unexpected(ok.error());
    // What the index holds is durable, whatever was when the bound was loaded. What it holds a part
    // of must be in the list as a whole: where the index is ahead of that, both are taken again.
    const MetaRow& meta = (*state->index)->meta();
    if (meta.is_between_marks() && state->in_parts() == nullptr) {
      state->index.reset();  // nobody waits for the index with a transaction of it in hand
      continue;
    }
    const MarkRow& furthest = meta.furthest();
    state->is_beyond_list = furthest.last_position > state->bound.position.value;
    state->bound.frame = std::max(state->bound.frame, furthest.frame_number);
    state->bound.position = std::max(state->bound.position, Position{furthest.last_position});
    return Lookup(std::move(state));
  }
}

Result<Lookup> Lookup::begin_with_tail(const Log& log, const TailIndex& tail, Index* index) {
  return begin_with_tail(bound_of(log), tail, index);
}

Result<Lookup> Lookup::begin_with_tail(const LookupBound& bound, const TailIndex& tail,
                                       Index* index) {
  if (index != nullptr)
    if (auto failure = index->unreadable()) return std::unexpected(*std::move(failure));
  auto state = std::make_unique<State>();
  state->bound = bound;
  state->list = tail.generations();
  state->unread = index;
  return Lookup(std::move(state));
}

// Behind the generations: what was in one of them then and is not any more is in the index.
Result<void> Lookup::State::read(Index& from) {
  auto lease = from.read();
  if (!lease) return std::unexpected(lease.error());
  const auto frame = (*lease)->meta().mark.frame_number;
  // A generation is behind the index's mark as a whole or not at all.
  const auto first = std::ranges::find_if(*list, [&](const auto& generation) {
    return generation->begins_behind().frame_number >= frame;
  });
  ESDB_CHECK(first == list->end() || (*first)->begins_behind().frame_number == frame);
  indexed = static_cast<std::size_t>(first - list->begin());
  index.emplace(std::move(*lease));
  unread = nullptr;
  return {};
}

const Generation* Lookup::State::in_parts() const {
  const bool is = index && (*index)->meta().is_between_marks() && indexed < list->size();
  return is ? (*list)[indexed].get() : nullptr;
}

std::span<const std::shared_ptr<const Generation>> Lookup::State::generations(
    const TermRef& term) const {
  TermKey space;
  const bool is_past =
      in_parts() != nullptr && (*index)->meta().is_at_next(term_key(term.kind, term.text, space));
  return generations().subspan(is_past ? 1 : 0);
}

Lookup Lookup::writers_view(const Log& log, const TailIndex& tail) {
  auto state = std::make_unique<State>();
  state->bound = {.frame = ~std::uint64_t{0}, .position = log.written()};
  state->list = tail.writers_generations();
  return Lookup(std::move(state));
}

Position Lookup::position() const { return state_->bound.position; }
std::uint64_t Lookup::frame() const { return state_->bound.frame; }

Result<TermHead> Lookup::head(const TermRef& term) {
  TermHead head;
  // A stream's newest generation tells all of it; of any other term the parts are added up.
  if (term.kind != TermClass::kStream)
    if (auto ok = state_->read_when_needed(); !ok) return std::unexpected(ok.error());
  const auto generations = state_->generations(term);
  for (auto at = generations.rbegin(); at != generations.rend(); ++at) {
    const TermNode* node = (*at)->find(term);
    if (node == nullptr) continue;
    const auto [count, last] = (*at)->head(node->postings, state_->bound.position);
    if (count == 0) continue;
    if (!head.last) head.last = last;
    head.count += count;
    if (term.kind == TermClass::kStream) {  // versions count from the stream's first event
      head.count += node->first_version - 1;
      return head;
    }
  }
  if (auto ok = state_->read_when_needed(); !ok) return std::unexpected(ok.error());
  if (!state_->index) return head;
  TermRow row;
  auto found = (*state_->index)->find(term.kind, term.text, row);
  if (!found) return std::unexpected(found.error());
  if (!*found) return head;
  if (!head.last) head.last = {row.last()};
  head.count += row.count;
  return head;
}

void Lookup::prefetch_head(const TermRef& term, Prefetch what) const {
  for (const auto& generation : state_->generations()) generation->prefetch(term, what);
}

Result<Postings> Lookup::postings(const TermRef& term) {
  if (auto ok = state_->read_when_needed(); !ok) return std::unexpected(ok.error());
  auto source = std::make_unique<Postings::Source>();
  if (state_->index) {
    TermRow row;
    auto found = (*state_->index)->find(term.kind, term.text, row);
    if (!found) return std::unexpected(found.error());
    if (*found) {
      source->indexed.emplace(**state_->index, row);
      source->count = row.count;
    }
  }
  for (const auto& generation : state_->generations(term)) {
    const TermNode* node = generation->find(term);
    if (node == nullptr) continue;
    auto view = generation->view(node->postings, state_->bound.position);
    if (view.count() == 0) continue;
    if (source->count == 0 && term.kind == TermClass::kStream)
      source->first_ordinal = node->first_version;
    source->count += view.count();
    source->tail.push_back({.view = std::move(view), .base = generation->base()});
  }
  return Postings(std::move(source));
}

bool Lookup::tells_none_above(const TermRef& term, Position after) const {
  if (state_->is_beyond_list) return false;
  const auto& list = *state_->list;
  for (auto at = list.rbegin(); at != list.rend(); ++at) {
    if (const TermNode* node = (*at)->find(term))
      if (const Position last = (*at)->head(node->postings, state_->bound.position).last)
        return last <= after;
    if ((*at)->base() <= after.value) return true;
  }
  return false;
}

Result<std::uint64_t> Lookup::tracked(std::string_view source) {
  const auto generations = state_->generations();
  for (auto at = generations.rbegin(); at != generations.rend(); ++at)
    if (const SourceNode* node = (*at)->find_source(source))
      if (const auto position = node->up_to(state_->bound.frame)) return *position;
  if (auto ok = state_->read_when_needed(); !ok) return std::unexpected(ok.error());
  if (!state_->index) return std::uint64_t{0};
  auto found = (*state_->index)->tracked(source);
  if (!found) return std::unexpected(found.error());
  return found->value_or(0);
}

}  // namespace esdb::storage
