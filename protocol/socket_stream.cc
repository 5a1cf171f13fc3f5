#include "protocol/socket_stream.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <utility>

namespace esdb::protocol {
namespace {

constexpr std::size_t kPiecesMax = 64;  // of one call

using FdObserver = kj::UnixEventPort::FdObserver;

}  // namespace

SocketStream::SocketStream(kj::UnixEventPort& port, kj::AutoCloseFd socket)
    : port_(port), socket_(kj::mv(socket)), reads_(port, socket_.get(), FdObserver::OBSERVE_READ) {}

// ---- reading

kj::Promise<size_t> SocketStream::tryRead(void* into, size_t least, size_t most) {
  return kj::evalNow([&]() {
    return read_on({.into = static_cast<kj::byte*>(into), .least = least, .most = most});
  });
}

kj::Promise<size_t> SocketStream::read_on(Reading reading) {
  const auto wait = [this, reading](kj::Promise<void> readable) {
    return readable.then([this, reading]() { return read_on(reading); });
  };
  KJ_IF_MAYBE (readable, readable_) {
    // Once it is waited for here it is gone with this read, and the next one looks for itself.
    auto promise = kj::mv(*readable);
    readable_ = nullptr;
    return wait(kj::mv(promise));
  }
  const auto wanted = reading.most - reading.done;
  ssize_t count = 0;
  KJ_NONBLOCKING_SYSCALL(count = ::read(socket_.get(), reading.into + reading.done, wanted)) {
    return reading.done;
  }
  if (count < 0) return wait(reads_.whenBecomesReadable());
  if (count == 0) return reading.done;
  reading.done += static_cast<size_t>(count);
  const bool at_end = reads_.atEndHint().orDefault(false);
  const bool nothing_left = static_cast<size_t>(count) < wanted && !at_end;
  // The kernel tells of a change once: who waits must do so before the loop asks it again.
  if (nothing_left) readable_ = reads_.whenBecomesReadable();
  if (reading.done >= reading.least) return reading.done;
  return read_on(reading);
}

// ---- writing

kj::Promise<void> SocketStream::write(const void* bytes, size_t size) {
  return kj::evalNow([&]() {
    return write_on({.first = {static_cast<const kj::byte*>(bytes), size}, .rest = nullptr});
  });
}

kj::Promise<void> SocketStream::write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) {
  return kj::evalNow([&]() { return write_on({.first = nullptr, .rest = pieces}); });
}

kj::Promise<void> SocketStream::write_on(Writing writing) {
  while (writing.first.size() != 0 || writing.rest.size() != 0)
    if (!write_some(writing)) return room().then([this, writing]() { return write_on(writing); });
  return kj::READY_NOW;
}

// False: there is no room just now.
bool SocketStream::write_some(Writing& writing) {
  std::array<iovec, kPiecesMax> pieces;
  std::size_t count = 0;
  const auto add = [&](kj::ArrayPtr<const kj::byte> piece) {
    if (piece.size() != 0)
      pieces[count++] = {.iov_base = const_cast<kj::byte*>(piece.begin()), .iov_len = piece.size()};
  };
  add(writing.first);
  for (const auto& piece : writing.rest) {
    if (count == pieces.size()) break;
    add(piece);
  }
  if (count == 0) {
    writing = {.first = nullptr, .rest = nullptr};
    return true;
  }
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = count;
  ssize_t written = 0;
  KJ_NONBLOCKING_SYSCALL(written = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL)) {
    return false;
  }
  if (written < 0) return false;
  auto left = static_cast<size_t>(written);
  for (;;) {
    const auto taken = std::min(left, writing.first.size());
    writing.first = writing.first.slice(taken, writing.first.size());
    left -= taken;
    if (writing.first.size() != 0 || writing.rest.size() == 0) return true;
    writing.first = writing.rest.front();
    writing.rest = writing.rest.slice(1, writing.rest.size());
  }
}

// A second descriptor of the socket, so that it can be watched for this and for as long as needed.
kj::Promise<void> SocketStream::room() {
  int second = -1;
  KJ_SYSCALL(second = ::fcntl(socket_.get(), F_DUPFD_CLOEXEC, 0));
  auto watched = kj::heap<kj::AutoCloseFd>(second);
  auto observer = kj::heap<FdObserver>(port_, watched->get(), FdObserver::OBSERVE_WRITE);
  auto writable = observer->whenBecomesWritable();
  // The descriptor outlives who watches it.
  return writable.attach(kj::mv(observer)).attach(kj::mv(watched));
}

// ---- the rest

kj::Promise<void> SocketStream::whenWriteDisconnected() { return reads_.whenWriteDisconnected(); }

void SocketStream::shutdownWrite() {
  // A socket whose peer is gone is shut already.
  [[maybe_unused]] const int ended = ::shutdown(socket_.get(), SHUT_WR);
}

void SocketStream::abortRead() {
  [[maybe_unused]] const int ended = ::shutdown(socket_.get(), SHUT_RD);
}

void SocketStream::getsockopt(int level, int option, void* value, kj::uint* length) {
  socklen_t size = *length;
  KJ_SYSCALL(::getsockopt(socket_.get(), level, option, value, &size));
  *length = size;
}

void SocketStream::setsockopt(int level, int option, const void* value, kj::uint length) {
  KJ_SYSCALL(::setsockopt(socket_.get(), level, option, value, length));
}

}  // namespace esdb::protocol
