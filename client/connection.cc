#include "client/connection.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "protocol/socket_stream.h"
#include "protocol/wire.h"

namespace esdb::client {
namespace {

constexpr auto kGreetingTime = 5 * kj::SECONDS;
constexpr int kSocketBufferBytes = 2 << 20;

Error unavailable(std::string message) {
  return {.code = ErrorCode::kUnavailable, .message = std::move(message)};
}

std::string what_to_do(const Address& address, int error) {
  if (address.kind == Address::Kind::kUnix && error == ENOENT)
    return ": no server made that socket; start one with esdb-server --data DIR --listen " +
           address.url();
  if (error == ECONNREFUSED) {
    const auto endpoint = address.kind == Address::Kind::kUnix
                              ? address.url()
                              : "tcp:" + address.host + ":" + std::to_string(address.port);
    return ": no server listens there; start one with esdb-server --data DIR --listen " + endpoint;
  }
  if (error == EACCES)
    return ": the socket, or a directory on the way to it, is another user's; connect as the user "
           "that the server runs as";
  return {};
}

// That this user may not connect does not pass by waiting.
Error unreachable(const Address& address, int error) {
  return {.code = error == EACCES ? ErrorCode::kDenied : ErrorCode::kUnavailable,
          .message = address.url() + ": " + std::generic_category().message(error) +
                     what_to_do(address, error)};
}

// A Unix socket connects at once or not at all.
Result<kj::AutoCloseFd> connect_unix(const Address& address) {
  kj::AutoCloseFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) return std::unexpected(unreachable(address, errno));
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  std::memcpy(at.sun_path, address.path.c_str(), address.path.size() + 1);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&at), sizeof(at)) != 0)
    return std::unexpected(unreachable(address, errno));
  return kj::mv(socket);
}

kj::Promise<Result<kj::Own<kj::AsyncIoStream>>> connect(kj::AsyncIoContext& loop,
                                                        const Address& address) {
  using Connected = Result<kj::Own<kj::AsyncIoStream>>;
  if (address.kind == Address::Kind::kUnix) {
    auto socket = connect_unix(address);
    if (!socket) return Connected(std::unexpected(socket.error()));
    return Connected(kj::heap<protocol::SocketStream>(loop.unixEventPort, *std::move(socket)));
  }
  return loop.provider->getNetwork()
      .parseAddress(kj::heapString(address.host.c_str()), address.port)
      .then([](kj::Own<kj::NetworkAddress> at) { return at->connect().attach(kj::mv(at)); })
      .then(
          [&loop](kj::Own<kj::AsyncIoStream> socket) -> Connected {
            int own = -1;
            const int connected = KJ_ASSERT_NONNULL(socket->getFd());
            KJ_SYSCALL(own = ::fcntl(connected, F_DUPFD_CLOEXEC, 0));
            return kj::heap<protocol::SocketStream>(loop.unixEventPort, kj::AutoCloseFd(own));
          },
          [address](kj::Exception&& error) -> Connected {
            const std::string what = error.getDescription().cStr();
            const bool nobody = what.find("refused") != std::string::npos;
            return std::unexpected(unavailable(address.url() + ": " +
                                               what.substr(0, what.find('\n')) +
                                               what_to_do(address, nobody ? ECONNREFUSED : 0)));
          });
}

void tune(kj::AsyncIoStream& socket, const Address& address) {
  const int on = 1;
  socket.setsockopt(SOL_SOCKET, SO_SNDBUF, &kSocketBufferBytes, sizeof(kSocketBufferBytes));
  socket.setsockopt(SOL_SOCKET, SO_RCVBUF, &kSocketBufferBytes, sizeof(kSocketBufferBytes));
  if (address.kind == Address::Kind::kTcp)
    socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

}  // namespace

