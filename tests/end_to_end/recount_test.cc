// What the other tests rest on: an acknowledged event that is lost, changed or moved is found, and
// so is an append that is not whole.
#include "tests/end_to_end/recount.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "esdb/event_store.h"
#include "tests/end_to_end/ledger.h"

namespace esdb::end_to_end {
namespace {

AppendRequest append_of(std::size_t parts) {
  AppendRequest request;
  const auto append = to_string(EventId::make());
  for (std::size_t i = 0; i < parts; ++i) {
    const Part part{.append = append, .index = i, .of = parts};
    request.events.push_back({.stream = "own0-" + std::to_string(i % 2),
                              .type = "Type0",
                              .data = data_of(part, 10),
                              .id = id_of(part)});
  }
  return request;
}

class Recounting : public ::testing::Test {
 protected:
  void append(const AppendRequest& request) {
    lines_ += Ledger::lines(request, store_->append(request).value());
  }
  // With the ledger's text changed, as if that had been acknowledged.
  std::string disagreement_with(const std::string& lines) {
    Ledger ledger;
    ledger.add(lines);
    return disagreement(*store_, ledger);
  }

  std::unique_ptr<EventStore> store_ = open("memory:").value();
  std::string lines_{};
};

TEST_F(Recounting, AgreesWithWhatWasAcknowledged) {
  append(append_of(3));
  append(append_of(1));
  EXPECT_EQ(disagreement_with(lines_), "");
}

TEST_F(Recounting, MissesAnEventThatWasLost) {
  append(append_of(1));
  const auto lost = append_of(1);
  const Appended answer{.first = 2, .last = 2, .streams = {{.stream = "own0-0", .version = 2}}};
  EXPECT_NE(disagreement_with(lines_ + Ledger::lines(lost, answer)), "");
}

TEST_F(Recounting, NoticesAnEventThatChanged) {
  append(append_of(1));
  auto changed = lines_;
  changed.replace(changed.find("Type0"), 5, "Type1");
  EXPECT_NE(disagreement_with(changed), "");
}

TEST_F(Recounting, NoticesAnAppendThatIsNotWhole) {
  auto torn = append_of(3);
  torn.events.pop_back();
  append(torn);
  EXPECT_NE(disagreement_with(""), "");
}

TEST_F(Recounting, NoticesAnAppendThatIsThereTwice) {
  auto request = append_of(1);
  append(request);
  request.events[0].id = EventId::make();
  append(request);
  EXPECT_NE(disagreement_with(""), "");
}

TEST(Ledger, LeavesOutALineThatIsNotWhole) {
  const auto request = append_of(2);
  const Appended answer{
      .first = 1,
      .last = 2,
      .streams = {{.stream = "own0-0", .version = 1}, {.stream = "own0-1", .version = 1}}};
  const auto lines = Ledger::lines(request, answer);
  Ledger ledger;
  ledger.add(std::string_view(lines).substr(0, lines.size() - 5));
  ledger.end_of_writer();
  EXPECT_EQ(ledger.size(), 1U);
}

}  // namespace
}  // namespace esdb::end_to_end
