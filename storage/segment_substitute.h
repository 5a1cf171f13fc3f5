// Substitute: a sealed segment in the place of one that is damaged inside the log. It has the
// frames that are whole where they were, and a footer over all that the segment held, which the
// segments beside it bound. Reading what is gone of it answers `corrupt`; what is whole, and
// everything behind it, is where it was.
//
// Threads: a function; any thread.
#pragma once

#include <span>

#include "storage/io.h"
#include "storage/repair_plan.h"

namespace esdb::storage {

// `header` as planned, or larger where its footer needs it. `bytes`: of the damaged file, as far as
// they can be read. Durable when it returns, but for the name.
IoResult<void> make_substitute(Io& io, const std::string& directory, const PlannedSegment& planned,
                               std::span<const std::byte> bytes);

}  // namespace esdb::storage
