#include "tools/esctl.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "tools/command_line.h"
#include "tools/commands.h"
#include "tools/times.h"
#include "tools/values.h"

namespace esdb::tools {
namespace {

constexpr const char* kExitCodes =
    "The store is a directory, unix:PATH, esdb://HOST:PORT or memory: (--store, else ESDB_URL, "
    "else\n"
    "the server at $XDG_RUNTIME_DIR/esdb.sock or /run/esdb/esdb.sock).\n\n"
    "Exit codes: 0 ok, 1 error, 2 usage, 3 refused by a check, id or tracking, 4 no store there,\n"
    "5 outcome unknown (repeat with the same --id), 65 damaged or refused store.\n\n"
    "esctl COMMAND --help shows a command's options and examples.";

void add_globals(CLI::App& app, GlobalOptions& global) {
  app.add_option("--store", global.store, "The store: a directory or a URL")->type_name("URL");
  app.add_flag("--json", global.json, "One JSON object a line");
  app.add_option("--timeout", global.timeout, "How long to wait for an answer")
      ->type_name("DURATION")
      ->capture_default_str();
}

// The message, without the violations that a list of them follows.
std::string told_once(const Error& error) {
  constexpr std::string_view kNotAppended = "not appended";
  const bool listed = !error.violations.empty() && error.message.starts_with(kNotAppended);
  return listed ? std::string(kNotAppended) : error.message;
}

void print_error(const Error& error, const Surroundings& around, const GlobalOptions& global) {
  if (global.json) {
    nlohmann::ordered_json line{{"error", std::string(name_of(error))}, {"message", error.message}};
    // What to repeat an append with: append puts it there.
    if (error.code == ErrorCode::kOutcomeUnknown && !error.detail.empty())
      line["id"] = error.detail;
    for (const auto& violation : error.violations) {
      nlohmann::ordered_json one{{"what", violation.what}};
      if (violation.actual) one["version"] = violation.actual.value;
      if (violation.conflicting) one["position"] = violation.conflicting.value;
      line["violations"].push_back(std::move(one));
    }
    around.err << line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
    return;
  }
  around.err << "esctl: " << printable(told_once(error)) << '\n';
  for (const auto& violation : error.violations) {
    around.err << "  does not hold: " << printable(violation.what);
    if (violation.actual) around.err << " (it is at version " << violation.actual.value << ")";
    if (violation.conflicting) around.err << " (position " << violation.conflicting.value << ")";
    around.err << '\n';
  }
  around.err.flush();
}

Result<ExitCode> run_chosen(const Commands& commands, GlobalOptions& global,
                            const Surroundings& around) {
  const auto timeout = parse_duration(global.timeout);
  if (!timeout) return usage(fmt::format("--timeout: {}", timeout.error().message));
  global.timeout_parsed = std::chrono::ceil<std::chrono::milliseconds>(*timeout);
  if (global.timeout_parsed.count() == 0) return usage("--timeout: it must be longer than 0");
  return (*commands.chosen())({.around = around, .global = global});
}

// What was printed and did not arrive is no success: whoever reads it would take a part for all.
ExitCode once_it_arrived(ExitCode code, const Surroundings& around, const GlobalOptions& global) {
  around.out.flush();
  if (around.out || code != ExitCode::kOk) return code;
  print_error(failed("cannot write to the output: what it should say did not all arrive").error(),
              around, global);
  return ExitCode::kError;
}

}  // namespace

ExitCode run(std::span<const std::string> words, const Surroundings& around) {
  CLI::App app("esctl: append to, read and run an esdb event store", "esctl");
  app.footer(kExitCodes);
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", "esctl " ESDB_VERSION);
  app.get_formatter()->column_width(28);
  GlobalOptions global;
  add_globals(app, global);
  Commands commands(app);
  add_append(commands);
  add_read(commands);
  add_import(commands);
  add_export(commands);
  add_copy(commands);
  add_looking(commands);
  add_verify(commands);
  add_inspect(commands);
  add_rebuild_index(commands);
  add_repair(commands);
  add_doctor(commands);
  add_bench(commands);
  add_completion(commands);
  refuse_empty_values(app);
  const auto tell = [&](const Error& found) {
    auto error = in_options(found);
    const auto code = exit_code_of(error);
    if (code == ExitCode::kUsage) error.message += fmt::format("; see '{}'", help_of(app));
    print_error(error, around, global);
    return code;
  };
  auto reversed = readable(words);
  std::ranges::reverse(reversed);
  try {
    app.parse(reversed);
  } catch (const CLI::Success& asked_for_text) {
    app.exit(asked_for_text, around.out, around.err);
    return once_it_arrived(ExitCode::kOk, around, global);
  } catch (const CLI::ParseError& wrong) {
    global.json = ask_for_json(words);
    return tell(in_our_words(app, wrong));
  }
  const auto done = run_chosen(commands, global, around);
  return done ? once_it_arrived(*done, around, global) : tell(done.error());
}

}  // namespace esdb::tools