kj::Promise<Result<kj::Own<Connection>>> Connection::open(kj::AsyncIoContext& loop,
                                                          const Address& address) {
  using Opened = Result<kj::Own<Connection>>;
  auto& timer = loop.provider->getTimer();
  auto late = timer.afterDelay(kGreetingTime).then([url = address.url()]() -> Opened {
    return std::unexpected(unavailable(url + ": what listens there does not answer"));
  });
  return connect(loop, address)
      .then([&timer, address](Result<kj::Own<kj::AsyncIoStream>> socket) -> kj::Promise<Opened> {
        if (!socket) return Opened(std::unexpected(socket.error()));
        tune(*socket.value(), address);
        auto connection = kj::heap<Connection>((*std::move(socket)), timer, address.url());
        auto greeting = connection->greet();
        return greeting.then([connection = kj::mv(connection)](Result<void> greeted) mutable {
          if (!greeted) return Opened(std::unexpected(greeted.error()));
          return Opened(kj::mv(connection));
        });
      })
      .exclusiveJoin(kj::mv(late));
}

Connection::Connection(kj::Own<kj::AsyncIoStream> socket, kj::Timer& timer, std::string url)
    : url_(std::move(url)),
      stream_(kj::mv(socket), timer, {.message_bytes = protocol::kMessageBytesMax}),
      network_(stream_, 0, capnp::rpc::twoparty::Side::CLIENT, protocol::reader_options()),
      rpc_(capnp::makeRpcClient(network_)) {}

kj::Promise<Result<void>> Connection::greet() {
  capnp::MallocMessageBuilder message;
  auto server = message.initRoot<capnp::rpc::twoparty::VatId>();
  server.setSide(capnp::rpc::twoparty::Side::SERVER);
  auto bootstrap = rpc_.bootstrap(server).castAs<protocol::Bootstrap>();

  auto hello = bootstrap.helloRequest();
  hello.setVersionMin(protocol::PROTOCOL_VERSION_MIN);
  hello.setVersionMax(protocol::PROTOCOL_VERSION_MAX);
  hello.setClient("libesdb " ESDB_VERSION);
  auto credentials = bootstrap.authenticateRequest();
  credentials.setPeer();
  auto said = hello.send();
  auto known = credentials.send();  // at once: one round trip for both
  return said
      .then([this, known = kj::mv(known)](auto answer) mutable {
        return known.then(
            [this, answer = kj::mv(answer)](auto second) { return read_answers(answer, second); });
      })
      .catch_([this](kj::Exception&& error) -> Result<void> {
        return std::unexpected(not_greeted(error));
      });
}

Result<void> Connection::read_answers(protocol::HelloResult::Reader hello,
                                      protocol::AuthenticateResult::Reader answer) {
  const auto refused = [this](protocol::Error::Reader from) {
    auto error = protocol::get(from);
    error.message.insert(0, url_ + ": ");
    return std::unexpected(std::move(error));
  };
  if (!hello.isServer()) return refused(hello.getError());
  const auto server = hello.getServer();
  welcome_ = {.program = protocol::to_string(server.getProgram()),
              .store_id = protocol::to_string(server.getStoreId()),
              .message_bytes = server.getLimits().getMessageBytes(),
              .calls = server.getLimits().getCalls()};
  if (!answer.isSession()) return refused(answer.getError());
  session_ = answer.getSession();
  return {};
}

Error Connection::not_greeted(const kj::Exception& error) const {
  if (stream_.is_foreign())
    return {.code = ErrorCode::kUnsupported,
            .message = url_ + ": what listens there speaks " +
                       std::string(protocol::in_words(stream_.speech())) +
                       ": it is no esdb-server; check the address"};
  if (error.getType() == kj::Exception::Type::UNIMPLEMENTED)
    return {.code = ErrorCode::kUnsupported,
            .message = url_ +
                       ": what listens there speaks Cap'n Proto, but is no esdb-server of "
                       "this kind; check the address"};
  if (!stream_.has_received())
    return unavailable(url_ +
                       ": what listens there closed the connection without a word: it has "
                       "far too many connections, serves another user, or is no esdb-server");
  return unavailable(url_ + ": the connection broke before the server had said hello");
}

Error Connection::reason() const {
  if (!cut_.empty()) return unavailable(url_ + ": " + cut_);
  if (!stream_.failure().empty())
    return unavailable(url_ + ": the connection broke: " + stream_.failure());
  return unavailable(url_ + ": the server closed the connection");
}

void Connection::cut(std::string why) {
  if (cut_.empty()) cut_ = std::move(why);
  stream_.cut();
}

}  // namespace esdb::client
