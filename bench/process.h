// Programs run beside the benchmark: started, watched, ended.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace esdb::bench {

class Process {
 public:
  explicit Process(const std::vector<std::string>& arguments);
  ~Process();  // ends it with SIGTERM and waits
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  int wait();                               // until it ends by itself: its exit code, 128 + signal
  void wait_for_success(const char* what);  // or ends the measurement with its failure
  void kill();                              // as a crash would: with SIGKILL; waits
  // Its anonymous memory now, in bytes (RssAnon); 0 once it has ended.
  std::size_t anonymous_bytes() const;

 private:
  pid_t pid_ = -1;
};

// esdb-server on `directory`, listening at `listen` (unix:PATH or tcp:HOST:PORT), which a client
// opens as `url`; ready when this is made.
class ServerProcess {
 public:
  ServerProcess(const std::string& directory, const std::string& listen, const std::string& url,
                const std::vector<std::string>& more = {});
  pid_t pid() const { return process_.pid(); }
  void kill() { process_.kill(); }
  std::size_t anonymous_bytes() const { return process_.anonymous_bytes(); }

 private:
  Process process_;
};

}  // namespace esdb::bench
