#include "tests/end_to_end/interrupted_import.h"

#include <algorithm>
#include <iostream>
#include <set>

#include "tests/fixtures/test_run.h"

namespace esdb::end_to_end {
namespace {

std::string how_it_ended(Process& importer) {
  const auto ended = importer.wait();
  if (ended == Ended{.code = 0}) return "";
  return (ended ? to_string(*ended) : "the import hangs") + ": " + importer.err();
}

}  // namespace

std::mt19937_64 random_from_printed_seed() {
  const auto seed = fixtures::seed();
  std::cout << "ESDB_SEED=" << seed << std::endl;
  return std::mt19937_64(seed);
}

std::vector<std::size_t> random_lines(const LineFile& file, std::size_t count,
                                      std::mt19937_64& random) {
  std::uniform_int_distribution<std::size_t> any(1, file.size());
  std::set<std::size_t> lines;
  while (lines.size() < std::min(count, file.size())) lines.insert(any(random));
  return {lines.begin(), lines.end()};
}

std::string import_with_kills(const LineFile& file, const std::string& store,
                              const std::vector<std::size_t>& kill_behind) {
  for (const auto line : kill_behind) {
    Process importer(import_of_standard_input(store));
    if (!importer.feed(file.lines(0, line)))
      return "killed behind line " + std::to_string(line) + ", it ended before: " + importer.err();
    importer.kill();
  }
  Process importer(import_of_standard_input(store));
  importer.feed(file.lines(0, file.size()));
  importer.end_of_input();
  return how_it_ended(importer);
}

std::string import_with_server_kills(const LineFile& file, ServerProcess& server,
                                     const std::vector<std::size_t>& kill_behind) {
  Process importer(import_of_standard_input(server.url()));
  // An importer that finds no server when it begins says so and ends: it has begun when it reads.
  std::size_t fed = 1;
  importer.feed(file.lines(0, fed));
  if (!importer.wait_until_read()) return how_it_ended(importer);
  for (const auto line : kill_behind) {
    if (!importer.feed(file.lines(fed, line))) return how_it_ended(importer);
    fed = std::max(fed, line);
    server.kill();
    if (!server.start()) return "the server does not start again: " + server.log();
  }
  importer.feed(file.lines(fed, file.size()));
  importer.end_of_input();
  return how_it_ended(importer);
}

}  // namespace esdb::end_to_end
