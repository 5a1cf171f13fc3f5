#include "protocol/message_stream.h"

#include <kj/debug.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace esdb::protocol {
namespace {

constexpr std::size_t kReadAheadBytes = 64 * 1024;
constexpr std::size_t kSegmentsMax = 512;  // as Cap'n Proto's own reader allows
constexpr std::size_t kProgressBytes = 64 * 1024;
constexpr std::size_t kGatheredBytesMax = 16 * 1024;  // larger messages are written where they lie
constexpr std::size_t kPendingBytesMax = 256 * 1024;
// A turn may be long, and the peer has nothing to do meanwhile: so much goes at once.
constexpr std::size_t kFlushBytes = 16 * 1024;

static_assert((kSegmentsMax / 2 + 1) * sizeof(capnp::word) < kReadAheadBytes,
              "a whole segment table fits into the read-ahead buffer");

// A message in one piece of memory of its own.
class OwnedMessage final : public capnp::MessageReader {
 public:
  OwnedMessage(capnp::ReaderOptions limits, kj::Array<capnp::word> words,
               const std::vector<std::uint32_t>& sizes)
      : MessageReader(limits), words_(kj::mv(words)) {
    segments_.reserve(sizes.size());
    std::size_t at = 0;
    for (auto size : sizes) {
      segments_.push_back(words_.slice(at, at + size).asConst());
      at += size;
    }
  }
  kj::ArrayPtr<const capnp::word> getSegment(kj::uint id) override {
    return id < segments_.size() ? segments_[id] : nullptr;
  }

 private:
  kj::Array<capnp::word> words_;
  std::vector<kj::ArrayPtr<const capnp::word>> segments_;
};

std::size_t bytes_of(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) {
  std::size_t words = segments.size() / 2 + 1;
  for (const auto& segment : segments) words += segment.size();
  return words * sizeof(capnp::word);
}

// The segment table: count - 1, then each size in words, padded to a word. Little-endian, as this
// machine is.
std::vector<std::uint32_t> table_of(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) {
  std::vector<std::uint32_t> table((segments.size() + 2) & ~std::size_t{1});
  table[0] = static_cast<std::uint32_t>(segments.size() - 1);
  for (std::size_t i = 0; i < segments.size(); ++i)
    table[i + 1] = static_cast<std::uint32_t>(segments[i].size());
  return table;
}

bool is_http2_settings(std::string_view bytes) {
  // A server's first frame: length (a multiple of 6), type 4, flags 0, stream 0.
  return bytes.size() >= 9 && bytes[0] == 0 && bytes[1] == 0 &&
         static_cast<unsigned char>(bytes[2]) % 6 == 0 && bytes[3] == 4 &&
         bytes.substr(4, 5) == std::string_view("\0\0\0\0\0", 5);
}

}  // namespace

Speech recognise(std::string_view bytes) {
  if (bytes.starts_with("PRI * HT") || is_http2_settings(bytes)) return Speech::kHttp2;
  for (std::string_view method : {"GET ", "POST ", "PUT ", "HEAD ", "DELETE ", "OPTIONS ", "HTTP/"})
    if (bytes.starts_with(method)) return Speech::kHttp1;
  if (bytes.size() >= 3 && bytes[1] == 3 && bytes[0] >= 0x14 && bytes[0] <= 0x17)
    return Speech::kTls;
  return bytes.starts_with("SSH-") ? Speech::kSsh : Speech::kUnknown;
}

std::string_view in_words(Speech speech) {
  switch (speech) {
    case Speech::kHttp2:
      return "HTTP/2 (as EventStoreDB, KurrentDB and gRPC speak it)";
    case Speech::kHttp1:
      return "HTTP";
    case Speech::kTls:
      return "TLS";
    case Speech::kSsh:
      return "SSH";
    case Speech::kUnknown:
      break;
  }
  return "something that is not this protocol";
}

MessageStream::MessageStream(kj::Own<kj::AsyncIoStream> socket, kj::Timer& timer, Limits limits)
    : socket_(kj::mv(socket)),
      timer_(timer),
      limits_(limits),
      buffer_(kj::heapArray<kj::byte>(kReadAheadBytes)),
      deadline_(timer.now()),
      tail_(kj::Promise<void>(kj::READY_NOW).fork()),
      flushing_(kj::READY_NOW) {}

void MessageStream::give_up(std::string why, bool foreign) {
  if (failure_.empty()) failure_ = std::move(why), given_up_ = true;
  if (foreign) {
    foreign_ = true;
    speech_ = recognise(begun());
  }
  kj::throwFatalException(kj::Exception(kj::Exception::Type::DISCONNECTED, "connection", 0,
                                        kj::heapString(failure_.c_str())));
}

