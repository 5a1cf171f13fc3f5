// Cursor service: a cursor of the store, offered to a client.
//
// Calls of next() are served one after the other; those that wait hold nothing but their place. A
// batch lives here only until it has been copied into its answer, and is smaller the more of them
// are being made at once.
//
// Threads: that of the event loop.
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include "protocol/esdb.capnp.h"
#include "server/context.h"

namespace esdb::server {

class CursorService final : public protocol::Cursor::Server {
 public:
  // With an error instead of a cursor, every next() answers it.
  CursorService(Caller caller, Result<esdb::Cursor> cursor);
  virtual ~CursorService() noexcept(false);

  using Next = NextContext;
  kj::Promise<void> next(NextContext call) override;
  kj::Promise<void> cancel(CancelContext call) override;

  void abandon();  // nobody is there to be answered

 private:
  struct Waiting {
    NextOptions options{};
    kj::Own<kj::PromiseFulfiller<Result<esdb::Batch>>> answer;
  };
  void serve_next();
  std::size_t share(std::size_t wanted) const;

  Context& context() const { return *caller_.context; }
  Allowance& allowance() const { return *caller_.allowance; }

  Caller caller_;
  Result<esdb::Cursor> cursor_;
  std::deque<Waiting> waiting_;
  bool serving_ = false;
};

}  // namespace esdb::server
