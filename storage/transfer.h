// Transfer: one read or write on its way, which the machine may do in parts. Says after each part
// what to do next: what was written in part is gone on with, what was interrupted is repeated a few
// times, and nothing is called done before every byte is.
//
// Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace esdb::storage {

class Transfer {
 public:
  enum class Kind : std::uint8_t { kRead, kWrite };
  enum class Next : std::uint8_t { kFinished, kAgain };

  // alignment: what a part that was done is rounded down to before the rest is asked for again.
  Transfer(Kind kind, std::size_t bytes, std::size_t alignment)
      : kind_(kind), bytes_(bytes), alignment_(alignment) {}

  std::size_t done() const { return done_; }  // the next part begins here
  std::size_t rest() const { return bytes_ - done_; }

  // result: bytes of the part that was asked for, or -errno.
  Next advance(std::int64_t result);
  // Of a finished one: bytes, or -errno.
  std::int64_t result() const { return result_; }

 private:
  Next fail(int number);

  Kind kind_;
  std::size_t bytes_;
  std::size_t alignment_;
  std::size_t done_ = 0;
  std::int64_t result_ = 0;
  unsigned interrupted_ = 0;
  unsigned empty_ = 0;
};

}  // namespace esdb::storage
