// esctl doctor: what on this machine weakens what a store promises, and what to do about it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "storage/diagnosis.h"
#include "storage/machine_trials.h"
#include "tools/commands.h"

namespace esdb::tools {
namespace {

using Grade = storage::Finding::Grade;

constexpr const char* kExamples =
    "  esctl doctor ./data\n"
    "  esctl doctor /var/lib/esdb --json\n\n"
    "Looks at the file system, the device, the limits and the clock, and measures 200 durable "
    "writes\n"
    "of 4 KiB in a scratch file without a name. DIR need not hold a store yet, and one that is "
    "open "
    "is\n"
    "not disturbed. Run it as the user, and in the container, that the store's server has.\n"
    "Exit codes: 0 no problem (there may be warnings), 1 a problem.";

Ink ink_of(Grade grade) {
  switch (grade) {
    case Grade::kOk:
      return Ink::kGreen;
    case Grade::kWarning:
      return Ink::kBold;
    case Grade::kProblem:
      return Ink::kRed;
  }
  return Ink::kPlain;
}

void print_for_people(const std::vector<storage::Finding>& findings, const Invocation& invocation) {
  auto& out = invocation.out();
  for (const auto& finding : findings) {
    out << inked(ink_of(finding.grade), fmt::format("{:<8}", to_string(finding.grade)),
                 invocation.around.terminal)
        << fmt::format(" {:<20} {}\n", finding.check, printable(finding.what));
    if (!finding.remedy.empty())
      out << fmt::format("{:<29} -> {}\n", "", printable(finding.remedy));
  }
}

Result<ExitCode> doctor(const std::string& directory, const Invocation& invocation) {
  auto facts = storage::read_facts(directory);
  storage::try_machine(facts);
  const auto findings = storage::diagnose(facts);
  const auto count = [&](Grade grade) {
    return std::ranges::count(findings, grade, &storage::Finding::grade);
  };
  const auto warnings = count(Grade::kWarning), problems = count(Grade::kProblem);
  if (invocation.json()) {
    const auto print = [&](const nlohmann::ordered_json& line) {
      invocation.out() << line.dump(-1, ' ', false,
                                    nlohmann::ordered_json::error_handler_t::replace)
                       << '\n';
    };
    for (const auto& finding : findings)
      print({{"check", finding.check},
             {"grade", to_string(finding.grade)},
             {"what", finding.what},
             {"remedy", finding.remedy}});
    print({{"directory", facts.directory}, {"warnings", warnings}, {"problems", problems}});
  } else {
    print_for_people(findings, invocation);
    invocation.out() << fmt::format("{}: {} problems, {} warnings\n", printable(facts.directory),
                                    problems, warnings);
  }
  invocation.out().flush();
  return problems == 0 ? ExitCode::kOk : ExitCode::kError;
}

}  // namespace

void add_doctor(Commands& commands) {
  const auto directory = std::make_shared<std::string>(".");
  commands
      .add({.name = "doctor",
            .about = "Say what on this machine weakens what a store promises, and what to do",
            .examples = kExamples},
           [directory](const Invocation& invocation) { return doctor(*directory, invocation); })
      .add_option("DIR", *directory, "Where the store lies, or is to lie (the current directory)");
}

}  // namespace esdb::tools
