#include "server/connection.h"

#include <utility>

#include "protocol/wire.h"
#include "server/session.h"

namespace esdb::server {
namespace {

constexpr unsigned kComplaintsMax = 20;
constexpr auto kComplaintsTime = 1 * kj::MINUTES;

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

void Context::complain(std::string_view line) {
  if (timer.now() - complaining_since > kComplaintsTime) {
    if (complaints > kComplaintsMax)
      log(LogLevel::kWarning, std::to_string(complaints - kComplaintsMax) +
                                  " further complaints about peers were left out");
    complaining_since = timer.now();
    complaints = 0;
  }
  if (complaints++ < kComplaintsMax) log(LogLevel::kWarning, line);
}

Connection::Connection(std::shared_ptr<Context> context, std::uint64_t number, std::string peer,
                       Admission::Entry entry, kj::Own<kj::AsyncIoStream> socket)
    : context_(std::move(context)),
      peer_("connection " + std::to_string(number) + " (" + std::move(peer) + ")"),
      place_(std::move(entry.place)),
      allowance_(std::make_shared<Allowance>()),
      stream_(kj::mv(socket), context_->timer, stream_limits(context_->options)),
      network_(stream_, 0, capnp::rpc::twoparty::Side::SERVER, protocol::reader_options()),
      rpc_(capnp::makeRpcServer(network_, make_bootstrap({context_, allowance_}))),
      hello_timer_(context_->timer.afterDelay(to_kj(context_->options.hello_time))
                       .then([this]() {
                         late_ = true;
                         stream_.cut();
                       })
                       .eagerlyEvaluate(nullptr)) {
  allowance_->connection = number;
  allowance_->refusal = std::move(entry.refusal);
  allowance_->on_authenticated = [this]() { authenticated_now(); };
  rpc_.setFlowLimit(context_->options.flow_bytes / sizeof(capnp::word));
  context_->log(LogLevel::kDebug, peer_ + " opened");
}

Connection::~Connection() noexcept(false) { allowance_->abandon(); }

kj::Promise<void> Connection::run() {
  return network_.onDisconnect().then([this]() { tell_the_end(); });
}

void Connection::authenticated_now() {
  place_->authenticated();
  stream_.set_message_bytes_max(protocol::kMessageBytesMax);
  hello_timer_ = kj::READY_NOW;
}

bool Connection::is_quiet() const {
  return stream_.unsent_bytes() == 0 &&
         const_cast<capnp::TwoPartyVatNetwork&>(network_).getCurrentQueueCount() == 0;
}

void Connection::tell_the_end() const {
  if (stream_.is_foreign()) {
    context_->complain(peer_ + " spoke " + std::string(protocol::in_words(stream_.speech())) +
                       (stream_.speech() == protocol::Speech::kHttp2
                            ? ": clients of EventStoreDB and KurrentDB are not served here, use "
                              "those of esdb"
                            : ": it was closed"));
  } else if (allowance_->refusal) {
    context_->log(LogLevel::kDebug, peer_ + " was refused");
  } else if (late_) {
    context_->complain(peer_ + " did not say hello in time: it was closed");
  } else if (stream_.was_given_up()) {
    context_->complain(peer_ + " was closed: " + stream_.failure());
  } else {
    context_->log(LogLevel::kDebug, peer_ + " left");
  }
}

}  // namespace esdb::server
