// Memory runs out at every block in turn, once and for ever, in a process of its own: a request
// fails or the process ends, and nothing else. It does not hang, answers nothing wrongly and does
// not touch memory that is not its own; what it had acknowledged is there afterwards.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <new>
#include <random>
#include <vector>

#include "storage/embedded_store.h"
#include "storage/posix_io.h"
#include "tests/faults/failing_memory.h"
#include "tests/faults/scenario.h"
#include "tests/fixtures/scratch_directory.h"
#include "tests/fixtures/test_run.h"

namespace esdb::faults {
namespace {

constexpr unsigned kHangSeconds = 60;
constexpr std::uint64_t kAllOf = 5'000, kThenEvery = 7;

// What the process that runs out of memory leaves behind.
struct Left {
  Ledger ledger{};
  std::uint64_t blocks{};
  bool refused{};
  bool came_to_its_end{};
  char wrong[512]{};
};

class Shared {
 public:
  Shared()
      : left_(::mmap(nullptr, sizeof(Left), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                     0)) {
    if (left_ == MAP_FAILED) throw std::bad_alloc();
    new (left_) Left;
  }
  ~Shared() { ::munmap(left_, sizeof(Left)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  Left& operator*() const { return *static_cast<Left*>(left_); }
  Left* operator->() const { return static_cast<Left*>(left_); }

 private:
  void* left_;
};

struct Refusal {
  std::uint64_t nth{};
  bool for_ever{};
};

class Allocation : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (std::filesystem::is_directory("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 0);
  }

  static auto opener(const std::string& path) {
    return [path](const OpenOptions& options) { return storage::open_directory(path, options); };
  }

  [[noreturn]] static void live(const std::string& path, const Refusal& refusal, Left& left) {
    ::alarm(kHangSeconds);
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    // What ending says of itself.
    const int said = ::open((path + ".said").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ::dup2(said, 2);
    {
      Scenario scenario({.kind = Scenario::Kind::kShort,
                         .ledger = left.ledger,
                         .open = opener(path),
                         .may_fail = refusal.nth != 0,
                         .disturbed = was_memory_refused,
                         .may_throw = refusal.nth != 0});
      refuse_memory(refusal.nth, refusal.for_ever);
      const auto wrong = scenario.run();
      refuse_memory_no_more();
      left.blocks = blocks_asked_for();
      left.refused = was_memory_refused();
      std::strncpy(left.wrong, wrong.c_str(), sizeof(left.wrong) - 1);
      left.came_to_its_end = true;
    }
    ::_exit(0);
  }

  // "" or what is wrong with how the process ended, what it answered, or what it left.
  std::string run(const Refusal& refusal) {
    const fixtures::ScratchDirectory scratch;
    const auto path = scratch.path("store");
    new (&*left_) Left;
    const auto child = ::fork();
    if (child < 0) return "no process for it";
    if (child == 0) live(path, refusal, *left_);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    const bool ended = WIFEXITED(status) && WEXITSTATUS(status) == 0 && left_->came_to_its_end;
    const bool gave_up = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
    aborts_ += gave_up ? 1 : 0;
    failures_ += ended ? 1 : 0;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) return "it hangs";
    if (!ended && !gave_up)
      return "it ended with status " + std::to_string(status) + ": " +
             fixtures::read_file(path + ".said");
    if (left_->wrong[0] != '\0') return left_->wrong;
    left_->ledger.process_ended();
    Scenario sound({.kind = Scenario::Kind::kShort, .ledger = left_->ledger, .open = opener(path)});
    if (auto wrong = sound.run_soundly(); !wrong.empty()) return "with enough memory: " + wrong;
    return "";
  }

  Shared left_{};
  std::size_t aborts_ = 0, failures_ = 0;
};

TEST_F(Allocation, EveryBlockMayBeRefused) {
  if (!memory_can_fail()) GTEST_SKIP() << "the sanitizer's allocator does not fail on demand";
  ASSERT_EQ(run({}), "") << "with enough memory";
  ASSERT_TRUE(left_->came_to_its_end);
  const auto blocks = left_->blocks;
  std::vector<Refusal> all;
  for (const bool for_ever : {false, true})
    for (std::uint64_t nth = 1; nth <= blocks; nth += nth < kAllOf ? 1 : kThenEvery)
      all.push_back({nth, for_ever});
  if (fixtures::scale() < 10) {
    std::ranges::shuffle(all, std::mt19937_64(fixtures::seed()));
    all.resize(std::min(all.size(), fixtures::scaled(30)));
  }
  if (const char* only = std::getenv("ESDB_BLOCK"))
    all = {{std::strtoull(only, nullptr, 10), false}};
  aborts_ = failures_ = 0;
  int failures = 0;
  for (const auto& refusal : all) {
    const auto wrong = run(refusal);
    if (wrong.empty()) continue;
    ADD_FAILURE() << "block " << refusal.nth << (refusal.for_ever ? " and all after it" : "")
                  << ": " << wrong;
    if (++failures >= 10) break;
  }
  std::cout << "blocks " << blocks << ", runs " << all.size() << ", went on " << failures_
            << ", ended " << aborts_ << ", seed " << fixtures::seed() << "\n";
}

}  // namespace
}  // namespace esdb::faults
