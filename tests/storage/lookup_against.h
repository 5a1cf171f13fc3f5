// Compares everything a Lookup says with what is true of a history up to its bound.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "storage/lookup.h"
#include "tests/storage/term_history.h"

namespace esdb::storage {

inline void expect_postings(Postings& postings, const std::vector<std::uint64_t>& expected,
                            TermHistory& history) {
  ASSERT_EQ(postings.count(), expected.size());
  std::vector<std::uint64_t> walked;
  for (Position at = 1;;) {
    const Position found = postings.seek(at).value();
    if (!found) break;
    walked.push_back(found.value);
    at = found.value + 1;
  }
  ASSERT_EQ(walked, expected);
  walked.clear();
  for (Position at = ~std::uint64_t{0};;) {
    const Position found = postings.seek_back(at).value();
    if (!found) break;
    walked.push_back(found.value);
    at = found.value - 1;
  }
  std::ranges::reverse(walked);
  ASSERT_EQ(walked, expected);
  const auto end = history.last().last.value + 2;
  for (int i = 0; i < 20; ++i) {
    const auto at = history.random(end);
    const auto above = std::ranges::lower_bound(expected, at);
    EXPECT_EQ(postings.seek(at).value().value, above == expected.end() ? 0 : *above);
    const auto behind = std::ranges::upper_bound(expected, at);
    EXPECT_EQ(postings.seek_back(at).value().value, behind == expected.begin() ? 0 : behind[-1]);
  }
}

inline void expect_term(Lookup& lookup, TermHistory& history, TermClass kind,
                        const std::string& text) {
  SCOPED_TRACE(text);
  const auto expected = history.positions(kind, text, lookup.position());
  const TermRef named = term(kind, text);
  const TermHead head = lookup.head(named).value();
  EXPECT_EQ(head.count, expected.size());
  EXPECT_EQ(head.last.value, expected.empty() ? 0 : expected.back());
  Postings postings = lookup.postings(named).value();
  expect_postings(postings, expected, history);
  if (kind != TermClass::kStream) return;
  EXPECT_EQ(postings.nth(0).value().value, 0);
  for (std::uint64_t version = 1; version <= expected.size() + 1; ++version)
    EXPECT_EQ(postings.nth(version).value().value,
              version <= expected.size() ? expected[version - 1] : 0);
}

inline void expect_pages(Lookup& lookup, TermHistory& history, TermClass kind,
                         std::string_view prefix) {
  std::vector<std::string> expected;
  const bool names_streams = kind == TermClass::kStream || kind == TermClass::kCategory;
  for (const auto& text : history.texts(kind, lookup.position()))
    if (text.starts_with(prefix) && (!names_streams || !is_system(text) || prefix.starts_with('$')))
      expected.push_back(text);
  std::vector<std::string> listed;
  std::string after;
  const std::size_t limit = 1 + history.random(9);
  do {
    auto page = lookup.page(kind, prefix, after, limit).value();
    ASSERT_LE(page.rows.size(), limit);
    for (const auto& row : page.rows) {
      listed.push_back(row.text);
      const auto positions = history.positions(kind, row.text, lookup.position());
      EXPECT_EQ(row.head.count, positions.size()) << row.text;
      EXPECT_EQ(row.head.last.value, positions.back()) << row.text;
    }
    after = page.next;
  } while (!after.empty());
  EXPECT_EQ(listed, expected) << "prefix " << prefix;
}

inline void expect_truth(Lookup& lookup, TermHistory& history) {
  const auto position = lookup.position();
  for (const auto kind :
       {TermClass::kStream, TermClass::kCategory, TermClass::kType, TermClass::kTag}) {
    for (const auto& text : history.texts(kind, history.last().last))
      expect_term(lookup, history, kind, text);
    expect_term(lookup, history, kind, "never written");
    for (const auto* prefix : {"", "order-1", "$", "tag:1", "Z"})
      expect_pages(lookup, history, kind, prefix);
  }
  const auto tracked = history.tracked(lookup.frame());
  for (int i = 0; i < 6; ++i) {
    const auto source = "source-" + std::to_string(i);
    EXPECT_EQ(lookup.tracked(source).value(), tracked.contains(source) ? tracked.at(source) : 0);
  }
  std::map<std::string, std::uint64_t> listed;
  std::string after;
  do {
    auto page = lookup.tracking("source-", after, 2).value();
    for (const auto& row : page.sources) listed[row.source] = row.position;
    after = page.next;
  } while (!after.empty());
  EXPECT_EQ(listed, tracked);
  EXPECT_EQ(lookup.stream_count().value(), history.user_streams(position));
  EXPECT_EQ(lookup.system_event_count().value(), history.system_events(position));
}

}  // namespace esdb::storage
