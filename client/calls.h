// Calls: what was asked of the server and is not answered yet, in the order in which it was asked.
//
// A call whose connection breaks is sent again on the next one until its deadline, as the same
// bytes: a repeated append is recognised by its ids. Once an append was sent and its answer lost,
// only an answer that settles it is passed on; otherwise its outcome is unknown.
//
// Threads: that of the event loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "client/cursor_request.h"
#include "client/link.h"

namespace esdb::client {

// One call, of any kind. `send` makes the request and passes its answer on; `fail` answers instead.
struct Call {
  // Nothing: answered, and what was answered was passed on. An error: what the server answered.
  using Sent = kj::Promise<std::optional<Error>>;
  std::move_only_function<Sent(protocol::Session::Client&, std::chrono::milliseconds left)> send{};
  std::move_only_function<void(Error)> fail{};
  Deadline deadline{};
  bool is_append = false;
  bool only_now = false;  // fails when there is no connection, instead of waiting for one
};

class Calls final : private Link::User, private kj::TaskSet::ErrorHandler {
 public:
  Calls(Link& link, kj::Timer& timer);
  ~Calls();
  KJ_DISALLOW_COPY(Calls);

  // Calls are sent again in the order of their ids, which are the caller's.
  void add(std::uint64_t id, Call call);
  void cancel(std::uint64_t id);  // kCancelled, or kOutcomeUnknown for an append that was sent

  // Answers everything but appends that were sent and may still be answered; `closed` is called
  // when those are, too.
  void close(std::function<void()> closed);

 private:
  struct Entry {
    Call call;
    std::uint64_t attempt = 0;  // the connection it was last sent on
    bool in_flight = false;
    bool late = false;  // its deadline has passed, and the server is given a moment more to say so
    bool lost = false;  // it was sent on a connection that broke before the answer
  };
  using Entries = std::map<std::uint64_t, Entry>;

  void link_up() override;
  void link_down(const Error& why, bool is_final) override;
  void taskFailed(kj::Exception&& error) override;

  void send_waiting();
  void send(std::uint64_t id, Entry& entry);
  void answered(std::uint64_t id, std::uint64_t attempt, std::optional<Error> error);
  void broke(std::uint64_t id, std::uint64_t attempt, kj::Exception&& why);
  void end(Entries::iterator at, Error error);
  Entries::iterator erase(Entries::iterator at);
  void watch_deadlines();
  void expire();
  Error expired(const Entry& entry) const;
  static Error failed(const Entry& entry, const kj::Exception& why);
  void finish_closing();

  Link& link_;
  kj::Timer& timer_;
  Entries entries_;
  std::size_t in_flight_ = 0;
  std::uint64_t unsent_from_ = 0;  // no entry below it waits to be sent
  std::set<std::pair<Deadline, std::uint64_t>> deadlines_;
  std::optional<Deadline> watched_;
  kj::Promise<void> watching_ = kj::READY_NOW;
  std::function<void()> closed_;
  kj::TaskSet tasks_;
};

}  // namespace esdb::client
