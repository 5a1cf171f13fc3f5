// Verify: reads every byte of a store's log and says what is damaged. Of a directory that may be
// damaged in any way; writes nothing, not even a lock's content. While a process has it open for
// writing, it looks at what was durable when it began, and at nothing that may be under way.
//
// Threads: functions; any thread, one a directory. progress() is called by the same thread.
// Errors:  kInvalidArgument (no store there), kRefused (its log was deleted), kUnsupported (a later
//          format). Damage is no error: it is what is reported.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "esdb/error.h"
#include "esdb/numbers.h"

namespace esdb::storage {

class Io;

struct VerifyProgress {
  std::uint64_t bytes_done{};
  std::uint64_t bytes_all{};
};

struct VerifyOptions {
  std::function<void(const VerifyProgress&)> progress{};  // a few times a second at most
};

struct Damage {
  std::uint32_t segment{};   // 0: of no segment
  std::string file{};        // its path
  std::uint64_t offset{};    // in the file
  Position first{}, last{};  // positions that cannot be trusted; zeros where none are named
  std::string what{};        // what is wrong
  std::string remedy{};      // what to do
  bool is_acknowledged{};    // false: a torn tail, which the next opening cuts
};

struct VerifyReport {
  std::string store_id{};  // a UUID; empty where no header is sound
  std::uint64_t segments{}, sealed{};
  std::uint64_t events{}, tracking{}, commits{}, frames{}, epochs{};
  std::uint64_t bytes{};  // read
  Position last{};        // the last position that is whole and follows
  std::uint64_t last_frame{};
  std::uint64_t durable_claimed{};  // the highest frame that anything claims durable
  bool closed_cleanly{};
  bool is_live{};  // a process has it open; checked up to the frame `durable_claimed`
  std::vector<Damage> damages{};  // in the order of the log

  // Nothing that was acknowledged is damaged or missing.
  bool is_sound() const;
};

Result<VerifyReport> verify(const std::string& directory, const VerifyOptions& options = {});
// The same on another machine than this one's file system.
Result<VerifyReport> verify(Io& io, const std::string& directory,
                            const VerifyOptions& options = {});

}  // namespace esdb::storage
