// esctl append: one event, with every check there is.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/commands.h"
#include "tools/json_text.h"
#include "tools/times.h"
#include "tools/values.h"

namespace esdb::tools {
namespace {

struct AppendOptions {
  std::string stream{}, type{}, data{}, metadata{}, id{}, time{}, content_type{};
  std::string expect = "any";
  std::vector<std::string> tags{}, checks{}, absent{}, unchanged{};
};

constexpr const char* kExamples =
    "  esctl append order-1 --type Placed --data '{\"total\":12}' --tag customer:7 --expect none\n"
    "  esctl append order-1 --type Paid --data @paid.json --expect 1\n"
    "  date | esctl append log-1 --type Noted --data - --content-type text/plain\n"
    "  esctl append user-7 --type Registered --data '{}' --tag email:a@b \\\n"
    "        --absent 'type:Registered tag:email:a@b'\n";

Result<Expect> to_expect(std::string_view text) {
  if (text == "any") return Expect::any();
  if (text == "none") return Expect::none();
  if (text == "exists") return Expect::exists();
  if (const auto version = to_number(text)) return Expect::exactly(*version);
  return usage(fmt::format("\"{}\" is nothing to expect: any, none, exists or a version", text));
}

// STREAM=none|exists|N; a stream's name may hold '=' itself.
Result<Check> to_stream_check(const std::string& text) {
  const auto at = text.rfind('=');
  if (at == text.npos || at == 0)
    return usage(
        fmt::format("--check {}: it should be STREAM=none, STREAM=exists or STREAM=N", text));
  const auto expect = to_expect(std::string_view(text).substr(at + 1));
  if (!expect) return usage(fmt::format("--check {}: {}", text, expect.error().message));
  return Check::stream(text.substr(0, at), *expect);
}

// What is wrong with a query or check, behind the option that holds it.
std::string without_field(const Error& error) {
  for (const std::string_view field : {"query: ", "check: "}) {
    if (error.message.starts_with(field)) return error.message.substr(field.size());
  }
  return error.message;
}

Result<Check> to_absent_check(const std::string& text) {
  auto query = Query::parse(text);
  if (!query) return usage(fmt::format("--absent: {}", without_field(query.error())));
  return Check::absent(std::move(*query));
}

// QUERY@POSITION; a query may hold '@' itself.
Result<Check> to_unchanged_check(const std::string& text) {
  const auto at = text.rfind('@');
  const auto position =
      at == text.npos ? std::nullopt : to_number(std::string_view(text).substr(at + 1));
  if (!position) return usage(fmt::format("--unchanged {}: it should be QUERY@POSITION", text));
  auto query = Query::parse(text.substr(0, at));
  if (!query) return usage(fmt::format("--unchanged: {}", without_field(query.error())));
  return Check::unchanged(std::move(*query), Position{*position});
}

// All of an input; read() takes what goes wrong as a state, where an iterator would throw it.
Result<std::string> all_of(std::istream& input, std::string_view name) {
  const auto unreadable = [name] {
    return failed(fmt::format("cannot read {}: {}", name,
                              errno != 0 ? std::strerror(errno) : "the input failed"));
  };
  if (!input) return unreadable();
  errno = 0;
  std::string text;
  char part[4096];
  while (input.read(part, sizeof part), input.gcount() != 0)
    text.append(part, static_cast<std::size_t>(input.gcount()));
  if (input.bad()) return unreadable();
  return text;
}

// What an argument says: itself, the contents of @FILE, or standard input for "-".
Result<std::string> contents(const std::string& argument, const Invocation& invocation) {
  if (argument == "-") return all_of(invocation.around.in, "standard input");
  if (!argument.starts_with('@')) return argument;
  const auto path = argument.substr(1);
  std::ifstream file(path, std::ios::binary);
  return all_of(file, path);
}

// JSON without the white space around it (a file's last newline); the rest stays as it is.
Result<std::string> json_contents(const char* option, const std::string& argument,
                                  const Invocation& invocation) {
  auto text = contents(argument, invocation);
  if (!text || text->empty()) return text;
  if (auto json = JsonReader().check(*text); !json)
    return usage(fmt::format("{} is {}{}", option, json.error().message,
                             std::string_view(option) == "--data"
                                 ? " (for anything else, say what with --content-type)"
                                 : ""));
  const auto first = text->find_first_not_of(" \t\r\n");
  return text->substr(first, text->find_last_not_of(" \t\r\n") - first + 1);
}

bool is_json(const std::string& content_type) {
  return content_type.empty() || content_type == "application/json" ||
         content_type.ends_with("+json");
}

Result<NewEvent> to_event(const AppendOptions& options, const Invocation& invocation) {
  NewEvent event{.stream = options.stream, .type = options.type};
  event.content_type = options.content_type;
  auto data = is_json(options.content_type) ? json_contents("--data", options.data, invocation)
                                            : contents(options.data, invocation);
  if (!data) return std::unexpected(data.error());
  event.data = std::move(*data);
  auto metadata = json_contents("--metadata", options.metadata, invocation);
  if (!metadata) return std::unexpected(metadata.error());
  event.metadata = std::move(*metadata);
  for (const auto& tag : options.tags) event.tags.emplace_back(tag);
  if (!options.id.empty()) {
    const auto id = EventId::parse(options.id);
    if (!id) return usage(fmt::format("--id {}: not a UUID", options.id));
    event.id = *id;
  }
  if (!options.time.empty()) {
    const auto time = parse_time(options.time);
    if (!time) return usage(fmt::format("--time: {}", time.error().message));
    event.time = *time;
  }
  return event;
}

// The checks, and for each how the user said it.
struct Checks {
  std::vector<Check> all{};
  std::vector<std::string> said{};

