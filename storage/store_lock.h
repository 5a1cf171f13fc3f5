// StoreLock: a store's directory belongs to one process that writes, or to some that only read.
//
// A lock on the file LOCK, which says who holds it; segments are locked too, because the writes of
// a killed process may land after its LOCK is free.
//
// Threads: functions; any thread.
// Errors:  kLocked, naming pid and URL; kRefused where the directory cannot be used.
#pragma once

#include <memory>
#include <string>

#include "esdb/error.h"
#include "storage/io.h"
#include "storage/recovery.h"

namespace esdb::storage {

// The file that holds the lock; null where a store that is only read has no LOCK.
Result<std::unique_ptr<File>> lock_store(Io& io, const LogOptions& options);

// Whether LOCK is still the file that was locked to write: another process takes one that was put
// in its place without meeting the lock. "/data/LOCK was replaced", "... was removed"; empty where
// it is in place, or cannot be looked at.
std::string lost_lock(Io& io, const std::string& directory, File& held);

}  // namespace esdb::storage
