#include "storage/memory_io.h"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <deque>
#include <span>

#include "storage/check.h"

namespace esdb::storage {
namespace {

std::unexpected<IoError> failed(int number) { return std::unexpected(IoError{number}); }

}  // namespace

// A mapping, and another one when the file outgrows it: bytes never move while they are read.
class MemoryIo::Content {
 public:
  Content() = default;
  Content(const Content&) = delete;
  Content& operator=(const Content&) = delete;
  ~Content() {
    for (auto mapping : mappings_) ::munmap(mapping.data(), mapping.size());
  }

  std::span<std::byte> bytes() {
    std::lock_guard lock(mutex_);
    return bytes_;
  }

  IoResult<void> reserve(std::size_t size) {
    std::lock_guard lock(mutex_);
    return map(size);
  }

  IoResult<void> resize(std::size_t size) {
    std::lock_guard lock(mutex_);
    if (auto mapped = map(size); !mapped) return mapped;
    bytes_ = mappings_.empty() ? std::span<std::byte>() : mappings_.back().first(size);
    return {};
  }

  bool lock(LockMode mode, bool already) {
    std::lock_guard lock(mutex_);
    if (exclusive_ || (mode == LockMode::kExclusive && shared_ > 0)) return already;
    (mode == LockMode::kExclusive ? exclusive_ : shared_) += already ? 0 : 1;
    return true;
  }
  void unlock(LockMode mode) {
    std::lock_guard lock(mutex_);
    --(mode == LockMode::kExclusive ? exclusive_ : shared_);
  }

 private:
  // Room for so many bytes; with the mutex held.
  IoResult<void> map(std::size_t size) {
    if (size <= (mappings_.empty() ? 0 : mappings_.back().size())) return {};
    auto* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return failed(ENOSPC);
    const std::span mapping(static_cast<std::byte*>(memory), size);
    if (!bytes_.empty()) std::memcpy(mapping.data(), bytes_.data(), bytes_.size());
    mappings_.push_back(mapping);
    bytes_ = mapping.first(bytes_.size());
    return {};
  }

  std::mutex mutex_;
  std::vector<std::span<std::byte>> mappings_{};
  std::span<std::byte> bytes_{};
  int exclusive_ = 0;
  int shared_ = 0;
};

namespace {

class MemoryFile final : public File {
 public:
  explicit MemoryFile(std::shared_ptr<MemoryIo::Content> content) : content_(std::move(content)) {}
  ~MemoryFile() override {
    if (locked_) content_->unlock(*locked_);
  }

  IoResult<std::uint64_t> size() override { return content_->bytes().size(); }

  IoResult<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) override {
    const auto bytes = content_->bytes();
    if (offset >= bytes.size()) return 0;
    const auto count = std::min<std::size_t>(into.size(), bytes.size() - offset);
    std::memcpy(into.data(), bytes.data() + offset, count);
    return count;
  }

  bool read_at_hand(std::uint64_t offset, std::span<std::byte> into) override {
    return read(offset, into) == into.size();
  }
  IoResult<std::size_t> read_device(std::uint64_t offset, std::span<std::byte> into) override {
    return read(offset, into);
  }

  IoResult<void> write_durable(std::uint64_t offset, std::span<const std::byte> from) override {
    if (from.empty()) return {};
    const auto end = offset + from.size();
    if (content_->bytes().size() < end)
      if (auto grown = content_->resize(end); !grown) return grown;
    std::memcpy(content_->bytes().data() + offset, from.data(), from.size());
    return {};
  }

  IoResult<void> reserve(std::uint64_t bytes) override { return content_->reserve(bytes); }
  IoResult<void> allocate_zeroed(std::uint64_t bytes) override {
    if (content_->bytes().size() >= bytes) return {};
    return content_->resize(bytes);
  }

  IoResult<void> sync() override { return {}; }

  IoResult<bool> lock(LockMode mode, std::chrono::milliseconds) override {
    if (!content_->lock(mode, locked_ == mode)) return false;
    locked_ = mode;
    return true;
  }

  IoResult<void> rewrite(std::string_view text) override {
    if (auto sized = content_->resize(text.size()); !sized) return sized;
    std::ranges::copy(std::as_bytes(std::span(text)), content_->bytes().begin());
    return {};
  }

 private:
  const std::shared_ptr<MemoryIo::Content> content_;
  std::optional<LockMode> locked_{};
};

// Operations are done when they are submitted.
class MemoryRing final : public Ring {
 public:
  explicit MemoryRing(int wake_fd) : wake_fd_(wake_fd) {}

