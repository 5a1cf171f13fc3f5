#include "storage/index_commit.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "storage/check.h"

namespace esdb::storage {

namespace {

// Terms in the order of their keys, because neighbours share pages; chunks and second entries are
// collected and then written in the order of theirs.
class GenerationWriter {
 public:
  GenerationWriter(Transaction& transaction, const Generation& generation, MetaRow& meta,
                   std::uint64_t seed, IndexHealth& health)
      : transaction_(transaction),
        generation_(generation),
        meta_(meta),
        seed_(seed),
        health_(health),
        sorted_(generation.sorted_terms()),
        terms_(*sorted_) {}

  Result<void> write() {
    if (auto ok = number_new_terms(); !ok) return ok;
    if (auto ok = write_terms(); !ok) return ok;
    if (auto ok = write_chunks(); !ok) return ok;
    if (auto ok = write_tracking(); !ok) return ok;
    if (auto ok = write_seconds(); !ok) return ok;
    if (auto ok = write_epochs(); !ok) return ok;
    meta_.system_events += generation_.system_events().count();
    set_mark(meta_, generation_.end());
    seal(meta_, seed_);
    return checked(transaction_.put(Tree::kMeta, meta_key(), bytes_of(meta_)));
  }

 private:
  struct PendingChunk {
    ChunkKey key;
    std::uint32_t begin, size;  // in chunk_bytes_
  };

  Result<void> checked(const LmdbResult<void>& result) {
    if (result) return {};
    return failed(result.error());
  }
  std::unexpected<Error> failed(LmdbError error) {
    if (error.is_damage()) return damaged(to_string(error));
    return std::unexpected(Error{.code = ErrorCode::kUnavailable,
                                 .message = "writing the index failed: " + to_string(error)});
  }
  std::unexpected<Error> damaged(std::string_view what) {
    return std::unexpected(health_.damaged(what));
  }

  // A stream's first event tells that it is new; of the others the tree is asked. Numbers are given
  // in the order of first appearance, so that they do not depend on where generations end.
  Result<void> number_new_terms() {
    auto cursor = transaction_.cursor(Tree::kTerms);
    if (!cursor) return failed(cursor.error());
    numbers_.assign(generation_.term_count(), 0);
    for (const TermNode* node : terms_) {
      TermKey space;
      if (node->kind == TermClass::kStream) {
        numbers_[node->sequence] = node->first_version == 1;
        continue;
      }
      auto found = cursor->find(term_key(node->kind, node->text(), space));
      if (!found) return failed(found.error());
      numbers_[node->sequence] = !*found;
    }
    for (auto& number : numbers_)
      if (number != 0) number = meta_.next_term++;
    return {};
  }

  Result<void> write_terms() {
    auto cursor = transaction_.cursor(Tree::kTerms);
    if (!cursor) return failed(cursor.error());
    for (const TermNode* node : terms_) {
      auto ok = numbers_[node->sequence] != 0 ? add_term(*cursor, *node) : extend(*cursor, *node);
      if (!ok) return ok;
    }
    return {};
  }

  Result<void> add_term(TreeCursor& cursor, const TermNode& node) {
    row_.number = numbers_[node.sequence];
    row_.count = 0;
    row_.in_row = 0;
    append_positions(node);
    TermKey space;
    const Bytes key = term_key(node.kind, node.text(), space);
    write_term_row(key, row_, seed_, value_);
    auto inserted = cursor.insert_new(key, value_);
    if (!inserted) return failed(inserted.error());
    if (!*inserted) return damaged("a row too many: " + std::string(node.text()));
    seconds_.emplace_back(second_key(static_cast<char>(node.kind), node.text(), seed_),
                          row_.number);
    ++counter_of(node);
    return {};
  }

  Result<void> extend(TreeCursor& cursor, const TermNode& node) {
    TermKey space;
    const Bytes key = term_key(node.kind, node.text(), space);
    auto found = cursor.find(key);
    if (!found) return failed(found.error());
    if (!*found) return damaged("the row of " + std::string(node.text()) + " is missing");
    const bool follows = read_term_row(key, cursor.value(), seed_, row_) &&
                         row_.last() <= generation_.base() &&
                         (node.kind != TermClass::kStream || row_.count + 1 == node.first_version);
    if (!follows) return damaged("the row of " + std::string(node.text()));
    append_positions(node);
    write_term_row(key, row_, seed_, value_);
    return checked(cursor.replace(key, value_));
  }

  void append_positions(const TermNode& node) {
    const TailPostings::View view(node.postings);
    for (std::uint32_t at = 0; at < view.count(); ++at) {
      if (row_.in_row == kChunkPositions) {
        add_chunk();
        row_.in_row = 0;
      }
      row_.positions[row_.in_row++] = generation_.base() + view[at];
      ++row_.count;
    }
  }

