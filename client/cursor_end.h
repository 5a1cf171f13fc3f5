// Cursor end: a remote cursor's place, and the half of it that lives on the event loop.
//
// The place is kept here and not by the server: after the connection broke, a new cursor is opened
// where the last batch ended, by its checkpoint, so that another store, or one restored to an
// earlier point, is told apart. While events keep coming it asks ahead; at the end of the log it
// does not, so that an empty answer is never older than the question.
//
// Threads: that of the event loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

#include "client/cursor_request.h"
#include "client/link.h"
#include "esdb/cursor.h"
#include "esdb/query.h"
#include "protocol/received_batch.h"

namespace esdb::client {

class CursorEnd final : private Link::User, private kj::TaskSet::ErrorHandler {
 public:
  CursorEnd(Link& link, kj::Timer& timer, CursorRequest request);
  ~CursorEnd();
  KJ_DISALLOW_COPY(CursorEnd);

  void ask(Ask ask);  // one at a time
  // Answers kCancelled to the ask of that id; 0: to whichever there is.
  void cancel(std::uint64_t id);
  void close();

 private:
  void link_up() override;
  void link_down(const Error& why, bool is_final) override;
  void taskFailed(kj::Exception&& error) override;

  void go_on();
  void open();
  void send_next(std::uint64_t for_ask, std::size_t max_bytes, std::chrono::milliseconds wait);
  void ask_ahead();
  void answered(std::uint64_t generation, std::uint64_t for_ask,
                Result<protocol::ReceivedBatch> answer);
  void broke(std::uint64_t generation, const kj::Exception& why);
  void absorb(protocol::ReceivedBatch batch, std::uint64_t for_ask);
  void deliver(Result<protocol::ReceivedBatch> answer);
  void deliver_ready();
  void stop_waiting();
  void forget_cursor();
  void watch_deadline();
  void watch_server(std::chrono::milliseconds wait);
  bool is_due() const;
  Start resume() const;

  Link& link_;
  kj::Timer& timer_;
  CursorRequest request_;

  bool started_ = false;  // a batch was received
  std::uint64_t given_ = 0;
  Batch::Progress progress_;
  std::deque<protocol::ReceivedBatch> ready_;

  std::optional<protocol::Cursor::Client> cursor_;
  std::uint64_t generation_ = 0;  // the connection it was opened on
  unsigned outstanding_ = 0;      // calls of next() sent and not answered
  bool waiting_ = false;          // the one that is served waits for something new
  std::optional<Ask> ask_;
  std::size_t max_bytes_ = 0;  // of the latest ask: asked ahead for, too
  kj::Promise<void> deadline_ = kj::READY_NOW;
  kj::Promise<void> server_watch_ = kj::READY_NOW;
  kj::TaskSet tasks_;
};

}  // namespace esdb::client
