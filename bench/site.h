// A site: where a store is measured. In this process, or in a server's, which is reached over a
// socket by one connection or several.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/disk_limits.h"
#include "bench/placement.h"
#include "bench/process.h"
#include "bench/scratch.h"
#include "bench/socket_limits.h"
#include "esdb/event_store.h"

namespace esdb::bench {

struct Where {
  std::optional<Transport> transport{};  // none: in this process
  Placement placement = Placement::kFree;
  bool is_embedded() const { return !transport; }
};
// "embedded", "unix", "tcp": what a case's name begins with.
std::string to_string(const Where& where);

class Site {
 public:
  // An empty store, or the one in `directory`.
  explicit Site(const Where& where, std::size_t connections = 1, const std::string& directory = {},
                const std::vector<std::string>& server_arguments = {});

  const std::vector<std::unique_ptr<EventStore>>& stores() const { return stores_; }
  EventStore& store() const { return *stores_.front(); }
  // One more of a server; of a store in this process, that store.
  EventStore& another();
  std::vector<pid_t> pids() const;                      // beside this process
  std::string path() const { return scratch_.path(); }  // on the same disk
  const ServerProcess& server() const { return *server_; }

 private:
  const Scratch scratch_;
  const Pinned pinned_;
  std::unique_ptr<ServerProcess> server_;
  std::string url_;
  std::vector<std::unique_ptr<EventStore>> stores_;  // ends before the server
};

// What a case keeps from run to run: a site, and a file beside it for bare system calls.
struct Bench {
  explicit Bench(const Where& where, std::size_t connections = 1, const std::string& directory = {})
      : site(where, connections, directory), raw(site.path(), raw_bytes()) {}
  Site site;
  ZeroedFile raw;
};

}  // namespace esdb::bench
