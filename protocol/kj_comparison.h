// What Cap'n Proto 0.9.2's own headers lack for a compiler that follows P2468 (clang, GCC 13 and
// newer): in C++20 they leave a text on the left of a StringPtr to the operator that takes it on
// the right, and P2468 turns no operator== round that has an operator!= beside it. Put before
// every source by cmake/options.cmake, where it is needed.
//
// Threads: functions, any thread.
#pragma once

#include <kj/string.h>

namespace kj {

inline bool operator==(const char* a, const StringPtr& b) { return b == StringPtr(a); }
inline bool operator!=(const char* a, const StringPtr& b) { return !(b == StringPtr(a)); }

}  // namespace kj
