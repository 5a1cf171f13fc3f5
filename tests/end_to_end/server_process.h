// An esdb-server of a test's own: started, stopped, killed and started again.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/end_to_end/process.h"
#include "tests/fixtures/scratch_directory.h"

namespace esdb::end_to_end {

struct Serving {
  std::string data = "data";  // its name in the scratch directory
  // Empty: one socket, at ServerProcess::url().
  std::vector<std::string> listen{};
  std::vector<std::string> arguments{};  // further ones
  std::vector<std::pair<std::string, std::string>> environment{};
};

// Arguments by which it keeps to the least memory and to the smallest segments, so that these fill
// within a test.
std::vector<std::string> small_server(const fixtures::ScratchDirectory& scratch);

// Threads: one.
class ServerProcess {
 public:
  ServerProcess(const fixtures::ScratchDirectory& scratch, Serving serving = {});
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // Until it says to whoever started it that it is ready (sd_notify). false: it ended instead.
  bool start();
  Ended kill();  // SIGKILL
  Ended stop();  // SIGTERM, and until it has ended
  Process& process() { return *process_; }
  std::string log() const { return process_->err(); }  // of the last start

  std::string url() const { return "unix:" + socket(); }
  std::string socket() const { return scratch_.path("esdb.sock"); }
  std::string data() const { return scratch_.path(serving_.data); }
  // Of the first TCP endpoint, as the log says it.
  std::optional<std::string> tcp_url() const;

 private:
  Command command() const;

  const fixtures::ScratchDirectory& scratch_;
  Serving serving_;
  int notified_ = -1;  // where readiness is told
  std::unique_ptr<Process> process_{};
};

}  // namespace esdb::end_to_end
