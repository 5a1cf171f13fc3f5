#include "client/named_memory.h"

#include <map>
#include <mutex>
#include <utility>

#include "esdb/implement.h"

namespace esdb::client {
namespace {

// What a name stands for is the process's by its meaning: two parts of a program that know nothing
// of each other find the same store.
struct Registry {
  std::mutex mutex;
  std::map<std::string, std::weak_ptr<EventStore>> stores;
};
Registry& registry() {
  static Registry the_registry;
  return the_registry;
}

// One of those who have the store open.
class Handle final : public EventStore {
 public:
  explicit Handle(std::shared_ptr<EventStore> store) : store_(std::move(store)) {}
  ~Handle() override { close(); }

  using EventStore::append;
  Result<Appended> append(EncodedAppend append, const CallOptions& call) override {
    const auto store = get();
    if (!store) return closed();
    return store->append(std::move(append), call);
  }
  void append(EncodedAppend append, const CallOptions& call, Completion<Appended> done) override {
    const auto store = get();
    if (!store) return done(closed());
    store->append(std::move(append), call, std::move(done));
  }
  // A cursor cannot fail to open: without the store it is the cursor of a closed one.
  Cursor read(Query query, const ReadOptions& options) override {
    const auto store = get();
    return store ? store->read(std::move(query), options) : Cursor(std::make_unique<Closed>());
  }
  Cursor subscribe(Query query, Start start) override {
    const auto store = get();
    return store ? store->subscribe(std::move(query), std::move(start))
                 : Cursor(std::make_unique<Closed>());
  }
  Result<StreamInfo> stream_info(std::string_view stream) override {
    const auto store = get();
    if (!store) return closed();
    return store->stream_info(stream);
  }
  Result<StreamPage> streams(std::string_view prefix, std::string_view after,
                             std::size_t limit) override {
    const auto store = get();
    if (!store) return closed();
    return store->streams(prefix, after, limit);
  }
  Result<TermPage> terms(TermKind kind, std::string_view prefix, std::string_view after,
                         std::size_t limit) override {
    const auto store = get();
    if (!store) return closed();
    return store->terms(kind, prefix, after, limit);
  }
  Result<std::uint64_t> count(Query query, Position after) override {
    const auto store = get();
    if (!store) return closed();
    return store->count(std::move(query), after);
  }
  Result<std::uint64_t> tracked(std::string_view source) override {
    const auto store = get();
    if (!store) return closed();
    return store->tracked(source);
  }
  Result<TrackingPage> tracking(std::string_view prefix, std::string_view after,
                                std::size_t limit) override {
    const auto store = get();
    if (!store) return closed();
    return store->tracking(prefix, after, limit);
  }
  Result<Statistics> statistics() override {
    const auto store = get();
    if (!store) return closed();
    return store->statistics();
  }
  int wake_fd() const override { return -1; }
  void advance() override {}
  void close() override {
    std::shared_ptr<EventStore> mine;
    {
      const std::lock_guard lock(mutex_);
      mine.swap(store_);
    }
    const std::lock_guard lock(registry().mutex);
    if (mine.use_count() == 1) mine->close();
  }

 private:
  struct Closed final : Cursor::State {
    Result<Batch> next(const NextOptions&) override { return closed(); }
    void next(const NextOptions&, Completion<Batch> done) override { done(closed()); }
    void cancel() override {}
  };
  static std::unexpected<Error> closed() {
    return std::unexpected(Error{.code = ErrorCode::kClosed, .message = "the store is closed"});
  }
  std::shared_ptr<EventStore> get() const {
    const std::lock_guard lock(mutex_);
    return store_;
  }

  mutable std::mutex mutex_;
  std::shared_ptr<EventStore> store_;
};

}  // namespace

Result<std::unique_ptr<EventStore>> open_named_memory(
    const std::string& name, const std::function<Result<std::unique_ptr<EventStore>>()>& make) {
  const std::lock_guard lock(registry().mutex);
  std::erase_if(registry().stores, [](const auto& entry) { return entry.second.expired(); });
  auto& entry = registry().stores[name];
  auto store = entry.lock();
  if (!store) {
    auto made = make();
    if (!made) return std::unexpected(made.error());
    store = std::shared_ptr<EventStore>(*std::move(made));
    entry = store;
  }
  return std::make_unique<Handle>(std::move(store));
}

}  // namespace esdb::client
