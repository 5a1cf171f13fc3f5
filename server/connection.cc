#include "server/connection.h"

#include <utility>

#include "protocol/wire.h"
#include "server/session.h"

namespace esdb::server {
namespace {

// Before it has said who it is, a peer may send no more than hello and credentials.
constexpr std::size_t kStrangerMessageBytes = 64 * 1024;

kj::Duration to_kj(std::chrono::milliseconds duration) {
  return duration.count() * kj::MILLISECONDS;
}

protocol::MessageStream::Limits stream_limits(const Options& options) {
  return {.message_bytes = kStrangerMessageBytes,
          .message_time = to_kj(options.message_time),
          .write_time = to_kj(options.write_time)};
}

}  // namespace

Connection::Connection(Context& context, std::uint64_t number, std::string peer,
                       kj::Own<kj::AsyncIoStream> socket)
    : context_(context),
      peer_("connection " + std::to_string(number) + " (" + std::move(peer) + ")"),
      allowance_{.connection = number},
      stream_(kj::mv(socket), context.timer, stream_limits(context.options)),
      network_(stream_, 0, capnp::rpc::twoparty::Side::SERVER, protocol::reader_options()),
      rpc_(capnp::makeRpcServer(
          network_, make_bootstrap(context, allowance_, [this]() { authenticated_now(); }))),
      hello_timer_(context.timer.afterDelay(to_kj(context.options.hello_time))
                       .then([this]() {
                         late_ = true;
                         stream_.cut();
                       })
                       .eagerlyEvaluate(nullptr)) {
  rpc_.setFlowLimit(context.options.flow_bytes / sizeof(capnp::word));
  context_.log(LogLevel::kDebug, peer_ + " opened");
}

kj::Promise<void> Connection::run() {
  return network_.onDisconnect().then([this]() { tell_the_end(); });
}

void Connection::authenticated_now() {
  stream_.set_message_bytes_max(protocol::kMessageBytesMax);
  hello_timer_ = kj::READY_NOW;
}

bool Connection::is_quiet() const {
  return stream_.unsent_bytes() == 0 &&
         const_cast<capnp::TwoPartyVatNetwork&>(network_).getCurrentQueueCount() == 0;
}

void Connection::tell_the_end() const {
  if (stream_.is_foreign()) {
    context_.log(LogLevel::kWarning,
                 peer_ + " spoke " + std::string(protocol::in_words(stream_.speech())) +
                     (stream_.speech() == protocol::Speech::kHttp2
                          ? ": clients of EventStoreDB and KurrentDB are not served here, use "
                            "those of esdb"
                          : ": it was closed"));
  } else if (late_) {
    context_.log(LogLevel::kWarning, peer_ + " did not say hello in time: it was closed");
  } else if (stream_.was_given_up()) {
    context_.log(LogLevel::kWarning, peer_ + " was closed: " + stream_.failure());
  } else {
    context_.log(LogLevel::kDebug, peer_ + " left");
  }
}

}  // namespace esdb::server
