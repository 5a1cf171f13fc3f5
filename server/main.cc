// esdb-server: a store's directory, offered to other processes.
#include <kj/async-io.h>
#include <kj/async-unix.h>
#include <malloc.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "esdb/default_socket.h"
#include "esdb/event_store.h"
#include "protocol/wakeful_loop.h"
#include "server/server.h"
#include "server/settings.h"

namespace esdb::server {
namespace {

enum ExitCode : int { kOk = 0, kError = 1, kUsage = 2, kRefusedStore = 65 };

int exit_code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return kUsage;
    case ErrorCode::kRefused:
    case ErrorCode::kCorrupt:
      return kRefusedStore;
    default:
      return kError;
  }
}

int fail(int code, const std::string& message) {
  std::fprintf(stderr, "esdb-server: %s\n", message.c_str());
  return code;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

struct CommandLine {
  Said said;
  std::string config;
  bool check_config = false;
};

bool looks_like_an_option(std::string_view word) { return word.size() > 1 && word[0] == '-'; }

std::string message_of(const CLI::App& app, const CLI::ParseError& wrong) {
  const std::string text = wrong.what();
  const auto option = text.substr(0, text.find(':'));
  const auto words = app.remaining(true);
  switch (static_cast<CLI::ExitCodes>(wrong.get_exit_code())) {
    case CLI::ExitCodes::ExtrasError:
      if (words.empty()) return text;
      return looks_like_an_option(words.front())
                 ? "there is no option \"" + words.front() + "\""
                 : "\"" + words.front() + "\" is one argument too many";
    case CLI::ExitCodes::ArgumentMismatch:
      if (text.find("At Most") != text.npos) return option + " is given more than once";
      return option + " needs a value behind it";
    case CLI::ExitCodes::ConversionError:
      return "--check-config takes no value";  // the only option that is no text first
    default:
      return text;
  }
}

// An exit code when there is nothing further to do.
std::optional<int> parse(int argc, char** argv, CommandLine& line) {
  CLI::App app{"Serves a store's directory to other processes on this machine.", "esdb-server"};
  std::string keys;
  for (const auto key : setting_keys()) keys.append(keys.empty() ? "" : ", ").append(key);
  app.footer(
      "TCP has no authentication yet: every local user can read and write the whole store through\n"
      "it. A Unix socket serves the user that the server runs as, and root.\n\n"
      "Keys of the configuration file, KEY = VALUE on a line each, with default and limits in\n"
      "docs/operations.md (installed as share/doc/esdb/docs/operations.md):\n  " +
      keys +
      "\n\nExamples:\n"
      "  esdb-server --data ./data\n"
      "  esdb-server --data /var/lib/esdb --listen unix:/run/esdb/esdb.sock "
      "--listen tcp:127.0.0.1:3732\n"
      "Exit codes: 0 stopped, 1 error, 2 usage or configuration, 65 damaged or refused store.");
  app.set_version_flag("--version", "esdb-server " ESDB_VERSION);
  std::string data, memory, level;
  std::vector<std::string> listen;
  app.add_option("--data", data, "the store's directory; made when missing")->type_name("DIR");
  app.add_option("--listen", listen,
                 "unix:PATH or tcp:HOST:PORT (loopback only); may be given several times. Default: "
                 "unix:$XDG_RUNTIME_DIR/esdb.sock, as a system service unix:/run/esdb/esdb.sock")
      ->type_name("ENDPOINT")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--memory", memory, "for arenas, ids and index; at least 48MiB, default 512MiB")
      ->type_name("SIZE");
  app.add_option("--config", line.config, "settings in TOML; the command line is stronger")
      ->type_name("FILE");
  app.add_flag("--check-config", line.check_config, "say whether the settings are sound, and exit");
  app.add_option("--log-level", level, "debug, info, warning or error; default info")
      ->type_name("LEVEL");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked_for_text) {
    return app.exit(asked_for_text);
  } catch (const CLI::ParseError& wrong) {
    return fail(kUsage, message_of(app, wrong) + "; see 'esdb-server --help'");
  }
  if (!data.empty()) line.said.data = {.value = data, .where = "--data"};
  for (auto& endpoint : listen)
    line.said.listen.push_back({.value = std::move(endpoint), .where = "--listen"});
  if (!memory.empty()) {
    auto size = parse_size(memory);
    if (!size) return fail(kUsage, "--memory: " + size.error().message);
    line.said.numbers["memory"] = {.value = *size, .where = "--memory"};
  }
  if (!level.empty()) {
    auto parsed = parse_log_level(level);
    if (!parsed) return fail(kUsage, "--log-level: " + parsed.error().message);
    line.said.log_level = *parsed;
  }
  return std::nullopt;
}

