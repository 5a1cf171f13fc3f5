#include "storage/index_commit.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "storage/check.h"

namespace esdb::storage {

namespace {

// Pages of a tree that is filled in no order are two thirds full.
constexpr double kFillShare = 1.5;
constexpr double kSecondBytes = 40;
constexpr double kRowBytes = 16;  // the least by which a row grows, or is

// Of the pages that so many rows make dirty, anywhere in a tree of so many, for each of them.
double dirty_bytes_each(std::uint64_t pages, std::size_t rows) {
  if (pages == 0 || rows == 0) return 0;
  const auto all = static_cast<double>(pages), each = static_cast<double>(rows);
  return all * (1 - std::exp(-each / all)) / each * kPageBytes;
}

Bytes key_of(const TermNode& node, TermKey& space) {
  return term_key(node.kind, node.text(), space);
}

}  // namespace

std::size_t terms_at_next(const MetaRow& meta, const std::vector<const TermNode*>& sorted) {
  const auto behind =
      std::ranges::partition_point(sorted, [&meta, space = TermKey{}](const auto* node) mutable {
        return meta.is_at_next(key_of(*node, space));
      });
  return static_cast<std::size_t>(behind - sorted.begin());
}

GenerationCommit::GenerationCommit(std::shared_ptr<const Generation> generation, std::uint64_t seed,
                                   IndexHealth& health)
    : generation_(std::move(generation)),
      seed_(seed),
      health_(health),
      sorted_(generation_->sorted_terms()),
      terms_(*sorted_) {}

std::size_t GenerationCommit::room(std::size_t dirty_bytes) const {
  // A row and a second entry each on a page of its own, and each of these split.
  const std::size_t all = (terms_.size() * 4 + 64) * kPageBytes + generation_->bytes();
  return std::min(all, dirty_bytes + dirty_bytes / 4 + 64 * kPageBytes);
}

Result<bool> GenerationCommit::write(Transaction& transaction, MetaRow& meta,
                                     std::size_t dirty_bytes) {
  ESDB_CHECK(dirty_bytes > 0);
  dirty_ = 0;
  dirty_max_ = static_cast<double>(dirty_bytes);
  if (!begun_)
    if (auto ok = begin(transaction, meta); !ok) return std::unexpected(ok.error());
  if (auto ok = write_seconds(transaction); !ok) return std::unexpected(ok.error());
  if (auto ok = write_terms(transaction, meta); !ok) return std::unexpected(ok.error());
  const bool is_all = next_second_ == seconds_.size() && next_term_ == terms_.size();
  if (is_all) {
    if (auto ok = finish(transaction, meta); !ok) return std::unexpected(ok.error());
  } else {
    TermKey space;
    const Bytes key = next_term_ == 0 ? Bytes{} : key_of(*terms_[next_term_ - 1], space);
    meta.set_between(to_row(generation_->end()), key);
  }
  if (auto ok = put_meta(transaction, meta, seed_); !ok) return failed(ok.error());
  return is_all;
}

Result<void> GenerationCommit::write_without_terms(Transaction& transaction, MetaRow& meta) {
  ESDB_CHECK(generation_->begins_behind().frame_number == meta.mark.frame_number);
  if (auto ok = write_epochs(transaction, meta); !ok) return ok;
  if (auto ok = finish(transaction, meta); !ok) return ok;
  return checked(put_meta(transaction, meta, seed_));
}

Result<void> GenerationCommit::begin(Transaction& transaction, MetaRow& meta) {
  ESDB_CHECK(generation_->begins_behind().frame_number == meta.mark.frame_number);
  ESDB_CHECK(!meta.is_between_marks() || meta.next.frame_number == generation_->end().frame_number);
  begun_ = true;
  if (auto ok = number_new_terms(transaction, meta); !ok) return ok;
  next_term_ = terms_at_next(meta, terms_);
  if (auto ok = estimate(transaction, meta); !ok) return failed(ok.error());
  return write_epochs(transaction, meta);
}

// Rows of a kind are taken to lie anywhere among those of their kind: tags and streams may be quite
// different, old and widely scattered the ones, new and all in one place the others.
LmdbResult<void> GenerationCommit::estimate(const Transaction& transaction, const MetaRow& meta) {
  const auto terms = transaction.pages(Tree::kTerms), seconds = transaction.pages(Tree::kSeconds);
  if (!terms) return std::unexpected(terms.error());
  if (!seconds) return std::unexpected(seconds.error());
  const auto all = meta.streams + meta.categories + meta.types + meta.tags;
  std::map<TermClass, std::size_t> here;
  for (const TermNode* node : terms_) ++here[node->kind];
  for (const auto& [kind, count] : here)
    dirty_of_term_[kind] =
        all == 0 ? 0 : dirty_bytes_each(*terms * meta.*MetaRow::rows_of(kind) / all, count);
  dirty_of_second_ = dirty_bytes_each(*seconds, seconds_.size()) + kSecondBytes * kFillShare;
  return {};
}

// A stream's first event tells that it is new; of the others the tree is asked. Numbers are given
// in the order of first appearance, so that they do not depend on where generations end.
Result<void> GenerationCommit::number_new_terms(Transaction& transaction, const MetaRow& meta) {
  auto cursor = transaction.cursor(Tree::kTerms);
  if (!cursor) return failed(cursor.error());
  numbers_.assign(generation_->term_count(), 0);
  for (std::size_t at = 0; at < terms_.size(); ++at) {
    prefetch_behind(terms_, at);
    const TermNode* node = terms_[at];
    std::uint64_t& number = numbers_[node->sequence];
    if (node->kind == TermClass::kStream) {
      number = node->first_version == 1;
      continue;
    }
    TermKey space;
    const Bytes key = key_of(*node, space);
    auto found = cursor->find(key);
    if (!found) return failed(found.error());
    number = !*found;
    if (!*found || !meta.is_at_next(key)) continue;
    // Its row may have been new in an earlier transaction.
    if (!read_term_row(key, cursor->value(), seed_, row_))
      return damaged("the row of " + std::string(node->text()));
    number = row_.number >= meta.next_term;
  }
  for (auto& number : numbers_)
    if (number != 0) number = meta.next_term + new_terms_++;
  seconds_.reserve(new_terms_);
  for (const TermNode* node : terms_)
    if (const auto number = numbers_[node->sequence]; number != 0)
      seconds_.emplace_back(second_key(static_cast<char>(node->kind), node->text(), seed_), number);
  std::ranges::sort(seconds_);
  return {};
}

// In the first transaction: an index that proves frames of an epoch has seen it.
Result<void> GenerationCommit::write_epochs(Transaction& transaction, MetaRow& meta) {
  auto cursor = transaction.cursor(Tree::kEpochs);
  if (!cursor) return failed(cursor.error());
  std::vector<Uuid> epochs(generation_->epochs().begin(), generation_->epochs().end());
  epochs.push_back(generation_->end().epoch_id);
  for (const Uuid& epoch : epochs) {
    const auto row = number_row(Tree::kEpochs, epoch, generation_->end().frame_number, seed_);
    auto inserted = cursor->insert_new(epoch, row);
    if (!inserted) return failed(inserted.error());
    meta.epochs += *inserted ? 1 : 0;
  }
  return {};
}

Result<void> GenerationCommit::write_seconds(Transaction& transaction) {
  auto cursor = transaction.cursor(Tree::kSeconds);
  if (!cursor) return failed(cursor.error());
  for (; next_second_ < seconds_.size() && has_room(); ++next_second_) {
    const auto& [key, number] = seconds_[next_second_];
    auto inserted = cursor->insert_new(key, second_row(number));
    if (!inserted) return failed(inserted.error());
    if (*inserted) {
      dirty_ += dirty_of_second_;
      continue;
    }
    // It may be from an earlier beginning, under the same number.
    auto found = cursor->find(key);
    if (!found) return failed(found.error());
    if (read_second_row(cursor->value()) != number) return damaged("a term's row is missing");
  }
  return {};
}

Result<void> GenerationCommit::write_terms(Transaction& transaction, MetaRow& meta) {
  auto cursor = transaction.cursor(Tree::kTerms);
  if (!cursor) return failed(cursor.error());
  chunks_.clear();
  chunk_bytes_.clear();
  for (; next_term_ < terms_.size() && has_room(); ++next_term_) {
    prefetch_behind(terms_, next_term_);
    const TermNode& node = *terms_[next_term_];
    auto ok = numbers_[node.sequence] != 0 ? add_term(*cursor, node, meta) : extend(*cursor, node);
    if (!ok) return ok;
    dirty_ += kRowBytes + dirty_of_term_[node.kind];
  }
  return write_chunks(transaction);
}

Result<void> GenerationCommit::add_term(TreeCursor& cursor, const TermNode& node, MetaRow& meta) {
  row_.number = numbers_[node.sequence];
  row_.count = 0;
  row_.in_row = 0;
  append_positions(node);
  TermKey space;
  const Bytes key = key_of(node, space);
  write_term_row(key, row_, seed_, value_);
  auto inserted = cursor.insert_new(key, value_);
  if (!inserted) return failed(inserted.error());
  if (!*inserted) return damaged("a row too many: " + std::string(node.text()));
  dirty_ += static_cast<double>(key.size() + value_.size()) * kFillShare;
  ++(meta.*MetaRow::rows_of(node.kind, is_system(node.text())));
  return {};
}

Result<void> GenerationCommit::extend(TreeCursor& cursor, const TermNode& node) {
  TermKey space;
  const Bytes key = key_of(node, space);
  auto found = cursor.find(key);
  if (!found) return failed(found.error());
  if (!*found) return damaged("the row of " + std::string(node.text()) + " is missing");
  const bool follows = read_term_row(key, cursor.value(), seed_, row_) &&
                       row_.last() <= generation_->base() &&
                       (node.kind != TermClass::kStream || row_.count + 1 == node.first_version);
  if (!follows) return damaged("the row of " + std::string(node.text()));
  append_positions(node);
  write_term_row(key, row_, seed_, value_);
  return checked(cursor.replace(key, value_));
}

void GenerationCommit::append_positions(const TermNode& node) {
  const TailPostings::View view(node.postings);
  for (std::uint32_t at = 0; at < view.count(); ++at) {
    if (row_.in_row == kChunkPositions) {
      add_chunk();
      row_.in_row = 0;
    }
    row_.positions[row_.in_row++] = generation_->base() + view[at];
    ++row_.count;
  }
}

// The full list of the row becomes its term's next chunk.
void GenerationCommit::add_chunk() {
  PendingChunk chunk;
  chunk.key = chunk_key(row_.number, static_cast<std::uint32_t>(row_.count / kChunkPositions - 1));
  write_chunk(chunk.key, row_.positions, seed_, value_);
  chunk.begin = static_cast<std::uint32_t>(chunk_bytes_.size());
  chunk.size = static_cast<std::uint32_t>(value_.size());
  chunk_bytes_.insert(chunk_bytes_.end(), value_.begin(), value_.end());
  // A term's first one lies on a page of its own, mostly; those behind it follow.
  const bool follows =
      !chunks_.empty() &&
      std::ranges::equal(std::span(chunks_.back().key).first(8), std::span(chunk.key).first(8));
  dirty_ += follows ? chunk.size * kFillShare : kPageBytes;
  chunks_.push_back(chunk);
}

Result<void> GenerationCommit::write_chunks(Transaction& transaction) {
  std::ranges::sort(chunks_, {}, &PendingChunk::key);
  auto cursor = transaction.cursor(Tree::kChunks);
  if (!cursor) return failed(cursor.error());
  for (const auto& chunk : chunks_) {
    auto inserted =
        cursor->insert_new(chunk.key, Bytes(chunk_bytes_).subspan(chunk.begin, chunk.size));
    if (!inserted) return failed(inserted.error());
    if (!*inserted) return damaged("a chunk too many");
  }
  return {};
}

Result<void> GenerationCommit::write_tracking(Transaction& transaction, MetaRow& meta) {
  auto cursor = transaction.cursor(Tree::kTracking);
  if (!cursor) return failed(cursor.error());
  for (const SourceNode* node : generation_->sources()) {
    const auto position = node->up_to(generation_->end().frame_number);
    ESDB_CHECK(position);
    const Bytes key = source_key(node->text());
    auto found = cursor->find(key);
    if (!found) return failed(found.error());
    if (!*found) {
      ++meta.sources;
      auto seconds = transaction.cursor(Tree::kSeconds);
      if (!seconds) return failed(seconds.error());
      auto inserted =
          seconds->insert_new(second_key(kSourceKind, node->text(), seed_), second_row(0));
      if (!inserted) return failed(inserted.error());
      if (!*inserted) return damaged("a tracking position is missing");
    }
    const NumberRow row = number_row(Tree::kTracking, key, *position, seed_);
    if (auto ok = checked(cursor->insert(key, row)); !ok) return ok;
  }
  return {};
}

Result<void> GenerationCommit::finish(Transaction& transaction, MetaRow& meta) {
  if (auto ok = write_tracking(transaction, meta); !ok) return ok;
  meta.system_events += generation_->system_events().count();
  meta.next_term += new_terms_;
  meta.set_at(to_row(generation_->end()));
  return {};
}

Result<void> GenerationCommit::checked(const LmdbResult<void>& result) {
  if (result) return {};
  return failed(result.error());
}

std::unexpected<Error> GenerationCommit::failed(LmdbError error) {
  if (error.is_damage()) return damaged(to_string(error));
  return std::unexpected(Error{.code = ErrorCode::kUnavailable,
                               .message = "writing the index failed: " + to_string(error)});
}

std::unexpected<Error> GenerationCommit::damaged(std::string_view what) {
  return std::unexpected(health_.damaged(what));
}

}  // namespace esdb::storage