  // Refuses what no append may carry.
  Result<void> add(Check check, std::string text) {
    const auto alone = EncodedAppend::encode(
        {.checks = {check}, .tracking = {{.source = "esctl", .position = 1}}});
    if (!alone) return usage(fmt::format("{}: {}", text, without_field(alone.error())));
    all.push_back(std::move(check));
    said.push_back(std::move(text));
    return {};
  }
};

Result<Checks> to_checks(const AppendOptions& options) {
  Checks checks;
  const auto expect = to_expect(options.expect);
  if (!expect) return usage(fmt::format("--expect: {}", expect.error().message));
  if (expect->kind() != Expect::Kind::kAny) {
    checks.all.push_back(Check::stream(options.stream, *expect));
    checks.said.push_back("--expect " + options.expect);
  }
  const auto add_all = [&](const char* option, const std::vector<std::string>& texts,
                           auto to_check) -> Result<void> {
    for (const auto& text : texts) {
      auto check = to_check(text);
      if (!check) return std::unexpected(check.error());
      if (auto added = checks.add(std::move(*check), fmt::format("{} {}", option, text)); !added)
        return added;
    }
    return {};
  };
  if (auto added = add_all("--check", options.checks, to_stream_check); !added)
    return std::unexpected(added.error());
  if (auto added = add_all("--absent", options.absent, to_absent_check); !added)
    return std::unexpected(added.error());
  if (auto added = add_all("--unchanged", options.unchanged, to_unchanged_check); !added)
    return std::unexpected(added.error());
  return checks;
}

// "check 2: ...", the third of the append, called as the user said it.
std::string with_check_named(std::string message, const std::vector<std::string>& said) {
  constexpr std::string_view kCheck = "check ";
  const auto colon = message.find(':');
  if (!message.starts_with(kCheck) || colon == message.npos) return message;
  const auto index = to_number(std::string_view(message).substr(0, colon).substr(kCheck.size()));
  if (index && *index < said.size()) message.replace(0, colon, said[*index]);
  return message;
}

void print(const Appended& appended, const EventId& id, const Invocation& invocation) {
  if (invocation.json()) {
    nlohmann::ordered_json line{{"position", appended.last.value},
                                {"version", appended.version().value},
                                {"stream", appended.streams.back().stream},
                                {"id", to_string(id)},
                                {"committed", format_time(appended.committed)},
                                {"repeated", appended.repeated}};
    invocation.out() << line.dump() << std::endl;
    return;
  }
  invocation.out() << fmt::format("{}@{}  position {}  {}{}\n",
                                  printable(appended.streams.back().stream),
                                  appended.version().value, appended.last.value,
                                  format_time(appended.committed),
                                  appended.repeated ? "  (it was there already)" : "")
                   << std::flush;
}

Result<ExitCode> append(const AppendOptions& options, const Invocation& invocation) {
  if (options.data == "-" && options.metadata == "-")
    return usage("--data and --metadata cannot both come from standard input");
  auto event = to_event(options, invocation);
  if (!event) return std::unexpected(event.error());
  auto checks = to_checks(options);
  if (!checks) return std::unexpected(checks.error());
  const auto id = event->id;
  const auto encoded =
      EncodedAppend::encode({.events = {std::move(*event)}, .checks = checks->all});
  if (!encoded) return std::unexpected(encoded.error());
  const auto store = invocation.open(Purpose::kWrite);
  if (!store) return std::unexpected(store.error());
  const auto appended = (*store)->append(*encoded, invocation.call());
  if (!appended) {
    auto error = appended.error();
    error.message = with_check_named(std::move(error.message), checks->said);
    if (error.code == ErrorCode::kOutcomeUnknown) {
      error.message += fmt::format(". Repeat it with --id {}", to_string(id));
      error.detail = to_string(id);
    }
    return std::unexpected(std::move(error));
  }
  print(*appended, id, invocation);
  if (!invocation.out())
    return failed(
        fmt::format("cannot write to the output; the event is written, at position {}, "
                    "with id {}",
                    appended->last.value, to_string(id)));
  return ExitCode::kOk;
}

}  // namespace

void add_append(Commands& commands) {
  const auto options = std::make_shared<AppendOptions>();
  auto& command = commands.add(
      {.name = "append", .about = "Append one event to a stream", .examples = kExamples},
      [options](const Invocation& invocation) { return append(*options, invocation); });
  const auto texts = [&](const char* flag, std::vector<std::string>& out, const char* form,
                         const char* about) {
    command.add_option(flag, out, about)->allow_extra_args(false)->type_name(form);
  };
  command.add_option("STREAM", options->stream, "The stream")->required();
  command.add_option("--type", options->type, "What happened")->required();
  command
      .add_option("--data", options->data, "The event's data: JSON, @FILE, or - for standard input")
      ->type_name("JSON|@FILE|-");
  command.add_option("--metadata", options->metadata, "What is said about it")->type_name("JSON");
  texts("--tag", options->tags, "TAG", "A tag to find it by; repeated: several");
  command.add_option("--id", options->id, "Its id; the same id again is the same event")
      ->type_name("UUID");
  command.add_option("--time", options->time, "When it happened, in the author's eyes")
      ->type_name("TIME");
  command.add_option("--content-type", options->content_type, "Of the data; JSON without it")
      ->type_name("TYPE");
  command.add_option("--expect", options->expect, "What the stream must look like")
      ->type_name("any|none|exists|VERSION")
      ->capture_default_str();
  texts("--check", options->checks, "STREAM=none|exists|N", "What another stream must look like");
  texts("--absent", options->absent, "QUERY", "No event in the log may match");
  texts("--unchanged", options->unchanged, "QUERY@POSITION",
        "No event above the position may match");
}

}  // namespace esdb::tools
