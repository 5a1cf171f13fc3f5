#include "storage/verify.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "tools/commands.h"
#include "tools/directory.h"
#include "tools/progress.h"
#include "tools/table.h"
#include "tools/times.h"

namespace esdb::tools {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kExamples =
    "  esctl verify ./data\n"
    "  esctl verify /var/lib/esdb --json\n\n"
    "Reads every byte of the log and changes nothing. A store that a server has open is checked "
    "up\n"
    "to what was durable when this began: give its directory, on its machine. Exit code 65:\n"
    "something that was acknowledged is damaged or missing. A torn tail that no answer rests on "
    "is\n"
    "shown, and cut by the next opening.";

void print_json(const Json& line, const Invocation& invocation) {
  invocation.out() << line.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
}

// From a position on, where the log's end is lost: nobody knows how far it went.
bool has_no_end(const storage::Damage& damage) { return damage.first && !damage.last; }

void print_for_programs(const storage::VerifyReport& report, const Invocation& invocation) {
  for (const auto& damage : report.damages) {
    Json told{{"segment", damage.segment}, {"file", damage.file},
              {"offset", damage.offset},   {"first", damage.first.value},
              {"last", damage.last.value}, {"what", damage.what},
              {"remedy", damage.remedy},   {"acknowledged", damage.is_acknowledged}};
    if (has_no_end(damage)) told.erase("last");
    print_json({{"damage", std::move(told)}}, invocation);
  }
  print_json({{"sound", report.is_sound()},
              {"store_id", report.store_id},
              {"segments", report.segments},
              {"sealed", report.sealed},
              {"events", report.events},
              {"tracking", report.tracking},
              {"commits", report.commits},
              {"frames", report.frames},
              {"epochs", report.epochs},
              {"bytes", report.bytes},
              {"last", report.last.value},
              {"closed_cleanly", report.closed_cleanly},
              {"open", report.is_live}},
             invocation);
}

void print_for_people(const storage::VerifyReport& report, const Invocation& invocation) {
  auto& out = invocation.out();
  const auto& terminal = invocation.around.terminal;
  for (const auto& damage : report.damages) {
    out << inked(damage.is_acknowledged ? Ink::kRed : Ink::kBold,
                 damage.is_acknowledged ? "damaged" : "torn tail", terminal)
        << fmt::format(": {} at byte {}: {}\n", printable(damage.file), damage.offset,
                       printable(damage.what));
    if (has_no_end(damage)) {
      out << fmt::format("  positions from {} on cannot be trusted\n", damage.first.value);
    } else if (damage.first) {
      out << fmt::format("  positions {} to {} cannot be trusted\n", damage.first.value,
                         damage.last.value);
    }
    if (!damage.remedy.empty()) out << "  " << printable(damage.remedy) << '\n';
  }
  Table table({{""}, {""}});
  table.add({"store id", report.store_id.empty() ? "-" : report.store_id});
  table.add({"segments", fmt::format("{} ({} sealed)", report.segments, report.sealed)});
  table.add({"events", grouped(report.events)});
  table.add({"commits", grouped(report.commits)});
  table.add({"frames", grouped(report.frames)});
  table.add({"bytes read", grouped(report.bytes)});
  table.add({"last position", grouped(report.last.value)});
  table.add({"closed", report.is_live          ? "no: a process has it open"
                       : report.closed_cleanly ? "cleanly"
                                               : "not cleanly"});
  table.print(out, {});
  out << (report.is_sound()
              ? inked(Ink::kGreen, "sound", terminal)
              : inked(Ink::kRed, "damaged: what was acknowledged is not all there", terminal))
      << '\n';
}

Result<ExitCode> verify(const std::string& directory, const Invocation& invocation) {
  if (auto there = check_directory(directory, Purpose::kRead); !there)
    return std::unexpected(there.error());
  Progress progress(invocation.err(), invocation.json() ? Terminal{} : invocation.around.terminal);
  const auto report = storage::verify(
      directory, {.progress = [&](const storage::VerifyProgress& done) {
        progress.show({.share = done.bytes_all == 0 ? 1.0
                                                    : static_cast<double>(done.bytes_done) /
                                                          static_cast<double>(done.bytes_all)});
      }});
  progress.clear();
  if (!report) return std::unexpected(report.error());
  if (invocation.json()) {
    print_for_programs(*report, invocation);
  } else {
    print_for_people(*report, invocation);
  }
  invocation.out().flush();
  return report->is_sound() ? ExitCode::kOk : ExitCode::kDamaged;
}

}  // namespace

void add_verify(Commands& commands) {
  const auto directory = std::make_shared<std::string>();
  commands
      .add({.name = "verify",
            .about = "Read every byte of a store, open or not, and say what is damaged",
            .examples = kExamples},
           [directory](const Invocation& invocation) { return verify(*directory, invocation); })
      .add_option("DIR", *directory, "The store's directory")
      ->required();
}

}  // namespace esdb::tools
