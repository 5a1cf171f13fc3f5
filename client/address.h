// Address: where a server is, as open() is told.
//
// Threads: a value; functions, any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "esdb/error.h"

namespace esdb::client {

struct Address {
  enum class Kind : std::uint8_t { kUnix, kTcp };
  Kind kind = Kind::kUnix;
  std::string path{};  // kUnix
  std::string host{};  // kTcp: a name, 127.0.0.1, ::1
  std::uint16_t port = 0;

  std::string url() const;  // as open() takes it, for messages
};

// unix:PATH, esdb://HOST[:PORT]. kUnsupported for esdbs://, kInvalidArgument with the accepted
// forms for everything else.
Result<Address> parse_address(std::string_view url);

// What is wrong with what a caller names as a store, and what every kind of store is named.
std::unexpected<Error> invalid_url(std::string_view url, std::string_view why);

}  // namespace esdb::client
