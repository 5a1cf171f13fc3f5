// From the log's records back to the terms they are indexed under: what the writer adds to the tail
// index when it lays a commit out, and a scan adds again after a restart.
//
// Threads: one.
#pragma once

#include "esdb/error.h"
#include "storage/generation.h"
#include "storage/generations.h"
#include "storage/log.h"

namespace esdb::storage {

void replay_frame(const ScannedFrame& frame, TailIndex& tail);
void replay_frame(const ScannedFrame& frame, Generation& generation);

// Every durable frame behind the tail index's beginning, frozen where a generation is full. Called
// once, before the writer begins.
Result<void> replay_tail(const Log& log, TailIndex& tail);

}  // namespace esdb::storage
