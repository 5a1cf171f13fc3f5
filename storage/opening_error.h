// What an opening answers where the machine fails it: by the errno, one remedy each.
//
// Threads: functions; any thread.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "esdb/error.h"
#include "storage/io.h"

namespace esdb::storage {

// kDenied, kDiskFull, kUnavailable (short of descriptors or memory: nothing is wrong with the
// store), or else kRefused with this remedy. `what`: "/data/log cannot be read".
std::unexpected<Error> opening_failed(const std::string& what, IoError cause,
                                      std::string_view remedy);

}  // namespace esdb::storage
