// What a command is: a name, options, examples, and a body that is given the world it runs in.
//
// Nothing here reads the environment, opens a store or touches a standard stream on its own: main()
// gives the real ones, tests give theirs.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <istream>
#include <memory>
#include <optional>
#include <ostream>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "esdb/event_store.h"
#include "tools/terminal.h"

namespace CLI {
class App;
}

namespace esdb::tools {

enum class ExitCode : std::uint8_t {
  kOk = 0,
  kError = 1,
  kUsage = 2,
  kRefused = 3,         // by a check, an id or tracking
  kNoStore = 4,         // nothing answers there; not: this user may not look
  kOutcomeUnknown = 5,  // repeat with the same --id
  kDamaged = 65,        // the store is damaged, or did not open because of that
};
ExitCode exit_code_of(const Error& error);
std::string_view name_of(const Error& error);  // "conflict", "usage", "no_store"

// An error that means: the command line does not say what to do.
std::unexpected<Error> usage(std::string message);
// An error of the tool or the machine, not of the store.
std::unexpected<Error> failed(std::string message);

// An error that means: no store or server is there.
std::unexpected<Error> no_store(std::string message);

struct Surroundings {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  Terminal terminal{};
  std::function<std::optional<std::string>(const char* name)> environment{};
  std::function<Result<std::shared_ptr<EventStore>>(std::string_view url, const OpenOptions&)>
      open{};
  std::stop_token stop{};  // Ctrl-C
};

struct GlobalOptions {
  std::string store{};
  bool json = false;
  std::string timeout = "30s";
  std::chrono::milliseconds timeout_parsed{};
};

enum class Purpose : std::uint8_t {
  kRead,   // a directory must hold a store, and is not changed
  kWrite,  // a directory is made into one
};

// What a body is given.
struct Invocation {
  const Surroundings& around;
  const GlobalOptions& global;

  std::ostream& out() const { return around.out; }
  std::ostream& err() const { return around.err; }
  bool json() const { return global.json; }
  CallOptions call() const { return {.timeout = global.timeout_parsed, .stop = around.stop}; }

  // The store that --store, ESDB_URL or the default socket names.
  Result<std::shared_ptr<EventStore>> open(Purpose purpose) const;
  Result<std::shared_ptr<EventStore>> open(const std::string& url, Purpose purpose) const;
  Result<std::string> store_url() const;
  // A directory is opened as it is, and keeps writers out: there, nothing can come that `option`
  // waits for.
  Result<void> can_follow(const std::string& url, std::string_view option) const;
};

using Body = std::function<Result<ExitCode>(const Invocation&)>;

struct CommandText {
  std::string name{}, about{}, examples{};
};

// The commands and their bodies.
class Commands {
 public:
  explicit Commands(CLI::App& app) : app_(app) {}
  CLI::App& add(const CommandText& text, Body body);
  const Body* chosen() const;  // by the command line just read
  CLI::App& app() { return app_; }

 private:
  CLI::App& app_;
  std::vector<std::pair<CLI::App*, Body>> bodies_{};
};

}  // namespace esdb::tools
