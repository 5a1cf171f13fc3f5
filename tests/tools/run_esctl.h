// Runs esctl's commands in this process, on one store, and keeps what they printed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "esdb/event_store.h"
#include "tests/fixtures/reference_store.h"
#include "tools/esctl.h"

namespace esdb::tools::testing {

struct Outcome {
  int code = -1;
  std::string out{}, err{};
};

class RunEsctl {
 public:
  RunEsctl() : store(fixtures::make_reference_store()) {}

  Outcome operator()(const std::vector<std::string>& words, const std::string& input = {}) {
    std::istringstream in(input);
    std::ostringstream out, err;
    const Surroundings around{
        .in = in,
        .out = out,
        .err = err,
        .terminal = terminal,
        .environment =
            [this](const char* name) {
              const auto found = environment.find(name);
              return found == environment.end() ? std::nullopt : std::optional(found->second);
            },
        .open = [this](std::string_view url,
                       const OpenOptions& options) -> Result<std::shared_ptr<EventStore>> {
          opened.emplace_back(url);
          open_options = options;
          if (const auto other = others.find(std::string(url)); other != others.end())
            return other->second;
          return opener ? opener(url, options) : store;
        },
        .stop = stop.get_token()};
    Outcome outcome;
    outcome.code = static_cast<int>(run(words, around));
    outcome.out = out.str();
    outcome.err = err.str();
    return outcome;
  }

  std::shared_ptr<EventStore> store;
  std::map<std::string, std::shared_ptr<EventStore>> others{};  // by URL
  // Of every other URL; without one, each is that of `store`.
  std::function<Result<std::shared_ptr<EventStore>>(std::string_view, const OpenOptions&)> opener{};
  std::map<std::string, std::string> environment{{"ESDB_URL", "memory:test"}};
  Terminal terminal{};
  std::stop_source stop{};
  std::vector<std::string> opened{};
  OpenOptions open_options{};
};

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace esdb::tools::testing
