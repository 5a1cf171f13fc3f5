// What lives on a remote store's loop.
//
// Threads: that of the event loop.
#pragma once

#include <kj/async-io.h>

#include <cstdint>
#include <map>
#include <memory>

#include "client/calls.h"
#include "client/cursor_end.h"
#include "client/link.h"

namespace esdb::client {

struct Inside {
  Inside(kj::AsyncIoContext& loop, Address address, std::function<void(std::string_view)> log)
      : timer(loop.provider->getTimer()),
        link(loop, std::move(address), std::move(log)),
        calls(link, timer) {}

  kj::Timer& timer;
  Link link;
  Calls calls;
  std::map<std::uint64_t, CursorEnd> cursors;
};

}  // namespace esdb::client
