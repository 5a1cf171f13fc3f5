#include "storage/index_reader.h"

#include <algorithm>
#include <utility>

#include "storage/check.h"

namespace esdb::storage {

Result<IndexReader> IndexReader::begin(const Environment& environment, IndexHealth& health,
                                       std::uint64_t seed) {
  if (health.is_damaged()) return std::unexpected(health.error());
  auto transaction = Transaction::begin(environment, Transaction::Kind::kRead);
  if (!transaction) {
    if (transaction.error().is_damage())
      return std::unexpected(health.damaged(to_string(transaction.error())));
    if (transaction.error().number > 0)  // an errno, not LMDB's: memory is short
      return std::unexpected(
          Error{.code = ErrorCode::kUnavailable,
                .message = "the index cannot be read just now: " + to_string(transaction.error())});
    return std::unexpected(
        Error{.code = ErrorCode::kOverloaded,
              .message = "too many reads at once: " + to_string(transaction.error())});
  }
  IndexReader reader(std::move(*transaction), health, seed);
  auto value = reader.transaction_.get(Tree::kMeta, meta_key());
  if (!value) return reader.failed(value.error());
  if (!*value) return reader.damaged("its meta row is missing");
  const auto meta = read_meta_row(**value, seed);
  if (!meta) return reader.damaged("its meta row");
  reader.meta_ = *meta;
  return reader;
}

std::unexpected<Error> IndexReader::damaged(std::string_view what) const {
  return std::unexpected(health_->damaged(what));
}

std::unexpected<Error> IndexReader::failed(LmdbError error) const {
  if (error.is_damage()) return damaged(to_string(error));
  return std::unexpected(Error{.code = ErrorCode::kUnavailable,
                               .message = "reading the index failed: " + to_string(error)});
}

Result<bool> IndexReader::find(TermClass kind, std::string_view text, TermRow& row) const {
  TermKey space;
  const Bytes key = term_key(kind, text, space);
  auto value = transaction_.get(Tree::kTerms, key);
  if (!value) return failed(value.error());
  if (*value) {
    if (!read_term_row(key, **value, seed_, row)) return damaged("the row of " + std::string(text));
    return true;
  }
  const SecondKey second = second_key(static_cast<char>(kind), text, seed_);
  auto elsewhere = transaction_.get(Tree::kSeconds, second);
  if (!elsewhere) return failed(elsewhere.error());
  if (!*elsewhere) return false;
  // Second entries of a generation that is written in parts come before its rows.
  const bool is_to_come = meta_.is_between_marks() && !meta_.is_at_next(key) &&
                          read_second_row(**elsewhere) >= meta_.next_term;
  if (is_to_come) return false;
  return damaged("the row of " + std::string(text) + " is missing");
}

Result<std::optional<std::uint64_t>> IndexReader::tracked(std::string_view source) const {
  const Bytes key = source_key(source);
  auto value = transaction_.get(Tree::kTracking, key);
  if (!value) return failed(value.error());
  if (*value) {
    const auto position = read_number_row(Tree::kTracking, key, **value, seed_);
    if (!position) return damaged("the tracking position of " + std::string(source));
    return position;
  }
  const SecondKey second = second_key(kSourceKind, source, seed_);
  auto elsewhere = transaction_.get(Tree::kSeconds, second);
  if (!elsewhere) return failed(elsewhere.error());
  if (*elsewhere) return damaged("the tracking position of " + std::string(source) + " is missing");
  return std::optional<std::uint64_t>{};
}

Result<bool> IndexReader::has_epoch(const Uuid& epoch_id) const {
  auto value = transaction_.get(Tree::kEpochs, epoch_id);
  if (!value) return failed(value.error());
  if (*value) {
    if (!read_number_row(Tree::kEpochs, epoch_id, **value, seed_)) return damaged("an epoch");
    return true;
  }
  // One that is missing through damage must not pass for one that was never seen.
  auto all = cursor(Tree::kEpochs);
  if (!all) return std::unexpected(all.error());
  std::uint64_t count = 0;
  auto found = all->first();
  for (; found && *found; found = all->next()) ++count;
  if (!found) return failed(found.error());
  if (count != meta_.epochs) return damaged("its list of epochs");
  return false;
}

Result<TreeCursor> IndexReader::cursor(Tree tree) const {
  auto made = transaction_.cursor(tree);
  if (!made) return failed(made.error());
  return std::move(*made);
}

Result<void> IndexedPostings::load(std::uint32_t chunk) {
  if (chunk == loaded_) return {};
  if (!cursor_) {
    auto made = reader_->cursor(Tree::kChunks);
    if (!made) return std::unexpected(made.error());
    cursor_.emplace(std::move(*made));
  }
  loaded_ = kNone;
  const ChunkKey key = chunk_key(row_.number, chunk);
  auto found = cursor_->find(key);
  if (!found) return reader_->failed(found.error());
  const auto named = [&] {
    return "chunk " + std::to_string(chunk) + " of term " + std::to_string(row_.number);
  };
  if (!*found) return reader_->damaged(named() + " is missing");
  if (!read_chunk(key, cursor_->value(), reader_->seed(), chunk_) ||
      chunk_.back() >= row_.positions[0])
    return reader_->damaged(named());
  loaded_ = chunk;
  return {};
}

Result<std::uint32_t> IndexedPostings::chunk_of(std::uint64_t position) {
  // Invariant: chunks below `low` end before the position, those from `high` on do not.
  std::uint32_t low = 0, high = row_.chunks();
  const auto look = [&](std::uint32_t chunk) -> Result<void> {
    if (auto loaded = load(chunk); !loaded) return loaded;
    if (chunk_.back() < position)
      low = chunk + 1;
    else
      high = chunk;
    return {};
  };
  if (loaded_ != kNone) {
    if (chunk_.front() <= position && position <= chunk_.back()) return loaded_;
    if (auto looked = look(loaded_); !looked) return std::unexpected(looked.error());
  } else if (position <= 1) {
    return 0;
  }
  // Near the end of what is left, or near the one read last: in steps that double.
  const bool upwards = low > 0;
  for (std::uint32_t step = 1; low < high; step *= 2) {
    const std::uint32_t distance = std::min(step, high - low);
    const std::uint32_t old_low = low, old_high = high;
    if (auto looked = look(upwards ? low + distance - 1 : high - distance); !looked)
      return std::unexpected(looked.error());
    const bool passed = upwards ? high != old_high : low != old_low;
    if (passed) break;
  }
  while (low < high)
    if (auto looked = look(low + (high - low) / 2); !looked) return std::unexpected(looked.error());
  return low;
}

Result<Position> IndexedPostings::seek(Position at_or_after) {
  const std::uint64_t position = at_or_after.value;
  if (position > row_.last()) return Position{};
  const auto first_in = [&](std::span<const std::uint64_t> list) {
    return Position{*std::ranges::lower_bound(list, position)};
  };
  if (position >= row_.positions[0] || row_.chunks() == 0) return first_in(row_.listed());
  auto chunk = chunk_of(position);
  if (!chunk) return std::unexpected(chunk.error());
  if (*chunk == row_.chunks()) return Position{row_.positions[0]};
  if (auto loaded = load(*chunk); !loaded) return std::unexpected(loaded.error());
  return first_in(chunk_);
}

Result<Position> IndexedPostings::seek_back(Position at_or_before) {
  const std::uint64_t position = at_or_before.value;
  if (position >= row_.positions[0])
    return Position{std::ranges::upper_bound(row_.listed(), position)[-1]};
  if (row_.chunks() == 0) return Position{};
  auto chunk = chunk_of(position);
  if (!chunk) return std::unexpected(chunk.error());
  if (*chunk < row_.chunks()) {
    if (auto loaded = load(*chunk); !loaded) return std::unexpected(loaded.error());
    if (chunk_.front() <= position) return Position{std::ranges::upper_bound(chunk_, position)[-1]};
  }
  if (*chunk == 0) return Position{};
  if (auto loaded = load(*chunk - 1); !loaded) return std::unexpected(loaded.error());
  if (chunk_.back() > position) return reader_->damaged("chunks out of order");
  return Position{chunk_.back()};
}

Result<Position> IndexedPostings::nth(std::uint64_t ordinal) {
  if (ordinal == 0 || ordinal > row_.count) return Position{};
  const auto chunk = static_cast<std::uint32_t>((ordinal - 1) / kChunkPositions);
  const std::size_t at = (ordinal - 1) % kChunkPositions;
  if (chunk == row_.chunks()) return Position{row_.positions[at]};
  if (auto loaded = load(chunk); !loaded) return std::unexpected(loaded.error());
  return Position{chunk_[at]};
}

Result<IndexedTerms> IndexedTerms::begin(const IndexReader& reader, TermClass kind,
                                         std::string_view from, From where) {
  auto cursor = reader.cursor(Tree::kTerms);
  if (!cursor) return std::unexpected(cursor.error());
  IndexedTerms terms(reader, kind, std::move(*cursor));
  TermKey space;
  auto found = terms.cursor_.find_from(term_key(kind, from, space));
  if (!found) return reader.failed(found.error());
  if (auto taken = terms.take(*found); !taken) return std::unexpected(taken.error());
  if (where == From::kBehind && !terms.at_end_ && terms.text_ == from)
    if (auto next = terms.next(); !next) return std::unexpected(next.error());
  return terms;
}

Result<void> IndexedTerms::take(bool found) {
  const Bytes key = cursor_.key();
  if (!found || key.empty() || key[0] != static_cast<std::byte>(kind_)) {
    at_end_ = true;
    return {};
  }
  if (!read_term_row(key, cursor_.value(), reader_->seed(), row_))
    return reader_->damaged("the row of " + std::string(storage::text_of(key)));
  text_ = storage::text_of(key);
  return {};
}

Result<void> IndexedTerms::next() {
  const std::string before = text_;
  auto found = cursor_.next();
  if (!found) return reader_->failed(found.error());
  if (auto taken = take(*found); !taken) return taken;
  if (!at_end_ && text_ <= before) return reader_->damaged("terms out of order");
  return {};
}

Result<std::vector<std::pair<std::string, std::uint64_t>>> tracked_sources(
    const IndexReader& reader, std::string_view prefix, std::string_view after, std::size_t limit) {
  std::vector<std::pair<std::string, std::uint64_t>> sources;
  auto cursor = reader.cursor(Tree::kTracking);
  if (!cursor) return std::unexpected(cursor.error());
  const std::string_view from = std::max(prefix, after);
  auto found = from.empty() ? cursor->first() : cursor->find_from(source_key(from));
  for (; found && *found && sources.size() < limit; found = cursor->next()) {
    const Bytes key = cursor->key();
    const std::string_view source(reinterpret_cast<const char*>(key.data()), key.size());
    if (!source.starts_with(prefix)) break;
    if (source <= after) continue;
    const auto position = read_number_row(Tree::kTracking, key, cursor->value(), reader.seed());
    if (!position) return reader.damaged("the tracking position of " + std::string(source));
    sources.emplace_back(source, *position);
  }
  if (!found) return reader.failed(found.error());
  return sources;
}

}  // namespace esdb::storage