Result<Settings> settings_of(const CommandLine& line) {
  Said file;
  if (!line.config.empty()) {
    auto read = read_configuration(line.config);
    if (!read) return std::unexpected(read.error());
    file = *std::move(read);
  }
  return settle(line.said, file,
                {.xdg_runtime_dir = environment("XDG_RUNTIME_DIR"),
                 .runtime_directory = environment("RUNTIME_DIRECTORY"),
                 .is_root = ::geteuid() == 0});
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      break;
  }
  return spdlog::level::err;
}

void start_log(LogLevel level) {
  spdlog::set_default_logger(spdlog::stderr_logger_mt("esdb-server"));
  // The journal has the time already.
  spdlog::set_pattern(std::getenv("JOURNAL_STREAM") ? "%l: %v" : "%Y-%m-%dT%H:%M:%S.%e %l: %v");
  spdlog::set_level(to_spdlog(level));
  spdlog::flush_on(spdlog::level::debug);
}

// Memory that answers were made in is kept for the next ones instead of being returned to the
// system, and touched anew, for each.
void keep_memory() {
  ::mallopt(M_ARENA_MAX, 2);
  ::mallopt(M_MMAP_THRESHOLD, 4 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 16 << 20);
}

// /run is empty when the machine starts, and only systemd, for a service, makes /run/esdb in it:
// for root at a terminal the server does, for itself alone. Every other directory is the operator's
// to make, and listening says when it is missing.
void make_default_directory(const Settings& settings) {
  for (const auto& endpoint : settings.listen)
    if (endpoint.path == kServiceSocket) ::mkdir("/run/esdb", 0700);
}

OpenOptions open_options(const Settings& settings) {
  return {.drive = Drive::kCaller,
          .log = [](std::string_view text) { spdlog::info("{}", text); },
          .memory = settings.memory,
          .write_unit = settings.write_unit,
          .segment_bytes = settings.segment_bytes,
          .event_bytes_max = settings.event_bytes_max,
          .append_bytes_max = settings.append_bytes_max,
          .announce = settings.listen.front().url()};
}

Options server_options(const Settings& settings) {
  return {.event_bytes_max = settings.event_bytes_max,
          .append_bytes_max = settings.append_bytes_max,
          .connections_max = settings.connections_max,
          .connections_per_peer_max = settings.connections_per_peer_max,
          .connections_unauthenticated_max = settings.connections_unauthenticated_max,
          .hello_time = std::chrono::milliseconds(settings.hello_time),
          .log = [](LogLevel level, std::string_view text) {
            spdlog::log(to_spdlog(level), "{}", text);
          }};
}

// From here on a further signal ends the process at once, which is safe: nothing was acknowledged
// that is not on disk.
void let_signals_end_the_process() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  std::signal(SIGTERM, SIG_DFL);
  std::signal(SIGINT, SIG_DFL);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

int serve(const Settings& settings, kj::AsyncIoContext& loop) {
  auto store = esdb::open(settings.data, open_options(settings));
  if (!store) return fail(exit_code_of(store.error().code), store.error().message);
  {
    Server server(loop, **store, server_options(settings));
    for (const auto& endpoint : settings.listen) {
      const auto urls = server.listen(endpoint);
      if (!urls) return fail(kError, urls.error().message);
      for (const auto& url : *urls) spdlog::info("{} is served at {}", settings.data, url);
    }
    ::sd_notify(0, "READY=1");
    auto& port = loop.unixEventPort;
    protocol::WakefulLoop wakeful(loop, server.arrivals());
    const auto signal = wakeful.run(port.onSignal(SIGTERM).exclusiveJoin(port.onSignal(SIGINT)));
    ::sd_notify(0, "STOPPING=1");
    spdlog::info("{}: stopping", signal.si_signo == SIGTERM ? "SIGTERM" : "SIGINT");
    let_signals_end_the_process();
    server.stop().wait(loop.waitScope);
  }
  (*store)->close();
  spdlog::info("stopped");
  return kOk;
}

int run(int argc, char** argv) {
  CommandLine line;
  if (const auto code = parse(argc, argv, line)) return *code;
  const auto settings = settings_of(line);
  if (!settings) return fail(kUsage, settings.error().message);
  if (line.check_config) {
    std::printf("The settings are sound: %s, served at", settings->data.c_str());
    for (const auto& endpoint : settings->listen) std::printf(" %s", endpoint.url().c_str());
    std::printf("\n");
    return kOk;
  }
  ::umask(0077);
  keep_memory();
  start_log(settings->log_level);
  make_default_directory(*settings);
  // Before any thread exists, so that all of them leave the signals to this one.
  kj::UnixEventPort::captureSignal(SIGTERM);
  kj::UnixEventPort::captureSignal(SIGINT);
  auto loop = kj::setupAsyncIo();
  return serve(*settings, loop);
}

}  // namespace
}  // namespace esdb::server

int main(int argc, char** argv) {
  try {
    return esdb::server::run(argc, argv);
  } catch (const std::exception& error) {
    return esdb::server::fail(esdb::server::kError, error.what());
  } catch (const kj::Exception& error) {
    return esdb::server::fail(esdb::server::kError, error.getDescription().cStr());
  }
}