void MessageStream::cut() {
  socket_->abortRead();
  socket_->shutdownWrite();
}

// ---- reading

kj::Promise<MessageStream::Received> MessageStream::tryReadMessage(kj::ArrayPtr<kj::AutoCloseFd>,
                                                                   capnp::ReaderOptions options,
                                                                   kj::ArrayPtr<capnp::word>) {
  return kj::evalNow([&]() { return read_one(options); });
}

bool MessageStream::parse_header(Header& header) {
  if (buffered() < sizeof(capnp::word)) return false;
  const auto* at = buffer_.begin() + begin_;
  const auto number = [&](std::size_t index) {
    std::uint32_t value;
    std::memcpy(&value, at + index * sizeof(value), sizeof(value));
    return value;
  };
  const std::uint64_t count = std::uint64_t{number(0)} + 1;
  if (count > kSegmentsMax)
    give_up(first_ ? "it does not speak this protocol"
                   : "a message of " + std::to_string(count) + " segments, at most " +
                         std::to_string(kSegmentsMax),
            first_);
  header.bytes = (static_cast<std::size_t>(count) / 2 + 1) * sizeof(capnp::word);
  if (buffered() < header.bytes) return false;
  header.segments.resize(count);
  header.words = 0;
  for (std::size_t i = 0; i < count; ++i) header.words += header.segments[i] = number(i + 1);
  if (header.words * sizeof(capnp::word) > limits_.message_bytes)
    give_up("a message of " + std::to_string(header.words * sizeof(capnp::word)) +
                " bytes, at most " + std::to_string(limits_.message_bytes),
            first_ && recognise(begun()) != Speech::kUnknown);
  return true;
}

kj::Promise<MessageStream::Received> MessageStream::read_one(capnp::ReaderOptions options) {
  Header header;
  if (parse_header(header)) return read_rest(options, std::move(header));
  return fill().then([this, options](bool more) -> kj::Promise<Received> {
    if (!more) return Received(nullptr);
    return read_one(options);
  });
}

kj::Promise<MessageStream::Received> MessageStream::read_rest(capnp::ReaderOptions options,
                                                              Header header) {
  begin_ += header.bytes;
  auto words = kj::heapArray<capnp::word>(header.words);
  kj::ArrayPtr<kj::byte> bytes = words.asBytes();
  const auto here = std::min(buffered(), bytes.size());
  std::memcpy(bytes.begin(), buffer_.begin() + begin_, here);
  begin_ += here;
  auto finish = [this, options](kj::Array<capnp::word> whole,
                                const std::vector<std::uint32_t>& segments) -> Received {
    first_ = in_message_ = false;
    return capnp::MessageReaderAndFds{kj::heap<OwnedMessage>(options, kj::mv(whole), segments),
                                      nullptr};
  };
  if (here == bytes.size()) return finish(kj::mv(words), header.segments);
  kj::ArrayPtr<kj::byte> rest = bytes.slice(here, bytes.size());
  return read_words(rest).then(
      [finish, words = kj::mv(words), segments = std::move(header.segments)]() mutable {
        return finish(kj::mv(words), segments);
      });
}

kj::Promise<void> MessageStream::read_words(kj::ArrayPtr<kj::byte> rest) {
  if (rest.size() == 0) return kj::READY_NOW;
  const auto least = std::min(rest.size(), kProgressBytes);
  return in_time(socket_->tryRead(rest.begin(), least, rest.size()))
      .then([this, rest, least](std::size_t bytes) mutable {
        if (bytes < least) give_up(failure_.empty() ? "it left within a message" : failure_);
        count(bytes);
        return read_words(rest.slice(bytes, rest.size()));
      });
}

kj::Promise<bool> MessageStream::fill() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (end_ == buffer_.size()) {
    std::memmove(buffer_.begin(), buffer_.begin() + begin_, buffered());
    end_ -= begin_;
    begin_ = 0;
  }
  return in_time(socket_->tryRead(buffer_.begin() + end_, 1, buffer_.size() - end_))
      .then([this](std::size_t bytes) {
        if (bytes == 0 && !failure_.empty()) give_up(failure_);
        if (bytes == 0 && buffered() != 0) give_up("it left within a message");
        end_ += bytes;
        count(bytes);
        return bytes != 0;
      });
}

