// A peer that sends whatever bytes a test wants, and sees how the server takes it.
//
// Threads: that of the test.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace esdb::tests {

class RawPeer {
 public:
  explicit RawPeer(const std::string& path);  // of a Unix socket
  ~RawPeer();
  RawPeer(RawPeer&& other) noexcept;
  RawPeer& operator=(RawPeer&&) = delete;

  bool is_connected() const { return fd_ >= 0; }
  void send(std::string_view bytes);
  void send_words(const std::vector<std::uint32_t>& words);  // little-endian
  // Whether the server closes the connection within the time; what it sends meanwhile is dropped.
  bool is_closed_within(std::chrono::milliseconds time);

 private:
  int fd_ = -1;
};

}  // namespace esdb::tests