  void write_durable(File& file, std::uint64_t offset, std::span<const std::byte> bytes,
                     std::uint64_t token) override {
    auto written = file.write_durable(offset, bytes);
    waiting_.push_back(
        {token, written ? static_cast<std::int64_t>(bytes.size()) : -written.error().number});
  }
  void read(File& file, std::uint64_t offset, std::span<std::byte> into,
            std::uint64_t token) override {
    auto count = file.read(offset, into);
    waiting_.push_back({token, count ? static_cast<std::int64_t>(*count) : -count.error().number});
  }
  void submit() override {
    if (!waiting_.empty() && wake_fd_ >= 0) ::eventfd_write(wake_fd_, 1);
    done_.insert(done_.end(), waiting_.begin(), waiting_.end());
    waiting_.clear();
  }
  std::size_t reap(std::span<Done> into) override {
    const auto count = std::min(into.size(), done_.size());
    std::copy_n(done_.begin(), count, into.begin());
    done_.erase(done_.begin(), done_.begin() + static_cast<std::ptrdiff_t>(count));
    return count;
  }
  bool wait() override { return !done_.empty(); }

 private:
  const int wake_fd_;
  std::vector<Done> waiting_{};
  std::deque<Done> done_{};
};

}  // namespace

IoResult<std::unique_ptr<File>> MemoryIo::open(const std::string& path, OpenMode mode) {
  std::lock_guard lock(mutex_);
  const auto found = nodes_.find(path);
  if (mode == OpenMode::kCreate) {
    if (found != nodes_.end()) return failed(EEXIST);
    auto content = std::make_shared<Content>();
    nodes_.emplace(path, content);
    return std::make_unique<MemoryFile>(std::move(content));
  }
  if (found == nodes_.end()) return failed(ENOENT);
  if (!found->second) return failed(EISDIR);
  return std::make_unique<MemoryFile>(found->second);
}

IoResult<std::vector<std::string>> MemoryIo::list(const std::string& directory) {
  std::lock_guard lock(mutex_);
  if (!nodes_.contains(directory)) return failed(ENOENT);
  const auto prefix = directory + "/";
  std::vector<std::string> names;
  for (auto at = nodes_.lower_bound(prefix); at != nodes_.end() && at->first.starts_with(prefix);
       ++at)
    if (at->first.find('/', prefix.size()) == std::string::npos)
      names.push_back(at->first.substr(prefix.size()));
  return names;
}

IoResult<bool> MemoryIo::exists(const std::string& path) {
  std::lock_guard lock(mutex_);
  return nodes_.contains(path);
}

IoResult<void> MemoryIo::make_directory(const std::string& path) {
  std::lock_guard lock(mutex_);
  for (auto slash = path.find('/', 1); slash != path.npos; slash = path.find('/', slash + 1))
    nodes_.try_emplace(path.substr(0, slash), nullptr);
  nodes_.try_emplace(path, nullptr);
  return {};
}

IoResult<void> MemoryIo::rename(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  auto node = nodes_.extract(from);
  if (node.empty()) return failed(ENOENT);
  nodes_.insert_or_assign(to, node.mapped());
  return {};
}

IoResult<void> MemoryIo::remove(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (nodes_.erase(path) == 0) return failed(ENOENT);
  return {};
}

IoResult<void> MemoryIo::sync_directory(const std::string&) { return {}; }

IoResult<std::unique_ptr<Ring>> MemoryIo::make_ring(unsigned, int wake_fd) {
  return std::make_unique<MemoryRing>(wake_fd);
}

// Small units: a frame with one small event takes little room.
BlockSizes MemoryIo::block_sizes(const std::string&) { return {.physical = 512, .alignment = 8}; }

Time MemoryIo::now() {
  if (clock_ != nullptr) return clock_->now();
  return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now());
}

std::chrono::steady_clock::time_point MemoryIo::steady() {
  return std::chrono::steady_clock::now();
}

void MemoryIo::random(std::span<std::byte> into) {
  for (std::size_t done = 0; done < into.size();) {
    const auto count = ::getrandom(into.data() + done, into.size() - done, 0);
    ESDB_CHECK(count >= 0 || errno == EINTR);
    if (count > 0) done += static_cast<std::size_t>(count);
  }
}

}  // namespace esdb::storage
