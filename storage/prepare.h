// Preparing: what a request names is looked up before it stands in the queue, so that the writer,
// who serves everybody, never waits for a disk.
//
// Threads: any; the request belongs to the caller.
// Errors:  kUnavailable while the index is rebuilt; kCorrupt where a record it must compare is
//          damaged.
#pragma once

#include "esdb/error.h"
#include "storage/index.h"
#include "storage/request.h"

namespace esdb::storage {

// What preparing and judging look at.
struct Sources {
  const Log& log;
  const TailIndex& tail;
  Index* index;  // null in a store without files
};

Result<void> prepare(Request& request, const Sources& sources);

// The answer of a retry: the commit as it lies in the log, which holds it up to durable().
Result<Appended> repeated(const CommitSpan& commit, const Log& log);

}  // namespace esdb::storage
