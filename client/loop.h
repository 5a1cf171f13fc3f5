// Loop: the thread on which a remote store talks to its server.
//
// Other threads reach what lives there (link, calls, cursors) only by post(). The thread takes no
// signals.
//
// Threads: post(), is_here() and close() from any; Inside from the loop's own.
#pragma once

#include <functional>
#include <future>
#include <optional>
#include <string_view>
#include <thread>

#include "client/address.h"
#include "esdb/error.h"
#include "protocol/loop_queue.h"

namespace esdb::client {

struct Inside;  // inside.h: what lives on the loop

class Loop {
 public:
  using Work = std::move_only_function<void(Inside&)>;

  Loop(Address address, std::function<void(std::string_view)> log);
  ~Loop();  // as close()
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Why the loop could not start, when it could not: the process has no descriptor left.
  const std::optional<Error>& failure() const { return failure_; }

  // False once the loop is closed: the work is then not run.
  bool post(Work work);
  bool is_here() const { return std::this_thread::get_id() == thread_.get_id(); }
  // Runs what was posted, then ends the thread. Not from the loop itself.
  void close();

 private:
  void run(const Address& address, const std::function<void(std::string_view)>& log,
           std::promise<void>& started);

  protocol::LoopQueue queue_;
  Inside* inside_ = nullptr;      // the loop's own
  bool ending_ = false;           // the loop's own
  std::optional<Error> failure_;  // set before the constructor returns
  std::thread thread_;
};

}  // namespace esdb::client