// Waits without end between messages; within one, as long as its bytes keep coming.
kj::Promise<std::size_t> MessageStream::in_time(kj::Promise<std::size_t> reading) {
  const bool has_begun = buffered() != 0 || begin_ != 0 || in_message_;
  if (!has_begun) return reading;
  if (!in_message_) {
    in_message_ = true;
    progress_ = 0;
    deadline_ = timer_.now() + limits_.message_time;
  }
  return reading.exclusiveJoin(timer_.atTime(deadline_).then(
      [this]() -> kj::Promise<std::size_t> { give_up("it stalled within a message"); }));
}

void MessageStream::count(std::size_t bytes) {
  received_ += bytes;
  progress_ += bytes;
  if (progress_ < kProgressBytes) return;
  progress_ = 0;
  deadline_ = timer_.now() + limits_.message_time;
}

// ---- writing

kj::Promise<void> MessageStream::writeMessage(
    kj::ArrayPtr<const int>, kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) {
  if (!failure_.empty())
    return kj::Exception(kj::Exception::Type::DISCONNECTED, "connection", 0,
                         kj::heapString(failure_.c_str()));
  if (bytes_of(segments) > kGatheredBytesMax) return drain(segments);
  append_pending(segments);
  if (pending_.size() > kPendingBytesMax) return drain(nullptr);
  if (pending_.size() > kFlushBytes && writing_ == 0) {
    auto written = drain(nullptr);  // goes on without it; failure() tells
    return kj::READY_NOW;
  }
  schedule_flush();
  return kj::READY_NOW;
}

kj::Promise<void> MessageStream::writeMessages(
    kj::ArrayPtr<kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>>> messages) {
  auto written = kj::Promise<void>(kj::READY_NOW);
  for (const auto& segments : messages)
    written = written.then([this, segments]() { return writeMessage(nullptr, segments); });
  return written;
}

void MessageStream::append_pending(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) {
  const auto table = table_of(segments);
  const auto append = [this](const void* bytes, std::size_t size) {
    const auto* from = static_cast<const kj::byte*>(bytes);
    pending_.insert(pending_.end(), from, from + size);
  };
  append(table.data(), table.size() * sizeof(table[0]));
  for (const auto& segment : segments) append(segment.begin(), segment.asBytes().size());
}

// At the end of the turn, when nothing else is left to do: everything the turn wrote goes at once.
void MessageStream::schedule_flush() {
  if (scheduled_) return;
  scheduled_ = true;
  flushing_ = kj::evalLast([this]() {
                scheduled_ = false;
                auto written = drain(nullptr);  // goes on without it; failure() tells
              }).eagerlyEvaluate(nullptr);
}

// Writes what is pending and then `segments`, after everything that is being written.
kj::Promise<void> MessageStream::drain(
    kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) {
  tail_ = tail_.addBranch()
              .then([this, segments]() { return write_all(segments); })
              .catch_([this](kj::Exception&& error) {
                if (failure_.empty()) failure_ = "it left while it was written to";
                socket_->abortRead();
                kj::throwFatalException(kj::mv(error));
              })
              .fork();
  return tail_.addBranch();
}

kj::Promise<void> MessageStream::write_all(
    kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) {
  auto gathered = std::exchange(pending_, {});
  auto table = segments.size() == 0 ? std::vector<std::uint32_t>{} : table_of(segments);
  auto pieces = kj::heapArrayBuilder<kj::ArrayPtr<const kj::byte>>(segments.size() + 2);
  std::size_t bytes = 0;
  const auto add = [&](const void* data, std::size_t size) {
    if (size != 0) pieces.add(kj::arrayPtr(static_cast<const kj::byte*>(data), size));
    bytes += size;
  };
  add(gathered.data(), gathered.size());
  add(table.data(), table.size() * sizeof(std::uint32_t));
  for (const auto& segment : segments) add(segment.begin(), segment.asBytes().size());
  if (bytes == 0) return kj::READY_NOW;
  writing_ += bytes;
  // The builder may be partly filled, which finish() does not allow: the slice is what counts.
  auto list = kj::heapArray<kj::ArrayPtr<const kj::byte>>(pieces.begin(), pieces.size());
  const auto view = list.asPtr();
  return socket_->write(view)
      .exclusiveJoin(timer_.afterDelay(limits_.write_time).then([this]() -> kj::Promise<void> {
        give_up("it does not read what it asked for");
      }))
      .then([this, bytes]() { writing_ -= bytes; })
      .attach(kj::mv(list), std::move(gathered), std::move(table));
}

kj::Maybe<int> MessageStream::getSendBufferSize() {
  int size = 0;
  kj::uint length = sizeof(size);
  socket_->getsockopt(SOL_SOCKET, SO_SNDBUF, &size, &length);
  return size;
}

kj::Promise<void> MessageStream::end() {
  return drain(nullptr).then([this]() { socket_->shutdownWrite(); });
}

}  // namespace esdb::protocol
