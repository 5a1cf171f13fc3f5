// An import, as `esctl import` does it. What it says it wrote is what the store holds; the same
// command again adds nothing and comes to the same end; every event of the store is whole.
//
//   mode | the file
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "protocol/encoded_event.h"
#include "storage/check.h"
#include "tests/fixtures/reference_store.h"
#include "tests/fuzz/input.h"
#include "tools/commands.h"

namespace esdb::tools {
namespace {

// The command, with the words of one mode read: that takes longer than an import.
class Command {
 public:
  explicit Command(std::uint8_t mode) {
    add_import(commands_);
    std::vector<std::string> words{"import", "-", "--source", "s"};
    if ((mode & 1) != 0) words.emplace_back("--continue-on-error");
    const std::string grouping[][2] = {
        {"--commit-size", "1"}, {"--commit-size", "2"}, {"--commit-by", "g"}};
    if (const auto which = mode / 2; which < 3)
      words.insert(words.end(), std::begin(grouping[which]), std::end(grouping[which]));
    std::ranges::reverse(words);
    app_.parse(words);
  }
  Result<ExitCode> run(const Surroundings& around) const {
    const GlobalOptions global{
        .store = "memory:fuzz", .json = true, .timeout_parsed = std::chrono::seconds(30)};
    return (*commands_.chosen())({.around = around, .global = global});
  }

 private:
  CLI::App app_{"esctl"};
  Commands commands_{app_};
};

const Command& command_of(std::uint8_t mode) {
  static std::array<std::unique_ptr<Command>, 8> commands;
  auto& command = commands[mode % commands.size()];
  if (!command) command = std::make_unique<Command>(mode % commands.size());
  return *command;
}

struct Outcome {
  ExitCode code{};
  nlohmann::json summary{};  // nothing where it came to none
};

Outcome import(const std::shared_ptr<EventStore>& store, std::uint8_t mode, std::string_view file) {
  std::istringstream in{std::string(file)};
  std::ostringstream out, err;
  const Surroundings around{
      .in = in,
      .out = out,
      .err = err,
      .open = [&](std::string_view, const OpenOptions&) -> Result<std::shared_ptr<EventStore>> {
        return store;
      }};
  const auto done = command_of(mode).run(around);
  Outcome outcome{.code = done ? *done : exit_code_of(done.error())};
  std::istringstream lines(out.str());
  for (std::string line; std::getline(lines, line);) {
    auto read = nlohmann::json::parse(line);
    if (read.contains("tracked_to")) outcome.summary = std::move(read);
  }
  return outcome;
}

std::uint64_t events_in(EventStore& store) {
  std::uint64_t events = 0;
  std::map<std::string, Version, std::less<>> versions;
  const auto read = store.for_each(everything(), {}, [&](RecordedEvent event) {
    ESDB_CHECK(protocol::has_accepted_layout(event.encoded()));
    auto& version = versions[std::string(event.stream())];
    version = version.value + 1;
    ESDB_CHECK(event.position().value == ++events && event.version() == version);
  });
  ESDB_CHECK(read.has_value());
  return events;
}

void check_import(fuzz::Input input) {
  const auto mode = input.take<std::uint8_t>();
  const auto file = input.rest_of_text();
  const std::shared_ptr<EventStore> store = fixtures::make_reference_store();
  const auto first = import(store, mode, file);
  ESDB_CHECK(first.code != ExitCode::kOutcomeUnknown && first.code != ExitCode::kDamaged);
  const auto events = events_in(*store);
  if (!first.summary.is_null()) {
    const auto written = first.summary["events"].get<std::uint64_t>();
    const auto left_out = first.summary["left_out"].get<std::uint64_t>();
    ESDB_CHECK(written == events);
    ESDB_CHECK((first.code == ExitCode::kOk) == (left_out == 0));
  } else {
    ESDB_CHECK(first.code != ExitCode::kOk);
  }
  const auto second = import(store, mode, file);
  ESDB_CHECK(events_in(*store) == events);
  ESDB_CHECK(first.summary.is_null() == second.summary.is_null());
  if (second.summary.is_null())
    ESDB_CHECK(second.code == first.code);
  else
    ESDB_CHECK(second.summary["events"] == 0);
}

}  // namespace
}  // namespace esdb::tools

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  esdb::tools::check_import({data, size});
  return 0;
}
