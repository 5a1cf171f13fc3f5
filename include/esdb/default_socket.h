// Where esdb-server listens when it is told no place, and so where its clients look for it: a
// user's own server in that user's runtime directory, a system service in its own below /run.
//
// The library reads no environment variable: a program passes what $XDG_RUNTIME_DIR says.
//   for (const auto& path : esdb::default_sockets(runtime))
//     if (exists(path)) store = esdb::open("unix:" + path);
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace esdb {

inline constexpr std::string_view kServiceSocket = "/run/esdb/esdb.sock";

// The socket of a server whose runtime directory this is.
inline std::string socket_in(std::string_view runtime_directory) {
  return std::string(runtime_directory) + "/esdb.sock";
}

// The places to look in, in that order; without a runtime directory (empty) only the service's.
inline std::vector<std::string> default_sockets(std::string_view xdg_runtime_dir) {
  std::vector<std::string> places;
  if (!xdg_runtime_dir.empty()) places.push_back(socket_in(xdg_runtime_dir));
  places.emplace_back(kServiceSocket);
  return places;
}

}  // namespace esdb
