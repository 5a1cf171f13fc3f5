#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <set>
#include <thread>
#include <vector>

#include "esdb/event.h"

namespace esdb {
namespace {

std::uint64_t milliseconds_of(const EventId& id) {
  std::uint64_t ms = 0;
  for (int i = 0; i < 6; ++i) ms = ms << 8 | std::to_integer<std::uint64_t>(id.bytes[i]);
  return ms;
}

TEST(EventId, MadeOnesAreVersion7OfNow) {
  const auto now_ms = [] {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                          std::chrono::system_clock::now().time_since_epoch())
                                          .count());
  };
  const auto before = now_ms();
  const auto id = EventId::make();
  const auto text = to_string(id);
  EXPECT_EQ(text[14], '7') << text;
  EXPECT_NE(std::string("89ab").find(text[19]), std::string::npos) << text;
  EXPECT_GE(milliseconds_of(id), before);
  EXPECT_LE(milliseconds_of(id), now_ms() + 1000);  // growing ids may run a little ahead
}

TEST(EventId, OnesMadeByOneThreadGrow) {
  EventId before{};
  for (int i = 0; i < 100'000; ++i) {
    const auto id = EventId::make();
    ASSERT_LT(before, id);
    before = id;
  }
}

TEST(EventId, OnesMadeByManyThreadsDiffer) {
  std::vector<std::vector<EventId>> made(4);
  {
    std::vector<std::jthread> threads;
    for (auto& ids : made)
      threads.emplace_back([&ids] {
        for (int i = 0; i < 10'000; ++i) ids.push_back(EventId::make());
      });
  }
  std::set<EventId> all;
  for (const auto& ids : made) all.insert(ids.begin(), ids.end());
  EXPECT_EQ(all.size(), 40'000u);
}

TEST(EventId, AForkedChildMakesOthers) {
  (void)EventId::make();  // the parent's random bytes are there to be inherited
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto id = EventId::make();
    const auto written = ::write(ends[1], id.bytes.data(), id.bytes.size());
    ::_exit(written == 16 ? 0 : 1);
  }
  const auto ours = EventId::make();
  EventId theirs{};
  EXPECT_EQ(::read(ends[0], theirs.bytes.data(), theirs.bytes.size()), 16);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  // The random halves: the times differ anyway.
  EXPECT_FALSE(std::equal(ours.bytes.begin() + 8, ours.bytes.end(), theirs.bytes.begin() + 8));
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(EventId, DerivedOnesAreVersion5OverTheOrdinalInDecimal) {
  // uuid.uuid5(uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), "7") of Python.
  const auto from = EventId::parse("6ba7b810-9dad-11d1-80b4-00c04fd430c8").value();
  EXPECT_EQ(to_string(EventId::derive(from, 7)), "a9f96b98-dd44-5216-ab0d-dbfc6b262edf");
  EXPECT_EQ(to_string(EventId::derive(from, ~std::uint64_t{0})),
            "83f7edcd-94f5-5bea-9fc2-7dc1ff3dda61");
  EXPECT_NE(EventId::derive(from, 0), EventId::derive(from, 1));
}

TEST(EventId, TextRoundTrips) {
  for (int i = 0; i < 100; ++i) {
    const auto id = EventId::make();
    EXPECT_EQ(EventId::parse(to_string(id)), id);
  }
  EXPECT_EQ(to_string(*EventId::parse("018F0000-ABCD-7fff-8000-000000000001")),
            "018f0000-abcd-7fff-8000-000000000001");
}

TEST(EventId, WhatIsNoUuidIsNotParsed) {
  for (const auto* text :
       {"", "018f0000-abcd-7fff-8000-00000000000", "018f0000-abcd-7fff-8000-0000000000012",
        "018f0000xabcd-7fff-8000-000000000001", "018f0000-abcd-7fff-8000-00000000000g",
        "{18f0000-abcd-7fff-8000-000000000001", "018f0000abcd7fff8000000000000001"})
    EXPECT_FALSE(EventId::parse(text)) << text;
}

}  // namespace
}  // namespace esdb
