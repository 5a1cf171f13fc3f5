#include "bench/limits.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

#include "bench/scratch.h"

namespace esdb::bench {
namespace {

constexpr std::size_t kBlock = 4096;
constexpr std::size_t kMessage = 256;

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

void read_all(int fd, char* into, std::size_t bytes) {
  while (bytes > 0) {
    const auto got = ::read(fd, into, bytes);
    if (got <= 0) fail("echo: read");
    into += got;
    bytes -= static_cast<std::size_t>(got);
  }
}

}  // namespace

Samples raw_durable_writes(const std::string& directory, std::size_t count) {
  const auto path = directory + "/raw";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_DIRECT | O_CLOEXEC, 0600);
  if (fd < 0) fail("raw writes: open");
  const std::size_t chunk = std::size_t{1} << 20;
  const std::unique_ptr<void, decltype(&std::free)> memory(std::aligned_alloc(kBlock, chunk),
                                                           &std::free);
  std::memset(memory.get(), 0, chunk);
  const std::size_t size = (count * kBlock + chunk - 1) / chunk * chunk;
  if (::fallocate(fd, 0, 0, static_cast<off_t>(size)) != 0) fail("raw writes: fallocate");
  for (std::size_t at = 0; at < size; at += chunk)
    if (::pwrite(fd, memory.get(), chunk, static_cast<off_t>(at)) < 0) fail("raw writes: zeroing");
  if (::fsync(fd) != 0) fail("raw writes: fsync");

  std::memset(memory.get(), 7, kBlock);
  Samples samples;
  for (std::size_t i = 0; i < count; ++i) {
    const iovec io{.iov_base = memory.get(), .iov_len = kBlock};
    const auto begin = Clock::now();
    if (::pwritev2(fd, &io, 1, static_cast<off_t>(i * kBlock), RWF_DSYNC) !=
        static_cast<ssize_t>(kBlock))
      fail("raw writes: pwritev2");
    samples.add(Clock::now() - begin);
  }
  ::close(fd);
  ::unlink(path.c_str());
  return samples;
}

Samples raw_echo(std::size_t count) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) fail("socketpair");
  std::thread other([&] {
    std::array<char, kMessage> message{};
    for (std::size_t i = 0; i < count; ++i) {
      read_all(ends[1], message.data(), message.size());
      if (::write(ends[1], message.data(), message.size()) < 0) fail("echo: write");
    }
  });
  Samples samples;
  std::array<char, kMessage> message{};
  for (std::size_t i = 0; i < count; ++i) {
    const auto begin = Clock::now();
    if (::write(ends[0], message.data(), message.size()) < 0) fail("echo: write");
    read_all(ends[0], message.data(), message.size());
    samples.add(Clock::now() - begin);
  }
  other.join();
  for (const int fd : ends) ::close(fd);
  return samples;
}

void tell_limits(benchmark::State& state, const std::string& directory) {
  state.counters["raw_us"] = raw_durable_writes(directory, scaled(1'000)).median();
  state.counters["echo_us"] = raw_echo(scaled(1'000)).median();
}

}  // namespace esdb::bench
