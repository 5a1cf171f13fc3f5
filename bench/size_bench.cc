// What depends on how much is in the store: at 1, 10 and 50 million events, or at those that
// ESDB_BENCH_MILLIONS names ("1,10"). The cases of a size share a store, which is filled when the
// first of them runs, and removed when the next size is filled; 50 million events take 50 GB.
#include <cstdlib>
#include <exception>
#include <sstream>

#include "bench/child.h"
#include "bench/size_cases.h"

namespace esdb::bench {
namespace {

std::vector<double> millions() {
  const char* text = std::getenv("ESDB_BENCH_MILLIONS");
  std::istringstream in(text != nullptr ? text : "1,10,50");
  std::vector<double> sizes;
  for (std::string one; std::getline(in, one, ',');)
    if (const double size = std::atof(one.c_str()); size > 0) sizes.push_back(size);
  return sizes;
}

}  // namespace
}  // namespace esdb::bench

int main(int argc, char** argv) {
  using esdb::bench::Size;
  if (const int answer = esdb::bench::run_as_child(argc, argv); answer >= 0) return answer;
  esdb::bench::Suite suite;
  esdb::bench::Costs costs_of_checks;
  const auto room = std::make_shared<esdb::bench::Room>();
  for (const double millions : esdb::bench::millions()) {
    const auto events = esdb::bench::scaled(static_cast<std::size_t>(millions * 1e6));
    const Size size{millions, std::make_shared<esdb::bench::SizedStore>(events, room)};
    add_filling(suite, size);
    add_opening(suite, size);
    add_sized_reads(suite, size);
    add_sized_appends(suite, size);
    add_checks(suite, size, costs_of_checks);
    add_memory(suite, size);
  }
  return suite.run(argc, argv);
}
