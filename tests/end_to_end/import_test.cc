// A small part of a real history, imported and exported by esctl: into a directory and through a
// server, in one go and interrupted.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "tests/end_to_end/event_lines.h"
#include "tests/end_to_end/interrupted_import.h"
#include "tests/end_to_end/known_answers.h"
#include "tests/end_to_end/process.h"
#include "tests/end_to_end/server_process.h"
#include "tests/fixtures/scratch_directory.h"

namespace esdb::end_to_end {
namespace {

constexpr const char* kSample = ESDB_TEST_DATA "/small.ndjson.zst";

class Importing : public ::testing::Test {
 protected:
  Outcome import_sample(const std::string& store) {
    return run_esctl(
        {"import", kSample, "--commit-by", "correlationId", "--store", store, "--json"});
  }
  std::string difference_of(const std::string& store) {
    return difference(sample_, store, scratch_.path("exported.ndjson"));
  }
  std::string directory() const { return scratch_.path("data"); }

  const fixtures::ScratchDirectory scratch_{};
  const LineFile sample_{kSample};
};

void expect_two_imports(const Outcome& first, const Outcome& second, const LineFile& sample) {
  ASSERT_TRUE(first.ok()) << first.err;
  EXPECT_EQ(raw_value(first.out, "events"), std::to_string(sample.size())) << first.out;
  ASSERT_TRUE(second.ok()) << second.err;
  EXPECT_EQ(raw_value(second.out, "events"), "0") << second.out;
  EXPECT_EQ(raw_value(second.out, "resumed_after"), std::to_string(sample.size())) << second.out;
}

TEST_F(Importing, IntoADirectoryGivesBackEveryEventAndASecondTimeAddsNothing) {
  const auto first = import_sample(directory());
  const auto second = import_sample(directory());
  expect_two_imports(first, second, sample_);
  EXPECT_EQ(difference_of(directory()), "");
}

TEST_F(Importing, ThroughAServerGivesBackEveryEventAndASecondTimeAddsNothing) {
  ServerProcess server(scratch_);
  ASSERT_TRUE(server.start()) << server.log();
  const auto first = import_sample(server.url());
  const auto second = import_sample(server.url());
  expect_two_imports(first, second, sample_);
  EXPECT_EQ(difference_of(server.url()), "");
  EXPECT_EQ(server.stop(), Ended{.code = 0}) << server.log();
  EXPECT_EQ(difference_of(server.data()), "") << "after the server had gone";
}

TEST_F(Importing, ThroughAServerGivesEveryAnswerThatIsKnownOfTheSample) {
  ServerProcess server(scratch_);
  ASSERT_TRUE(server.start()) << server.log();
  ASSERT_TRUE(import_sample(server.url()).ok());
  expect_known_answers_of_esctl(server.url(), sample_answers(), scratch_);
  const auto store = open(server.url());
  ASSERT_TRUE(store.has_value()) << store.error().message;
  expect_known_answers(**store, sample_answers());
}

TEST_F(Importing, IntoADirectoryGivesEveryAnswerThatIsKnownOfTheSample) {
  ASSERT_TRUE(import_sample(directory()).ok());
  expect_known_answers_of_esctl(directory(), sample_answers(), scratch_);
}

TEST_F(Importing, MakesOneAppendOfTheLinesOfACorrelation) {
  ASSERT_TRUE(import_sample(directory()).ok());
  const auto exported = run_esctl({"export", "--store", directory()});
  ASSERT_TRUE(exported.ok()) << exported.err;
  const LineFile lines(scratch_.write("exported.ndjson", exported.out));
  ASSERT_EQ(lines.size(), sample_.size());
  std::string_view group;
  std::string append;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto its_group = raw_value(raw_value(lines.line(i), "metadata"), "correlationId");
    if (its_group != group) append = std::to_string(i + 1);
    group = its_group;
    ASSERT_EQ(raw_value(lines.line(i), "append"), append) << "line " << i + 1;
  }
}

TEST_F(Importing, IntoADirectoryKilledAndBegunAgainGivesTheSameStore) {
  auto random = random_from_printed_seed();
  ASSERT_EQ(import_with_kills(sample_, directory(), random_lines(sample_, 8, random)), "");
  EXPECT_EQ(difference_of(directory()), "");
}

TEST_F(Importing, OfAFileKilledAtAnyMomentGoesOnWhereItStood) {
  auto random = random_from_printed_seed();
  std::uniform_int_distribution<int> moment(0, 120);
  for (int i = 0; i < 8; ++i) {
    Process importer(
        esctl({"import", kSample, "--commit-by", "correlationId", "--store", directory()}));
    std::this_thread::sleep_for(std::chrono::milliseconds(moment(random)));
    importer.kill();
  }
  const auto last = import_sample(directory());
  ASSERT_TRUE(last.ok()) << last.err;
  EXPECT_EQ(raw_value(last.out, "tracked_to"), std::to_string(sample_.size())) << last.out;
  EXPECT_EQ(difference_of(directory()), "");
}

TEST_F(Importing, ThroughAServerKilledAndBegunAgainGivesTheSameStore) {
  auto random = random_from_printed_seed();
  ServerProcess server(scratch_);
  ASSERT_TRUE(server.start()) << server.log();
  ASSERT_EQ(import_with_kills(sample_, server.url(), random_lines(sample_, 8, random)), "");
  EXPECT_EQ(difference_of(server.url()), "");
}

TEST_F(Importing, GoesOnWhenItsServerIsKilledAndStartedAgain) {
  auto random = random_from_printed_seed();
  ServerProcess server(scratch_);
  ASSERT_TRUE(server.start()) << server.log();
  ASSERT_EQ(import_with_server_kills(sample_, server, random_lines(sample_, 5, random)), "");
  EXPECT_EQ(difference_of(server.url()), "");
}

}  // namespace
}  // namespace esdb::end_to_end
