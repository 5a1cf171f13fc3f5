#include "tools/command.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>

#include "esdb/default_socket.h"
#include "tools/directory.h"

namespace esdb::tools {
namespace {

// What tells a usage error from an application's own refusal, which no store that esctl calls
// makes.
constexpr std::string_view kUsage = "usage";
constexpr std::string_view kNoStore = "no_store";

// Whether a process listens at a Unix socket, which it may do without answering: one that is
// stopped, or busy, is there all the same.
bool somebody_listens(std::string_view url) {
  constexpr std::string_view kUnix = "unix:";
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  if (!url.starts_with(kUnix) || url.size() - kUnix.size() >= sizeof at.sun_path) return false;
  url.substr(kUnix.size()).copy(at.sun_path, sizeof at.sun_path - 1);
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return false;
  const bool listens =
      ::connect(probe, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0 || errno == EAGAIN;
  ::close(probe);
  return listens;
}

}  // namespace

ExitCode exit_code_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::kConflict:
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kAlreadyTracked:
    case ErrorCode::kIdConflict:
      return ExitCode::kRefused;
    case ErrorCode::kOutcomeUnknown:
      return ExitCode::kOutcomeUnknown;
    case ErrorCode::kCorrupt:
    case ErrorCode::kRefused:
      return ExitCode::kDamaged;
    case ErrorCode::kRejected:
      return error.detail == kUsage ? ExitCode::kUsage : ExitCode::kError;
    case ErrorCode::kUnavailable:
      return error.detail == kNoStore ? ExitCode::kNoStore : ExitCode::kError;
    default:
      return ExitCode::kError;
  }
}

std::string_view name_of(const Error& error) {
  switch (exit_code_of(error)) {
    case ExitCode::kUsage:
      return kUsage;
    case ExitCode::kNoStore:
      return kNoStore;
    default:
      return to_string(error.code);
  }
}

std::unexpected<Error> usage(std::string message) {
  return std::unexpected(Error{
      .code = ErrorCode::kRejected, .message = std::move(message), .detail = std::string(kUsage)});
}

std::unexpected<Error> failed(std::string message) {
  return std::unexpected(Error{.code = ErrorCode::kFailed, .message = std::move(message)});
}

std::unexpected<Error> no_store(std::string message) {
  return std::unexpected(Error{.code = ErrorCode::kUnavailable,
                               .message = std::move(message),
                               .detail = std::string(kNoStore)});
}

Result<std::string> Invocation::store_url() const {
  if (!global.store.empty()) return global.store;
  if (const auto url = around.environment("ESDB_URL"); url && !url->empty()) return *url;
  const auto places = default_sockets(around.environment("XDG_RUNTIME_DIR").value_or(""));
  for (const auto& place : places) {
    const auto there =
        is_there(place,
                 "run esctl as the user that the server runs as, or name a store with "
                 "--store or ESDB_URL");
    if (!there) return std::unexpected(there.error());
    if (*there) return "unix:" + place;
  }
  return no_store(
      fmt::format("no server listens at {}: start esdb-server, or name a store with "
                  "--store or ESDB_URL",
                  fmt::join(places, " or ")));
}

Result<void> Invocation::can_follow(const std::string& url, std::string_view option) const {
  if (!is_directory_url(url)) return {};
  return usage(
      fmt::format("{} waits for what is written later, and nobody can write to {} while it is open "
                  "here: serve it with esdb-server, and give its URL",
                  option, url));
}

Result<std::shared_ptr<EventStore>> Invocation::open(Purpose purpose) const {
  const auto url = store_url();
  if (!url) return std::unexpected(url.error());
  return open(*url, purpose);
}

Result<std::shared_ptr<EventStore>> Invocation::open(const std::string& url,
                                                     Purpose purpose) const {
  OpenOptions options{.timeout = global.timeout_parsed};
  const bool directory = is_directory_url(url);
  if (directory) {
    if (auto usable = check_directory(url, purpose); !usable)
      return std::unexpected(usable.error());
  }
  if (directory && purpose == Purpose::kRead) {
    options.create = Create::kNever;
    options.access = Access::kReadOnly;
  }
  auto store = around.open(url, options);
  // Opening connects: a server that is away later is another matter.
  if (!store && !directory && store.error().code == ErrorCode::kUnavailable &&
      !somebody_listens(url))
    return no_store(store.error().message);
  if (!store && !directory && store.error().code == ErrorCode::kInvalidArgument)
    return usage(store.error().message);
  return store;
}

CLI::App& Commands::add(const CommandText& text, Body body) {
  auto* command = app_.add_subcommand(text.name, text.about);
  command->footer(
      "Of every command: --store URL, --json, --timeout DURATION (esctl --help).\n\n"
      "Examples:\n" +
      text.examples);
  bodies_.emplace_back(command, std::move(body));
  return *command;
}

const Body* Commands::chosen() const {
  for (const auto& [command, body] : bodies_) {
    if (command->parsed()) return &body;
  }
  return nullptr;
}

}  // namespace esdb::tools
