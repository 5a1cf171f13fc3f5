// Apart: what is done in a process of its own, which may end in any way.
//
// Threads: one; the process that asks for it has no other threads then.
#pragma once

#include <sys/mman.h>

#include <functional>
#include <new>
#include <string>
#include <utility>

namespace esdb::faults {

// A value that a process apart shares with the one that asked for it.
template <class Value>
class Shared {
 public:
  Shared()
      : at_(::mmap(nullptr, sizeof(Value), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                   0)) {
    if (at_ == MAP_FAILED) throw std::bad_alloc();
    new (at_) Value;
  }
  ~Shared() { ::munmap(at_, sizeof(Value)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  Value& operator*() const { return *static_cast<Value*>(at_); }
  Value* operator->() const { return static_cast<Value*>(at_); }

 private:
  void* at_;
};

struct EndedApart {
  bool at_its_end = false;  // the body returned
  bool aborted = false;
  // A check that fails for anything but missing memory has found a change half made.
  bool by_a_check = false;
  std::string how{};  // otherwise: what became of it, and what it said
};

// Runs `body` apart. What it says on its standard error goes to the file. A body that takes longer
// than `seconds` is ended by SIGALRM.
EndedApart run_apart(const std::string& said_path, unsigned seconds,
                     const std::function<void()>& body);

}  // namespace esdb::faults
