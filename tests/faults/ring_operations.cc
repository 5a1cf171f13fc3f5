// What the engine hands to an io_uring: an operation that is to fail becomes one that does nothing
// and is completed with the error; one that is to be short is made shorter.
#include <liburing.h>

#include <algorithm>
#include <cerrno>

#include "tests/faults/system_calls.h"

namespace esdb::faults {
namespace {

// Later than this liburing: IORING_OP_NOP with this flag completes with what `len` says.
constexpr unsigned kInjectResult = 1U << 0;

void make_fail(io_uring_sqe& entry, int result) {
  const auto token = entry.user_data;
  entry = {};
  entry.opcode = IORING_OP_NOP;
  entry.user_data = token;
  entry.rw_flags = kInjectResult;
  entry.len = static_cast<unsigned>(result);
}

void tamper(io_uring_sqe& entry) {
  if (entry.opcode != IORING_OP_WRITE && entry.opcode != IORING_OP_READ) return;
  const auto fault = fault_of_ring(entry.opcode == IORING_OP_WRITE ? "write" : "read", entry.fd);
  if (!fault) return;
  if (fault->kind == Fault::Kind::kError) return make_fail(entry, -fault->error);
  const auto less = fault->kind == Fault::Kind::kShortByOne ? entry.len - 1 : entry.len / 2;
  entry.len = std::max(less, 1U);
}

}  // namespace

bool rings_can_fail() {
  io_uring ring{};
  if (::io_uring_queue_init(1, &ring, 0) != 0) return false;
  make_fail(*::io_uring_get_sqe(&ring), -EXDEV);
  ::io_uring_submit(&ring);
  io_uring_cqe* entry = nullptr;
  const bool told = ::io_uring_wait_cqe(&ring, &entry) == 0 && entry->res == -EXDEV;
  ::io_uring_queue_exit(&ring);
  return told;
}

}  // namespace esdb::faults

// NOLINTBEGIN: the linker's names
extern "C" int __real_io_uring_submit(io_uring* ring);
extern "C" int __wrap_io_uring_submit(io_uring* ring) {
  for (auto at = ring->sq.sqe_head; at != ring->sq.sqe_tail; ++at)
    esdb::faults::tamper(ring->sq.sqes[at & ring->sq.ring_mask]);
  return __real_io_uring_submit(ring);
}
// NOLINTEND
