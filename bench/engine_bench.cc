// The engine in this process, beside what the machine does at best in the same minute.
#include "bench/append_cases.h"
#include "bench/read_cases.h"

int main(int argc, char** argv) {
  const esdb::bench::Where here;
  const auto population =
      std::make_shared<esdb::bench::Population>(esdb::bench::scaled(std::size_t{2'000'000}));
  esdb::bench::Suite suite;
  add_one_at_a_time(suite, here);
  add_in_flight(suite, here);
  add_bulk(suite, here);
  add_deliveries(suite, here);
  add_reads(suite, here, population);
  add_appends_beside_reads(suite, here, population);
  add_append_matrix(suite, here);
  return suite.run(argc, argv);
}
