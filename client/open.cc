// esdb::open: the one place that knows every kind of store.
#include <string>
#include <utility>

#include "client/address.h"
#include "client/named_memory.h"
#include "client/remote_store.h"
#include "esdb/event_store.h"
#include "storage/embedded_store.h"

namespace esdb {
namespace {

Result<std::unique_ptr<EventStore>> open_memory(std::string_view url, const OpenOptions& options) {
  const std::string name(url.substr(std::string_view("memory:").size()));
  if (name.empty()) return storage::open_memory(options);
  if (options.drive == Drive::kCaller)
    return client::invalid_url(
        url,
        "a store that is shared by name drives itself: open it with kOwnThread, or "
        "memory: without a name");
  return client::open_named_memory(name, [&]() { return storage::open_memory(options); });
}

bool names_a_server(std::string_view url) {
  return url.starts_with("unix:") || url.starts_with("esdb://") || url.starts_with("esdbs://");
}

}  // namespace

Result<std::unique_ptr<EventStore>> open(std::string_view url, const OpenOptions& options) {
  if (url.empty()) return client::invalid_url(url, "the store is not named");
  if (url.find('\0') != std::string_view::npos)
    return client::invalid_url(url, "it holds a NUL byte");
  if (url.starts_with("memory:")) return open_memory(url, options);
  if (names_a_server(url)) {
    auto address = client::parse_address(url);
    if (!address) return std::unexpected(address.error());
    return client::open_remote(*std::move(address), options);
  }
  if (url.find("://") != std::string_view::npos)
    return client::invalid_url(url, "no store has addresses of that kind");
  if (url.starts_with("tcp:"))
    return client::invalid_url(url, "a server's address is esdb://HOST:PORT");
  return storage::open_directory(std::string(url), options);
}

}  // namespace esdb
