// esctl rebuild-index: gives up a store's index and builds it again from the log.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "storage/index_renewal.h"
#include "tools/commands.h"
#include "tools/directory.h"
#include "tools/progress.h"
#include "tools/table.h"

namespace esdb::tools {
namespace {

constexpr const char* kExamples =
    "  esctl rebuild-index ./data\n"
    "  esctl rebuild-index /var/lib/esdb --json\n\n"
    "The log is not touched, and until the new index is whole the old one keeps its place: it may "
    "be\n"
    "ended at any time. The store must not be open: stop its server first. A server that finds "
    "its\n"
    "index lost or damaged builds it anew by itself, and serves reads by position meanwhile.\n"
    "Exit code 65: the log is damaged where the index is built from it; nothing was changed.";

Result<ExitCode> rebuild_index(const std::string& directory, const Invocation& invocation) {
  if (auto there = check_directory(directory, Purpose::kRead); !there)
    return std::unexpected(there.error());
  if (auto usable = check_directory(directory, Purpose::kWrite); !usable)
    return std::unexpected(usable.error());
  Progress progress(invocation.err(), invocation.json() ? Terminal{} : invocation.around.terminal);
  progress.show({.share = 0.0});
  const auto renewed = storage::renew_index(
      directory, {.progress = [&](const storage::RenewalProgress& done) {
        const auto all = static_cast<double>(std::max<std::uint64_t>(1, done.events_all));
        progress.show(
            {.events = done.events_done, .share = static_cast<double>(done.events_done) / all});
      }});
  progress.clear();
  if (!renewed) return std::unexpected(renewed.error());
  const auto seconds = std::chrono::duration<double>(progress.elapsed()).count();
  const auto rate =
      static_cast<std::uint64_t>(static_cast<double>(renewed->events) / std::max(seconds, 1e-6));
  if (invocation.json()) {
    const nlohmann::ordered_json line{{"events", renewed->events},
                                      {"seconds", seconds},
                                      {"events_per_second", rate},
                                      {"index_bytes", renewed->index_bytes}};
    invocation.out() << line.dump() << '\n';
  } else {
    invocation.out() << fmt::format(
        "built the index of {} events in {:.2f} s, {} events/s; it has {} bytes\n",
        grouped(renewed->events), seconds, grouped(rate), grouped(renewed->index_bytes));
  }
  invocation.out().flush();
  return ExitCode::kOk;
}

}  // namespace

void add_rebuild_index(Commands& commands) {
  const auto directory = std::make_shared<std::string>();
  commands
      .add({.name = "rebuild-index",
            .about = "Give up the index of a store that is not open, and build it from the log",
            .examples = kExamples},
           [directory](const Invocation& invocation) {
             return rebuild_index(*directory, invocation);
           })
      .add_option("DIR", *directory, "The store's directory")
      ->required();
}

}  // namespace esdb::tools
