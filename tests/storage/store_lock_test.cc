#include "storage/store_lock.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "storage/memory_io.h"

namespace esdb::storage {
namespace {

class StoreLock : public ::testing::Test {
 protected:
  StoreLock() { EXPECT_TRUE(io_.make_directory("store")); }
  LogOptions options(Access access, std::string announce = {}) {
    LogOptions result;
    result.directory = "store";
    result.access = access;
    result.announce = std::move(announce);
    return result;
  }
  MemoryIo io_;
};

TEST_F(StoreLock, TellsTheProcessAndTheUrlOfWhoeverHasIt) {
  auto first = lock_store(io_, options(Access::kReadWrite, "unix:/run/esdb/esdb.sock"));
  ASSERT_TRUE(first.has_value());
  auto second = lock_store(io_, options(Access::kReadWrite));
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kLocked);
  EXPECT_EQ(second.error().message,
            "the store in store is in use by process " + std::to_string(::getpid()) +
                ", which serves it at unix:/run/esdb/esdb.sock: open that instead");
}

TEST_F(StoreLock, TellsWhatToDoWhereThereIsNoUrl) {
  auto first = lock_store(io_, options(Access::kReadWrite));
  auto second = lock_store(io_, options(Access::kReadOnly));
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().message, "the store in store is in use by process " +
                                        std::to_string(::getpid()) +
                                        ": wait until it has closed it, or stop it");
}

TEST_F(StoreLock, IsFreeWhenItsHolderHasGone) {
  { auto first = lock_store(io_, options(Access::kReadWrite)); }
  EXPECT_TRUE(lock_store(io_, options(Access::kReadWrite)).has_value());
}

TEST_F(StoreLock, ManyMayReadAndNobodyWritesMeanwhile) {
  { auto made = lock_store(io_, options(Access::kReadWrite)); }
  auto first = lock_store(io_, options(Access::kReadOnly));
  auto second = lock_store(io_, options(Access::kReadOnly));
  EXPECT_TRUE(first.has_value() && second.has_value());
  EXPECT_FALSE(lock_store(io_, options(Access::kReadWrite)).has_value());
}

TEST_F(StoreLock, ReadingMakesNoFile) {
  auto reading = lock_store(io_, options(Access::kReadOnly));
  ASSERT_TRUE(reading.has_value());
  EXPECT_EQ(*reading, nullptr);
  EXPECT_FALSE(io_.exists("store/LOCK").value());
}

TEST_F(StoreLock, IsLostWhenItsFileIsRemovedOrReplaced) {
  auto first = lock_store(io_, options(Access::kReadWrite));
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(lost_lock(io_, "store", **first), "");
  ASSERT_TRUE(io_.remove("store/LOCK"));
  EXPECT_EQ(lost_lock(io_, "store", **first), "store/LOCK was removed");
  // By the same pid: a container has pids of its own.
  auto second = lock_store(io_, options(Access::kReadWrite));
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(lost_lock(io_, "store", **first), "store/LOCK was replaced");
  EXPECT_EQ(lost_lock(io_, "store", **second), "");
}

}  // namespace
}  // namespace esdb::storage
