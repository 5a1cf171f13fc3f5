// Link: the way to one server, which is made again whenever it breaks and somebody needs it.
//
// After a failure it waits before it tries again, twice as long each time, with some chance in it
// so that many clients do not come back at once. It goes to one store: a server that has another
// one now is not used.
//
// Threads: that of the event loop.
#pragma once

#include <kj/async-io.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "client/address.h"
#include "client/connection.h"

namespace esdb::client {

// Before the next attempt, when so many have failed one after the other; `chance` is in [0, 1). A
// server on this machine is asked more often: it costs nothing, and one that was started again is
// found at once.
std::chrono::milliseconds pause_after(unsigned failures, Address::Kind kind, double chance);

class Link final : private kj::TaskSet::ErrorHandler {
 public:
  // Who uses the link. Called from the loop, never within a call of theirs.
  class User {
   public:
    virtual void link_up() = 0;
    // It broke, or an attempt failed: `why` says so. Whoever still needs it says need() again. What
    // `is_final` will not get better by waiting.
    virtual void link_down(const Error& why, bool is_final) = 0;

   protected:
    ~User() = default;
  };

  // Loop and log outlive it.
  Link(kj::AsyncIoContext& loop, Address address, std::function<void(std::string_view)> log);
  KJ_DISALLOW_COPY(Link);

  void add(User& user);
  void remove(User& user);

  void need();  // connects, unless it is connected or about to be
  bool is_up() const { return state_ == State::kUp; }
  bool is_connecting() const { return state_ == State::kConnecting; }
  protocol::Session::Client& session() { return connection_->session(); }
  const Welcome& welcome() const { return connection_->welcome(); }
  std::uint64_t generation() const { return generation_; }  // grows with every connection
  const Error& last_error() const { return last_error_; }

  // Something was answered: a connection that did work is no reason to wait before the next.
  void worked() {
    noticed();
    failures_ = 0;
    last_heard_ = timer_.now();
  }
  // Work and answers, counted: see protocol/wakeful_loop.h.
  void noticed() { ++arrivals_; }
  const std::uint64_t& arrivals() const { return arrivals_; }
  kj::Duration silence() const { return timer_.now() - last_heard_; }

  void cut(std::string why);  // gives up the connection, as if it had broken
  void close();               // for good

 private:
  enum class State : std::uint8_t { kDown, kConnecting, kUp, kClosed };

  void connect();
  void opened(kj::Own<Connection> connection);
  void failed(Error why, bool is_final);
  void broke(std::uint64_t generation);
  void taskFailed(kj::Exception&& error) override;
  template <class Tell>
  void tell(Tell tell);

  kj::AsyncIoContext& loop_;
  kj::Timer& timer_;
  Address address_;
  std::function<void(std::string_view)> log_;
  std::vector<User*> users_;

  State state_ = State::kDown;
  bool wanted_ = false;    // somebody needs it
  bool pausing_ = false;   // until the next attempt may be made
  unsigned failures_ = 0;  // attempts that failed, one after the other
  std::uint64_t generation_ = 0;
  std::uint64_t arrivals_ = 0;
  kj::TimePoint last_heard_;  // when something was answered
  std::string store_id_;
  Error last_error_;
  std::minstd_rand chance_;
  kj::Own<Connection> connection_;
  kj::Own<Connection> broken_;  // until nothing of it is on the stack
  std::optional<kj::TaskSet> tasks_;
};

}  // namespace esdb::client
