#include "storage/uring_io.h"

#include <liburing.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <optional>
#include <utility>

#include "storage/check.h"
#include "storage/transfer.h"

namespace esdb::storage {
namespace {

// Operations that do not fit into the ring's queue wait here, so that a submission never splits.
class UringRing final : public Ring {
 public:
  static IoResult<std::unique_ptr<UringRing>> make(unsigned depth, int wake_fd) {
    std::unique_ptr<UringRing> made(new UringRing(depth));
    if (int error = ::io_uring_queue_init(depth, &made->ring_, 0); error < 0)
      return std::unexpected(IoError{-error});
    made->open_ = true;
    ::io_uring_ring_dontfork(&made->ring_);
    if (wake_fd >= 0)
      if (int error = ::io_uring_register_eventfd(&made->ring_, wake_fd); error < 0)
        return std::unexpected(IoError{-error});
    return made;
  }

  // Bytes that the kernel still writes from or reads into are the caller's: none may be left.
  ~UringRing() override {
    while (in_flight_ > 0 && wait_for_one()) finish_completed();
    if (open_) ::io_uring_queue_exit(&ring_);
  }

  void write_durable(File& file, std::uint64_t offset, std::span<const std::byte> bytes,
                     std::uint64_t token) override {
    const auto& posix = posix_file(file);
    add({.transfer = {Transfer::Kind::kWrite, bytes.size(), posix.alignment()},
         .fd = posix.write_descriptor(),
         .offset = offset,
         .memory = const_cast<std::byte*>(bytes.data()),
         .token = token,
         .is_write = true});
  }

  void read(File& file, std::uint64_t offset, std::span<std::byte> into,
            std::uint64_t token) override {
    add({.transfer = {Transfer::Kind::kRead, into.size(), 1},
         .fd = posix_file(file).read_descriptor(),
         .offset = offset,
         .memory = into.data(),
         .token = token,
         .is_write = false});
  }

  void submit() override {
    while (!waiting_.empty() && in_flight_ < depth_) {
      issue(waiting_.front());
      waiting_.pop_front();
    }
    // Interrupted or short of resources: what stays in the queue goes with the next attempt.
    while (::io_uring_sq_ready(&ring_) > 0) {
      const int count = ::io_uring_submit(&ring_);
      ESDB_CHECK(count >= 0 || count == -EINTR || count == -EAGAIN || count == -EBUSY);
      if (count == -EBUSY || count == -EAGAIN) finish_completed();
    }
  }

  std::size_t reap(std::span<Done> into) override {
    finish_completed();
    if (!waiting_.empty()) submit();
    const auto count = std::min(into.size(), done_.size());
    std::copy_n(done_.begin(), count, into.begin());
    done_.erase(done_.begin(), done_.begin() + static_cast<std::ptrdiff_t>(count));
    return count;
  }

  bool wait() override {
    for (;;) {
      finish_completed();
      if (!waiting_.empty()) submit();
      if (!done_.empty()) return true;
      if (in_flight_ == 0) return false;
      if (!wait_for_one()) return false;
    }
  }

 private:
  struct Operation {
    Transfer transfer;
    int fd;
    std::uint64_t offset;
    std::byte* memory;
    std::uint64_t token;
    bool is_write;
  };

  explicit UringRing(unsigned depth) : depth_(depth), slots_(depth) {
    for (std::size_t slot = depth; slot > 0; --slot) free_.push_back(slot - 1);
  }

  static const PosixFile& posix_file(File& file) {
    const auto* posix = dynamic_cast<const PosixFile*>(&file);
    ESDB_CHECK(posix != nullptr);
    return *posix;
  }

  void add(const Operation& operation) { waiting_.push_back(operation); }

  void issue(const Operation& operation) {
    const auto slot = free_.back();
    free_.pop_back();
    slots_[slot] = operation;
    ++in_flight_;
    prepare(slot);
  }

  void prepare(std::size_t slot) {
    const auto& operation = *slots_[slot];
    const auto at = operation.transfer.done();
    auto* entry = ::io_uring_get_sqe(&ring_);
    ESDB_CHECK(entry != nullptr);  // no more are in flight than the queue has room for
    const auto bytes = static_cast<unsigned>(operation.transfer.rest());
    if (operation.is_write) {
      ::io_uring_prep_write(entry, operation.fd, operation.memory + at, bytes,
                            operation.offset + at);
      entry->rw_flags = RWF_DSYNC;
    } else {
      ::io_uring_prep_read(entry, operation.fd, operation.memory + at, bytes,
                           operation.offset + at);
    }
    ::io_uring_sqe_set_data64(entry, slot);
  }

  void finish_completed() {
    io_uring_cqe* entry = nullptr;
    bool again = false;
    while (::io_uring_peek_cqe(&ring_, &entry) == 0) {
      const auto slot = static_cast<std::size_t>(::io_uring_cqe_get_data64(entry));
      const auto result = entry->res;
      ::io_uring_cqe_seen(&ring_, entry);
      ESDB_CHECK(slot < slots_.size() && slots_[slot].has_value());
      auto& operation = *slots_[slot];
      if (operation.transfer.advance(result) == Transfer::Next::kAgain) {
        prepare(slot);
        again = true;
        continue;
      }
      done_.push_back({operation.token, operation.transfer.result()});
      slots_[slot].reset();
      free_.push_back(slot);
      --in_flight_;
    }
    if (again) submit();
  }

  bool wait_for_one() {
    io_uring_cqe* entry = nullptr;
    int error = 0;
    do {
      error = ::io_uring_wait_cqe(&ring_, &entry);
    } while (error == -EINTR || error == -EAGAIN);
    return error == 0;
  }

  const unsigned depth_;
  io_uring ring_{};
  bool open_ = false;
  std::size_t in_flight_ = 0;
  std::vector<std::optional<Operation>> slots_;  // by the number that the kernel gives back
  std::vector<std::size_t> free_{};
  std::deque<Operation> waiting_{};
  std::deque<Done> done_{};
};

}  // namespace

int UringIo::unavailable() {
  auto ring = UringRing::make(1, -1);
  return ring ? 0 : ring.error().number;
}

IoResult<std::unique_ptr<Ring>> UringIo::make_ring(unsigned depth, int wake_fd) {
  return UringRing::make(depth, wake_fd);
}

std::unique_ptr<Io> make_directory_io(std::function<void(std::string_view)> log) {
  const int error = UringIo::unavailable();
  if (error == 0) return std::make_unique<UringIo>(std::move(log));
  if (log) log("no io_uring here (" + to_string(IoError{error}) + "): writing with pwrite instead");
  return std::make_unique<PosixIo>(std::move(log));
}

}  // namespace esdb::storage
