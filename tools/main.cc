// esctl's main(): the real streams, environment, stores and signals, given to run().
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tools/esctl.h"

namespace {

// Ctrl-C and SIGTERM ask the command to stop; a second one does not wait for it. The thread ends
// with the process: sigwait() cannot be told to.
void stop_on_signals(std::stop_source stop) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([stop = std::move(stop), signals]() mutable {
    for (int signal = 0; sigwait(&signals, &signal) == 0;) {
      if (!stop.request_stop()) std::_Exit(128 + signal);
    }
  }).detach();
}

std::optional<std::string> environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

esdb::Result<std::shared_ptr<esdb::EventStore>> open_store(std::string_view url,
                                                           const esdb::OpenOptions& options) {
  auto store = esdb::open(url, options);
  if (!store) return std::unexpected(store.error());
  return std::shared_ptr<esdb::EventStore>(std::move(*store));
}

}  // namespace

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  std::cin.tie(nullptr);
  std::stop_source stop;
  stop_on_signals(stop);
  const auto color = environment("NO_COLOR").value_or("").empty() ? esdb::tools::Color::kAllowed
                                                                  : esdb::tools::Color::kUnwanted;
  const esdb::tools::Surroundings around{.in = std::cin,
                                         .out = std::cout,
                                         .err = std::cerr,
                                         .terminal = esdb::tools::this_terminal(color),
                                         .environment = environment,
                                         .open = open_store,
                                         .stop = stop.get_token()};
  const std::vector<std::string> words(argv + 1, argv + argc);
  return static_cast<int>(esdb::tools::run(words, around));
}
