// Bits turned over in the index's file: LMDB detects none of it. An answer is right, or an error,
// or the process ends; it is never wrong.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "tests/fixtures/figures.h"
#include "tests/fixtures/test_run.h"
#include "tests/storage/index_store.h"

namespace esdb::storage {
namespace {

struct Truth {
  TermClass kind{};
  std::string text{};
  std::vector<std::uint64_t> positions{};
};

std::vector<Truth> truth_of(const TermHistory& history) {
  std::vector<Truth> truth;
  const auto bound = history.last().last;
  for (const auto kind :
       {TermClass::kStream, TermClass::kCategory, TermClass::kType, TermClass::kTag})
    for (const auto& text : history.texts(kind, bound))
      truth.push_back({kind, text, history.positions(kind, text, bound)});
  truth.push_back({TermClass::kStream, "never written", {}});
  return truth;
}

// Whether every answer is right or an error.
bool tells_no_lie(Lookup& lookup, const std::vector<Truth>& truth) {
  for (const auto& [kind, text, positions] : truth) {
    const TermRef named = term(kind, text);
    const auto head = lookup.head(named);
    if (head && (head->count != positions.size() ||
                 head->last.value != (positions.empty() ? 0 : positions.back())))
      return false;
    auto postings = lookup.postings(named);
    if (!postings) continue;
    Position at = 1;
    for (const auto expected : positions) {
      const auto found = postings->seek(at);
      if (!found) break;
      if (found->value != expected) return false;
      at = expected + 1;
    }
  }
  return true;
}

constexpr int kLied = 42;  // a child's exit code

enum class Outcome { kRight, kWrong, kEnded };

// In a process of its own, which may end by a signal. The log is closed, because its memory does
// not pass to a child.
Outcome look_in_child(IndexStore& store, const IndexOptions& options,
                      const std::vector<Truth>& truth) {
  const pid_t child = ::fork();
  if (child == 0) {
    store.log.reopen();
    const int nowhere = ::open("/dev/null", O_WRONLY);
    ::dup2(nowhere, STDERR_FILENO);
    auto index = Index::open(options, *store.log);
    if (!index) ::_exit(0);
    TailIndex tail((*index)->tail_begins());
    if (!replay_tail(*store.log, tail)) ::_exit(0);
    auto lookup = Lookup::begin(*store.log, tail, index->get());
    ::_exit(!lookup || tells_no_lie(*lookup, truth) ? 0 : kLied);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  // A sanitizer ends its process by an exit of its own where a signal would.
  if (!WIFEXITED(status)) return Outcome::kEnded;
  if (WEXITSTATUS(status) == kLied) return Outcome::kWrong;
  return WEXITSTATUS(status) == 0 ? Outcome::kRight : Outcome::kEnded;
}

TEST(IndexDamage, NeverMakesAWrongAnswer) {
  const std::uint64_t seed = fixtures::seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  IndexStore store(seed);
  store.open();
  store.write(60);
  store.commit();
  store.write(60);
  store.commit();
  store.index.reset();
  store.tail.reset();
  const auto truth = truth_of(store.history);
  const auto options = store.options();
  store.log.close();
  const auto index = options.directory, whole = store.directory.path() + "/whole";
  std::filesystem::copy(index, whole, std::filesystem::copy_options::recursive);
  ASSERT_EQ(look_in_child(store, options, truth), Outcome::kRight);
  std::uint64_t ended = 0;
  for (std::size_t i = 0; i < fixtures::scaled(60); ++i) {
    std::filesystem::remove_all(index);
    std::filesystem::copy(whole, index, std::filesystem::copy_options::recursive);
    const auto size = std::filesystem::file_size(index + "/data.mdb");
    const auto bit = random() % (size * 8);
    {
      std::fstream file(index + "/data.mdb", std::ios::in | std::ios::out | std::ios::binary);
      file.seekg(static_cast<std::streamoff>(bit / 8));
      const int byte = file.get();
      file.seekp(static_cast<std::streamoff>(bit / 8));
      file.put(static_cast<char>(byte ^ (1 << (bit % 8))));
    }
    const auto outcome = look_in_child(store, options, truth);
    ASSERT_NE(outcome, Outcome::kWrong) << "bit " << bit;
    ended += outcome == Outcome::kEnded;
  }
  fixtures::tell("bits of data.mdb",
                 {{fixtures::scaled(60), "flips"}, {ended, "processes ended by a signal"}});
}

}  // namespace
}  // namespace esdb::storage
