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

// kInvalidArgument (the path leads through a file, or is too long), kDenied, kDiskFull,
// kUnavailable (short of descriptors or memory: nothing is wrong with the store), or else kRefused
// with this remedy. `what`: "/data/log cannot be read".
std::unexpected<Error> opening_failed(const std::string& what, IoError cause,
                                      std::string_view remedy);

// The same of the directory that the caller named, while no store is found in it: also
// kInvalidArgument where a link leads nowhere. Of a store's own files that is a loss.
std::unexpected<Error> directory_failed(const std::string& what, IoError cause,
                                        std::string_view remedy);

}  // namespace esdb::storage
