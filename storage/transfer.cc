#include "storage/transfer.h"

#include <cerrno>

#include "storage/check.h"
#include "storage/sabotage.h"

namespace esdb::storage {
namespace {

constexpr unsigned kInterruptionsMax = 8;
constexpr unsigned kEmptyWritesMax = 1;

}  // namespace

Transfer::Next Transfer::fail(int number) {
  result_ = -number;
  return Next::kFinished;
}

Transfer::Next Transfer::advance(std::int64_t result) {
  // Cancelled: the thread that submitted it ended while the kernel worked on it in that thread's
  // name. Nobody here cancels anything.
  if (result == -EINTR || result == -EAGAIN || result == -ECANCELED)
    return ++interrupted_ > kInterruptionsMax ? fail(static_cast<int>(-result)) : Next::kAgain;
  if (result < 0) return fail(static_cast<int>(-result));
  ESDB_CHECK(static_cast<std::size_t>(result) <= rest());
  const bool all = static_cast<std::size_t>(result) == rest();
  if (all || (result > 0 && sabotaged(Sabotage::kShortWriteIsFull))) {
    done_ = bytes_;
    result_ = static_cast<std::int64_t>(bytes_);
    return Next::kFinished;
  }
  const auto part = static_cast<std::size_t>(result) / alignment_ * alignment_;
  if (kind_ == Kind::kRead && (result == 0 || part == 0)) {  // the end of the file
    result_ = static_cast<std::int64_t>(done_) + result;
    return Next::kFinished;
  }
  done_ += part;
  if (part != 0) empty_ = 0;
  if (part == 0 && ++empty_ > kEmptyWritesMax) return fail(EIO);
  return Next::kAgain;
}

}  // namespace esdb::storage
