// A server on a thread of this process, for tests: a store given by reference, offered at a scratch
// socket.
//
// Threads: that of the test.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "esdb/event_store.h"
#include "server/options.h"

namespace esdb::tests {

class RunningServer {
 public:
  // Listens at each endpoint: unix:PATH, tcp:HOST:PORT. The store outlives it.
  RunningServer(EventStore& store, const std::vector<std::string>& endpoints,
                server::Options options = {});
  ~RunningServer();  // stops it cleanly
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;

  const std::string& url(std::size_t index = 0) const { return urls_.at(index); }
  const Error* failure() const { return failure_ ? &*failure_ : nullptr; }
  std::string log() const;  // every line so far
  bool log_holds(std::string_view text,
                 std::chrono::milliseconds wait = std::chrono::seconds(10)) const;
  std::size_t connections();
  void stop();

 private:
  void run(EventStore& store, const std::vector<std::string>& endpoints, server::Options options);

  struct Control;
  std::unique_ptr<Control> control_;
  std::vector<std::string> urls_;
  std::optional<Error> failure_;
  mutable std::mutex mutex_;  // protects log_
  std::string log_;
  std::thread thread_;
};

}  // namespace esdb::tests
