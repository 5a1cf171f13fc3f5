// The memory of this program: every block that anything in it asks for (operator new, LMDB, KJ,
// mappings without a file) is counted, and one, or all from there on, can be refused.
//
// Not in builds with a sanitizer, which brings an allocator of its own.
//
// Threads: any.
#pragma once

#include <cstdint>

namespace esdb::faults {

bool memory_can_fail();  // in this build

// The n-th block from now on is refused; 0: none is, they are only counted.
void refuse_memory(std::uint64_t nth, bool for_ever);
void refuse_memory_no_more();
std::uint64_t blocks_asked_for();  // since refuse_memory()
bool was_memory_refused();

// For those who take memory from the system: whether this block is to be refused.
bool memory_is_refused();

}  // namespace esdb::faults
