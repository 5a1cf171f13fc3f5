// A proxy between a client and a server that cuts their connections at random moments: after a
// number of bytes drawn from a seed, whatever is on its way is lost.
//
// Threads: that of the test; it works on one of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <random>
#include <string>
#include <thread>

namespace esdb::tests {

class CuttingProxy {
 public:
  struct Options {
    std::uint64_t seed = 0;
    std::uint64_t bytes_max = 50'000;  // a connection is cut within so many bytes, either way
  };
  // Listens at a Unix socket and connects to another.
  CuttingProxy(const std::string& at, const std::string& to, Options options);
  ~CuttingProxy();
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;

  void stop_cutting() { cutting_ = false; }  // from now on it only forwards
  unsigned cuts() const { return cuts_; }

 private:
  struct Pair;
  void run();

  std::string at_, to_;
  Options options_;
  std::mt19937_64 random_;
  std::atomic<bool> cutting_ = true, ending_ = false;
  std::atomic<unsigned> cuts_ = 0;
  int listening_ = -1;
  std::thread thread_;
};

}  // namespace esdb::tests
