// esdb-server in a process of its own, over its Unix socket and over TCP, beside what the machine
// does at best in the same minute.
#include "bench/append_cases.h"
#include "bench/import_cases.h"
#include "bench/read_cases.h"

int main(int argc, char** argv) {
  using esdb::bench::Placement, esdb::bench::Transport, esdb::bench::Where;
  const auto population =
      std::make_shared<esdb::bench::Population>(esdb::bench::scaled(std::size_t{2'000'000}));
  esdb::bench::Suite suite;
  for (const auto transport : {Transport::kUnix, Transport::kTcp}) {
    const Where where{.transport = transport};
    for (const auto placement : {Placement::kFree, Placement::kOneCpu})
      add_one_at_a_time(suite, {.transport = transport, .placement = placement});
    add_in_flight(suite, where);
    add_connections(suite, where);
    add_bulk(suite, where);
    add_deliveries(suite, where);
    add_reads(suite, where, population);
    add_appends_beside_reads(suite, where, population);
  }
  for (const auto transport : {Transport::kUnix, Transport::kTcp})
    add_append_matrix(suite, {.transport = transport});
  add_imports(suite);
  return suite.run(argc, argv);
}
