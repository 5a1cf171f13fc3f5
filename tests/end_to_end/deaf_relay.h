// Stands between a client and a server until the client sends a word; from then on it passes that
// on, and brings back no answer: what happens when a network goes away at the worst moment.
//
// Threads: that of the test; it works on one of its own.
#pragma once

#include <atomic>
#include <string>
#include <thread>

namespace esdb::end_to_end {

class DeafRelay {
 public:
  // Listens at a Unix socket and connects to another.
  DeafRelay(const std::string& at, const std::string& to, std::string word);
  ~DeafRelay();
  DeafRelay(const DeafRelay&) = delete;
  DeafRelay& operator=(const DeafRelay&) = delete;
  bool heard() const { return deaf_; }

 private:
  void run();
  void forward(int client, int server);

  std::string to_, word_;
  int listening_ = -1;
  std::atomic<bool> deaf_ = false, ending_ = false;
  std::thread thread_;
};

}  // namespace esdb::end_to_end