  // The full list of the row becomes its term's next chunk.
  void add_chunk() {
    PendingChunk chunk;
    chunk.key =
        chunk_key(row_.number, static_cast<std::uint32_t>(row_.count / kChunkPositions - 1));
    write_chunk(chunk.key, row_.positions, seed_, value_);
    chunk.begin = static_cast<std::uint32_t>(chunk_bytes_.size());
    chunk.size = static_cast<std::uint32_t>(value_.size());
    chunk_bytes_.insert(chunk_bytes_.end(), value_.begin(), value_.end());
    chunks_.push_back(chunk);
  }

  Result<void> write_chunks() {
    std::ranges::sort(chunks_, {}, &PendingChunk::key);
    auto cursor = transaction_.cursor(Tree::kChunks);
    if (!cursor) return failed(cursor.error());
    for (const auto& chunk : chunks_) {
      auto inserted =
          cursor->insert_new(chunk.key, Bytes(chunk_bytes_).subspan(chunk.begin, chunk.size));
      if (!inserted) return failed(inserted.error());
      if (!*inserted) return damaged("a chunk too many");
    }
    return {};
  }

  Result<void> write_tracking() {
    auto cursor = transaction_.cursor(Tree::kTracking);
    if (!cursor) return failed(cursor.error());
    for (const SourceNode* node : generation_.sources()) {
      const auto position = node->up_to(generation_.end().frame_number);
      ESDB_CHECK(position);
      const Bytes key = source_key(node->text());
      const NumberRow row = number_row(Tree::kTracking, key, *position, seed_);
      auto found = cursor->find(key);
      if (!found) return failed(found.error());
      if (!*found) {
        ++meta_.sources;
        seconds_.emplace_back(second_key(kSourceKind, node->text(), seed_), 0);
      }
      if (auto ok = checked(cursor->insert(key, row)); !ok) return ok;
    }
    return {};
  }

  Result<void> write_seconds() {
    std::ranges::sort(seconds_);
    auto cursor = transaction_.cursor(Tree::kSeconds);
    if (!cursor) return failed(cursor.error());
    for (const auto& [key, number] : seconds_) {
      auto inserted = cursor->insert_new(key, second_row(number));
      if (!inserted) return failed(inserted.error());
      if (!*inserted) return damaged("a term's row is missing");
    }
    return {};
  }

  Result<void> write_epochs() {
    auto cursor = transaction_.cursor(Tree::kEpochs);
    if (!cursor) return failed(cursor.error());
    std::vector<Uuid> epochs(generation_.epochs().begin(), generation_.epochs().end());
    epochs.push_back(generation_.end().epoch_id);
    for (const Uuid& epoch : epochs) {
      const auto row = number_row(Tree::kEpochs, epoch, generation_.end().frame_number, seed_);
      auto inserted = cursor->insert_new(epoch, row);
      if (!inserted) return failed(inserted.error());
      meta_.epochs += *inserted ? 1 : 0;
    }
    return {};
  }

  std::uint64_t& counter_of(const TermNode& node) {
    switch (node.kind) {
      case TermClass::kStream:
        return is_system(node.text()) ? meta_.system_streams : meta_.streams;
      case TermClass::kCategory:
        return is_system(node.text()) ? meta_.system_categories : meta_.categories;
      case TermClass::kType:
        return meta_.types;
      case TermClass::kTag:
        break;
    }
    return meta_.tags;
  }

  Transaction& transaction_;
  const Generation& generation_;
  MetaRow& meta_;
  const std::uint64_t seed_;
  IndexHealth& health_;
  const std::shared_ptr<const std::vector<const TermNode*>> sorted_;
  const std::vector<const TermNode*>& terms_;
  std::vector<std::uint64_t> numbers_;  // by sequence; 0: in the index already
  TermRow row_;
  std::vector<std::byte> value_;
  std::vector<PendingChunk> chunks_;
  std::vector<std::byte> chunk_bytes_;
  std::vector<std::pair<SecondKey, std::uint64_t>> seconds_;
};

}  // namespace

LmdbResult<IndexPages> pages_of(const Environment& environment) {
  const auto transaction = Transaction::begin(environment, Transaction::Kind::kRead);
  if (!transaction) return std::unexpected(transaction.error());
  IndexPages pages;
  for (const auto& [tree, count] :
       {std::pair{Tree::kTerms, &pages.terms}, std::pair{Tree::kChunks, &pages.chunks},
        std::pair{Tree::kSeconds, &pages.seconds}}) {
    const auto told = transaction->pages(tree);
    if (!told) return std::unexpected(told.error());
    *count = *told;
  }
  return pages;
}

Result<void> write_generation(Transaction& transaction, const Generation& generation, MetaRow& meta,
                              std::uint64_t seed, IndexHealth& health) {
  return GenerationWriter(transaction, generation, meta, seed, health).write();
}

}  // namespace esdb::storage
