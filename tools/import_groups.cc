#include "tools/import_groups.h"

#include <fmt/format.h>

#include <utility>

namespace esdb::tools {
namespace {

// About what an event takes in an append: its fields, and what surrounds each.
std::size_t bytes_of(const NewEvent& event) {
  std::size_t bytes = 120 + event.stream.size() + event.type.size() + event.data.size() +
                      event.metadata.size() + event.content_type.size();
  for (const auto& tag : event.tags) bytes += 16 + tag.text.size();
  return bytes;
}

}  // namespace

bool Groups::joins(const std::string& key) const { return !key.empty() && (!key_ || *key_ == key); }

bool Groups::full(std::size_t more_bytes) const {
  return lines_ >= grouping_.lines || (lines_ > 0 && bytes_ + more_bytes > grouping_.bytes);
}

void Groups::begin(std::uint64_t number, std::optional<std::string> key) {
  open_ = true;
  unit_ = {};
  first_line_ = number;
  lines_ = bytes_ = 0;
  key_ = std::move(key);
  bad_.clear();
}

void Groups::spoil(BadLine bad) {
  if (bad_.size() < kBadLinesMax) bad_.push_back(std::move(bad));
  unit_ = {};
}

Result<void> Groups::close() {
  if (!std::exchange(open_, false)) return {};
  if (!bad_.empty())
    return on_spoiled_({.first_line = first_line_,
                        .last_line = last_line_,
                        .lines = lines_,
                        .bad = std::exchange(bad_, {})});
  unit_.tracked_to = last_line_;
  return on_unit_(std::move(unit_));
}

Result<void> Groups::add(std::uint64_t number, JsonLineReader::Line& line) {
  const auto bytes = bytes_of(line.event);
  const bool in_group = open_ && (grouping_.by_key ? joins(line.group) : !full(bytes));
  if (!in_group) {
    if (auto closed = close(); !closed) return closed;
    begin(number, line.group);
    if (unplaced_ && !line.group.empty()) spoil(*unplaced_);
  }
  unplaced_.reset();
  key_ = line.group;
  last_line_ = number;
  ++lines_, bytes_ += bytes;
  if (grouping_.by_key && bytes_ > grouping_.key_bytes_max &&
      bytes_ - bytes <= grouping_.key_bytes_max)
    spoil({number, fmt::format("the lines of one append, from line {} on, are larger than any "
                               "append can be",
                               first_line_)});
  if (!bad_.empty()) return {};
  unit_.events.push_back(std::move(line.event));
  unit_.places.push_back(number);
  return {};
}

Result<void> Groups::add_bad(BadLine bad, const JsonLineReader::Line* line) {
  const bool known = line != nullptr && line->group_known;
  const auto number = bad.number;
  const bool alone = key_ && key_->empty();  // by key: a line without it is whole as it is
  const bool in_group = open_ && (!grouping_.by_key ? !full(0)
                                  : known           ? joins(line->group)
                                                    : !alone);
  if (!in_group) {
    if (auto closed = close(); !closed) return closed;
    begin(number, known ? std::optional(line->group) : std::nullopt);
  }
  if (grouping_.by_key && !known) unplaced_ = bad;
  last_line_ = number;
  ++lines_;
  spoil(std::move(bad));
  return {};
}

Result<void> Groups::finish() { return close(); }

}  // namespace esdb::tools
