#include "storage/index_build.h"

#include <algorithm>

#include "storage/check.h"

namespace esdb::storage {

namespace {

constexpr std::size_t kEntryBytes = 16;    // what LMDB adds to a row
constexpr std::size_t kListBytes = 4'000;  // of one row; longer ones take several

std::unexpected<Error> failed(LmdbError error) {
  return std::unexpected(Error{.code = ErrorCode::kUnavailable,
                               .message = "building the index failed: " + to_string(error)});
}

std::unexpected<Error> twice() {
  return std::unexpected(Error{.code = ErrorCode::kUnavailable,
                               .message = "building the index failed: something came up twice"});
}

Result<void> checked(const LmdbResult<void>& result) {
  if (!result) return failed(result.error());
  return {};
}

}  // namespace

Result<std::unique_ptr<IndexBuild>> IndexBuild::begin(const std::string& directory,
                                                      std::uint64_t seed, std::size_t memory) {
  auto terms = SortedRuns::make(directory, seed, memory);
  if (!terms) return std::unexpected(terms.error());
  auto seconds = SortedRuns::make(directory, seed, memory);
  if (!seconds) return std::unexpected(seconds.error());
  return std::unique_ptr<IndexBuild>(
      new IndexBuild(*std::move(terms), *std::move(seconds), seed, memory));
}

// A list stands in a run as differences, the first one of a row from 0.
Result<void> IndexBuild::add(const Generation& generation) {
  ESDB_CHECK(stage_ == Stage::kGathers);
  const auto sorted = generation.sorted_terms();
  TermKey space;
  const auto add_row = [&](Bytes key) {
    auto added = terms_->add(key, value_);
    if (!added) terms_->abandon_run();
    return added;
  };
  for (std::size_t at = 0; at < sorted->size(); ++at) {
    prefetch_behind(*sorted, at);
    const TermNode& node = *(*sorted)[at];
    const Bytes key = term_key(node.kind, node.text(), space);
    const TailPostings::View view(node.postings);
    value_.clear();
    std::uint64_t before = 0;
    for (std::uint32_t i = 0; i < view.count(); ++i) {
      const std::uint64_t position = generation.base() + view[i];
      append_varint(position - before, value_);
      before = position;
      if (value_.size() < kListBytes || i + 1 == view.count()) continue;
      if (auto ok = add_row(key); !ok) return ok;
      value_.clear();
      before = 0;
    }
    if (auto ok = add_row(key); !ok) return ok;
  }
  auto ended = terms_->end_run();
  if (!ended) terms_->abandon_run();
  return ended;
}

Result<bool> IndexBuild::write(Transaction& transaction, MetaRow& meta, std::size_t dirty_bytes) {
  dirty_ = 0;
  dirty_max_ = dirty_bytes;
  if (stage_ == Stage::kGathers) {
    if (auto ok = terms_->begin_walk(); !ok) return std::unexpected(ok.error());
    stage_ = Stage::kTerms;
  }
  // Before anything is written: that the disk is full undoes nothing.
  if (waiting_.size() >= waiting_max_)
    if (auto ok = end_second_run(); !ok) return std::unexpected(ok.error());
  if (stage_ == Stage::kTerms && terms_->at_end() && key_.empty())
    if (auto ok = begin_seconds(); !ok) return std::unexpected(ok.error());
  if (stage_ == Stage::kTerms)
    if (auto ok = write_terms(transaction, meta); !ok) return std::unexpected(ok.error());
  if (stage_ == Stage::kSeconds)
    if (auto ok = write_seconds(transaction); !ok) return std::unexpected(ok.error());
  const bool is_all = stage_ == Stage::kSeconds && seconds_->at_end();
  if (is_all) meta.set_at(meta.mark);
  if (auto ok = put_meta(transaction, meta, seed_); !ok) return failed(ok.error());
  return is_all;
}

Result<void> IndexBuild::write_terms(Transaction& transaction, MetaRow& meta) {
  auto rows = transaction.cursor(Tree::kTerms);
  if (!rows) return failed(rows.error());
  auto chunks = transaction.cursor(Tree::kChunks);
  if (!chunks) return failed(chunks.error());
  for (; !terms_->at_end() && has_room();) {
    if (!std::ranges::equal(key_, terms_->key())) {
      if (auto ok = end_term(*rows, meta); !ok) return ok;
      const Bytes key = terms_->key();
      key_.assign(key.begin(), key.end());
      row_.number = meta.next_term++;
      row_.count = 0;
      row_.in_row = 0;
    }
    if (auto ok = add_list(*chunks); !ok) return ok;
    if (auto ok = terms_->next(); !ok) return ok;
  }
  if (!terms_->at_end()) return {};
  return end_term(*rows, meta);
}

Result<void> IndexBuild::begin_seconds() {
  if (auto ok = end_second_run(); !ok) return ok;
  std::vector<Second>().swap(waiting_);
  terms_.reset();
  if (auto ok = seconds_->begin_walk(); !ok) return ok;
  stage_ = Stage::kSeconds;
  return {};
}

Result<void> IndexBuild::add_list(TreeCursor& chunks) {
  std::uint64_t position = 0;
  for (Bytes list = terms_->value(); !list.empty();) {
    std::uint64_t difference = 0;
    ESDB_CHECK(take_varint(list, difference));
    position += difference;
    if (row_.in_row > 0 && position <= row_.last()) return twice();
    if (row_.in_row == kChunkPositions) {
      const auto key = chunk_key(row_.number, row_.chunks());
      write_chunk(key, row_.positions, seed_, value_);
      if (auto ok = checked(chunks.append(key, value_)); !ok) return ok;
      dirty_ += key.size() + value_.size() + kEntryBytes;
      row_.in_row = 0;
    }
    row_.positions[row_.in_row++] = position;
    ++row_.count;
    events_written_ += static_cast<TermClass>(key_.front()) == TermClass::kStream ? 1 : 0;
  }
  return {};
}

Result<void> IndexBuild::end_term(TreeCursor& rows, MetaRow& meta) {
  if (key_.empty()) return {};
  write_term_row(key_, row_, seed_, value_);
  if (auto ok = checked(rows.append(key_, value_)); !ok) return ok;
  dirty_ += key_.size() + value_.size() + kEntryBytes;
  const auto kind = static_cast<TermClass>(key_.front());
  const auto text = text_of(key_);
  ++(meta.*MetaRow::rows_of(kind, is_system(text)));
  waiting_.emplace_back(second_key(static_cast<char>(kind), text, seed_), row_.number);
  key_.clear();
  return {};
}

Result<void> IndexBuild::end_second_run() {
  std::ranges::sort(waiting_);
  const auto written = [&]() -> Result<void> {
    for (const auto& [key, number] : waiting_)
      if (auto ok = seconds_->add(key, second_row(number)); !ok) return ok;
    return seconds_->end_run();
  }();
  if (written)
    waiting_.clear();
  else
    seconds_->abandon_run();
  return written;
}

// Not appended: those of the tracked sources are there.
Result<void> IndexBuild::write_seconds(Transaction& transaction) {
  auto rows = transaction.cursor(Tree::kSeconds);
  if (!rows) return failed(rows.error());
  while (!seconds_->at_end() && has_room()) {
    auto inserted = rows->insert_new(seconds_->key(), seconds_->value());
    if (!inserted) return failed(inserted.error());
    if (!*inserted) return twice();
    dirty_ += seconds_->key().size() + seconds_->value().size() + kEntryBytes;
    if (auto ok = seconds_->next(); !ok) return ok;
  }
  return {};
}

}  // namespace esdb::storage
