// Message stream: Cap'n Proto messages over a socket, gathered when written, guarded when read.
//
// Cap'n Proto 0.9.2's own writes each message alone, which ends at 50,000 calls a second; this one
// writes what one turn of the event loop made in pieces of 16 KiB, and reads ahead. It believes
// nothing that a message's header says before it has checked it: more segments than a message may
// have, or more bytes than the limit, end the connection before anything of that size is allocated.
// A peer that stalls within a message, or does not read what it asked for, is given up after a
// while.
//
// Threads: that of its event loop.
#pragma once

#include <capnp/serialize-async.h>
#include <kj/async-io.h>
#include <kj/timer.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace esdb::protocol {

// What the first bytes of a peer look like that does not speak Cap'n Proto.
enum class Speech : std::uint8_t { kUnknown, kHttp2, kHttp1, kTls, kSsh };
Speech recognise(std::string_view first_bytes);
// "HTTP/2 (as EventStoreDB, KurrentDB and gRPC speak it)": for a log or an error.
std::string_view in_words(Speech speech);

class MessageStream final : public capnp::MessageStream {
 public:
  struct Limits {
    std::size_t message_bytes = 64 * 1024;         // of one message that is received
    kj::Duration message_time = 10 * kj::SECONDS;  // for each 64 KiB of a message that has begun
    kj::Duration write_time = 30 * kj::SECONDS;    // for the peer to take what is written at once
  };

  // The timer outlives the stream.
  MessageStream(kj::Own<kj::AsyncIoStream> socket, kj::Timer& timer, Limits limits);
  KJ_DISALLOW_COPY(MessageStream);

  void set_message_bytes_max(std::size_t bytes) { limits_.message_bytes = bytes; }

  // Why it ended, in words; empty while it works, and where the peer closed it between two
  // messages.
  const std::string& failure() const { return failure_; }
  // True when this side ended it, because of what the peer did or did not do.
  bool was_given_up() const { return given_up_; }
  // True when what came first was no message; speech() then tells what it looked like.
  bool is_foreign() const { return foreign_; }
  Speech speech() const { return speech_; }
  bool has_received() const { return received_ != 0; }
  std::size_t unsent_bytes() const { return pending_.size() + writing_; }

  // Cuts both directions: the peer sees the end, and so does whoever reads here.
  void cut();

  kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>> tryReadMessage(
      kj::ArrayPtr<kj::AutoCloseFd> fd_space, capnp::ReaderOptions options,
      kj::ArrayPtr<capnp::word> scratch) override;
  kj::Promise<void> writeMessage(
      kj::ArrayPtr<const int> fds,
      kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) override;
  kj::Promise<void> writeMessages(
      kj::ArrayPtr<kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>>> messages) override;
  kj::Maybe<int> getSendBufferSize() override;
  kj::Promise<void> end() override;

 private:
  using Received = kj::Maybe<capnp::MessageReaderAndFds>;
  struct Header {
    std::size_t bytes = 0;  // of the table itself
    std::vector<std::uint32_t> segments{};
    std::uint64_t words = 0;
  };

  kj::Promise<Received> read_one(capnp::ReaderOptions options);
  kj::Promise<Received> read_rest(capnp::ReaderOptions options, Header header);
  kj::Promise<void> read_words(kj::ArrayPtr<kj::byte> rest);
  kj::Promise<bool> fill();  // false: the peer has left, between two messages
  bool parse_header(Header& header);
  kj::Promise<std::size_t> in_time(kj::Promise<std::size_t> reading);
  void count(std::size_t bytes);
  [[noreturn]] void give_up(std::string why, bool foreign = false);

  std::size_t buffered() const { return end_ - begin_; }
  std::string_view begun() const {
    return {reinterpret_cast<const char*>(buffer_.begin() + begin_), buffered()};
  }
  void append_pending(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments);
  void schedule_flush();
  kj::Promise<void> drain(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments);
  kj::Promise<void> write_all(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments);

  kj::Own<kj::AsyncIoStream> socket_;
  kj::Timer& timer_;
  Limits limits_;

  kj::Array<kj::byte> buffer_;  // what was read ahead: [begin_, end_)
  std::size_t begin_ = 0, end_ = 0;
  std::uint64_t received_ = 0;  // bytes, ever
  std::uint64_t progress_ = 0;  // bytes since the deadline was set
  kj::TimePoint deadline_;      // for the message that has begun
  bool in_message_ = false;
  bool first_ = true;  // no message was read yet
  bool foreign_ = false;
  bool given_up_ = false;
  Speech speech_ = Speech::kUnknown;
  std::string failure_;

  std::vector<kj::byte> pending_;  // to be written at the end of this turn
  std::size_t writing_ = 0;        // bytes handed to the socket and not yet taken
  bool scheduled_ = false;
  kj::ForkedPromise<void> tail_;  // done when everything handed to the socket was taken
  kj::Promise<void> flushing_;
};

}  // namespace esdb::protocol
