// Socket stream: a connected socket as one of KJ's streams, which is woken only by what it waits
// for.
//
// KJ's own asks the kernel to say when there is room to write as well as when there is something to
// read, so a thread that waits for an answer is woken first when its peer has read the question:
// twice a call somebody wakes for nothing, which costs 5 us each on a machine with processors to
// spare and more than that where one has to be woken. This one asks for room only after a write
// found none. And where a read came back short, it knows without another that nothing is left.
//
// Threads: that of its event loop.
#pragma once

#include <kj/async-io.h>
#include <kj/async-unix.h>
#include <kj/io.h>

#include <cstddef>

namespace esdb::protocol {

class SocketStream final : public kj::AsyncIoStream {
 public:
  // The socket does not block. The port outlives the stream.
  SocketStream(kj::UnixEventPort& port, kj::AutoCloseFd socket);
  KJ_DISALLOW_COPY(SocketStream);

  kj::Promise<size_t> tryRead(void* into, size_t least, size_t most) override;
  kj::Promise<void> write(const void* bytes, size_t size) override;
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override;
  kj::Promise<void> whenWriteDisconnected() override;
  void shutdownWrite() override;
  void abortRead() override;
  void getsockopt(int level, int option, void* value, kj::uint* length) override;
  void setsockopt(int level, int option, const void* value, kj::uint length) override;
  kj::Maybe<int> getFd() const override { return socket_.get(); }

 private:
  // What of a read is done, and what of a write.
  struct Reading {
    kj::byte* into;
    size_t least;
    size_t most;
    size_t done = 0;
  };
  struct Writing {
    kj::ArrayPtr<const kj::byte> first;
    kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> rest;
  };
  kj::Promise<size_t> read_on(Reading reading);
  kj::Promise<void> write_on(Writing writing);
  bool write_some(Writing& writing);
  kj::Promise<void> room();

  kj::UnixEventPort& port_;
  kj::AutoCloseFd socket_;
  kj::UnixEventPort::FdObserver reads_;
  kj::Maybe<kj::Promise<void>> readable_;  // since nothing was left; nothing: it is not known
};

}  // namespace esdb::protocol
