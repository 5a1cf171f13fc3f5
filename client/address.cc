#include "client/address.h"

#include <sys/un.h>

#include <charconv>
#include <utility>

#include "protocol/wire.h"

namespace esdb::client {
namespace {

Result<Address> parse_unix(std::string_view url, std::string_view path) {
  if (path.empty()) return invalid_url(url, "the socket's path is missing");
  if (path.size() >= sizeof(sockaddr_un::sun_path))
    return invalid_url(url, "a Unix socket's path has at most " +
                                std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " bytes");
  return Address{.kind = Address::Kind::kUnix, .path = std::string(path)};
}

Result<Address> parse_tcp(std::string_view url, std::string_view rest) {
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find_first_of("/?#@") != std::string_view::npos)
    return invalid_url(url, "only a host and a port follow esdb://");
  std::string_view host = rest, digits;
  if (rest.starts_with('[')) {
    const auto end = rest.find(']');
    if (end == std::string_view::npos)
      return invalid_url(url, "the ] of an IPv6 address is missing");
    host = rest.substr(1, end - 1);
    digits = rest.substr(end + 1);
    if (!digits.empty() && !digits.starts_with(':'))
      return invalid_url(url, "only :PORT follows an IPv6 address");
  } else if (const auto colon = rest.find(':'); colon != std::string_view::npos) {
    host = rest.substr(0, colon);
    digits = rest.substr(colon);
    if (digits.find(':', 1) != std::string_view::npos)
      return invalid_url(url, "an IPv6 address goes in brackets: esdb://[::1]:3732");
  }
  if (host.empty()) return invalid_url(url, "the host is missing");
  Address address{
      .kind = Address::Kind::kTcp, .host = std::string(host), .port = protocol::kDefaultPort};
  if (digits.empty()) return address;
  digits.remove_prefix(1);
  const auto* end = digits.data() + digits.size();
  const auto [parsed, error] = std::from_chars(digits.data(), end, address.port);
  if (error != std::errc{} || parsed != end || address.port == 0)
    return invalid_url(url, "a port is a number from 1 to 65535");
  return address;
}

}  // namespace

std::unexpected<Error> invalid_url(std::string_view url, std::string_view why) {
  return std::unexpected(Error{
      .code = ErrorCode::kInvalidArgument,
      .message = "\"" + std::string(url.substr(0, 200)) + "\": " + std::string(why) +
                 "; a store is ./DIR, memory:, memory:NAME, unix:PATH or esdb://HOST[:PORT]"});
}

std::string Address::url() const {
  if (kind == Kind::kUnix) return "unix:" + path;
  const bool bracketed = host.find(':') != std::string::npos;
  return "esdb://" + (bracketed ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Address> parse_address(std::string_view url) {
  if (url.find('\0') != std::string_view::npos) return invalid_url(url, "it holds a NUL byte");
  if (url.starts_with("unix:")) return parse_unix(url, url.substr(5));
  if (url.starts_with("esdb://")) return parse_tcp(url, url.substr(7));
  if (url.starts_with("esdbs://"))
    return std::unexpected(
        Error{.code = ErrorCode::kUnsupported,
              .message = "\"" + std::string(url.substr(0, 200)) +
                         "\": this version has no TLS; use esdb:// on this machine, or a tunnel"});
  return invalid_url(url, "it is no address of a server");
}

}  // namespace esdb::client
