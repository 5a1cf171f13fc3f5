#include "esdb/memory_view.h"

#include <gtest/gtest.h>

#include <string>

namespace esdb {
namespace {

Checkpoint at(Position position) {
  return {.store_id = "s", .epoch_id = "e", .position = position};
}

TEST(MemoryView, BeginsAtTheBeginning) {
  MemoryView<std::string> view("initial");
  EXPECT_EQ(view.begin().value(), Checkpoint{});
  EXPECT_EQ(*view.committed(), "initial");
}

TEST(MemoryView, StateAndCheckpointChangeTogether) {
  MemoryView<std::string> view;
  view.begin().value();
  view.state() += "a";
  EXPECT_EQ(*view.committed(), "");
  view.commit(at(1)).value();
  EXPECT_EQ(*view.committed(), "a");
  EXPECT_EQ(view.checkpoint(), at(1));
  EXPECT_EQ(view.begin().value(), at(1));
  view.state() += "b";
  view.rollback();
  EXPECT_EQ(*view.committed(), "a");
  EXPECT_EQ(view.begin().value(), at(1));
  EXPECT_EQ(view.state(), "a");
}

TEST(MemoryView, WhatAReaderHoldsDoesNotChange) {
  MemoryView<std::string> view;
  const auto before = view.committed();
  view.begin().value();
  view.state() = "new";
  view.commit(at(1)).value();
  EXPECT_EQ(*before, "");
}

TEST(MemoryView, ATransactionWithoutChangesCopiesNothing) {
  struct Counted {
    int* copies;
    explicit Counted(int* c) : copies(c) {}
    Counted(const Counted& other) : copies(other.copies) { ++*copies; }
    Counted& operator=(const Counted&) = default;
  };
  int copies = 0;
  MemoryView<Counted> view{Counted(&copies)};
  const int before = copies;
  view.begin().value();
  view.commit(at(1)).value();
  EXPECT_EQ(copies, before);
  EXPECT_EQ(view.checkpoint(), at(1));
}

}  // namespace
}  // namespace esdb
