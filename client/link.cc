#include "client/link.h"

#include <algorithm>
#include <utility>

namespace esdb::client {
namespace {

constexpr std::chrono::milliseconds kPauseFirst{10}, kPauseLast{2000}, kPauseLastHere{250};

bool gets_better(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kOverloaded;
}

}  // namespace

std::chrono::milliseconds pause_after(unsigned failures, Address::Kind kind, double chance) {
  const auto last = kind == Address::Kind::kUnix ? kPauseLastHere : kPauseLast;
  const auto longest = std::min(last, kPauseFirst * (1 << std::min(failures, 8u)));
  return std::chrono::floor<std::chrono::milliseconds>(longest / 2 + longest / 2 * chance);
}

Link::Link(kj::AsyncIoContext& loop, Address address, std::function<void(std::string_view)> log)
    : loop_(loop),
      timer_(loop.provider->getTimer()),
      address_(std::move(address)),
      log_(std::move(log)),
      last_heard_(timer_.now()),
      last_error_{.code = ErrorCode::kUnavailable,
                  .message = address_.url() + ": the server has not answered yet"},
      chance_(std::random_device{}()),
      tasks_(std::in_place, static_cast<kj::TaskSet::ErrorHandler&>(*this)) {}

void Link::add(User& user) { users_.push_back(&user); }
void Link::remove(User& user) { std::erase(users_, &user); }

// Users come and go while they are told.
template <class Tell>
void Link::tell(Tell tell) {
  const auto now = users_;
  for (auto* user : now)
    if (std::ranges::find(users_, user) != users_.end()) tell(*user);
}

void Link::need() {
  wanted_ = true;
  if (state_ == State::kDown && !pausing_) connect();
}

void Link::connect() {
  wanted_ = false;
  state_ = State::kConnecting;
  tasks_->add(kj::evalLater([this]() { return Connection::open(loop_, address_); })
                  .then(
                      [this](Result<kj::Own<Connection>> connection) {
                        if (!connection)
                          failed(connection.error(), !gets_better(connection.error().code));
                        else
                          opened(*std::move(connection));
                      },
                      [this](kj::Exception&& error) {
                        failed({.code = ErrorCode::kUnavailable,
                                .message = address_.url() + ": " + error.getDescription().cStr()},
                               false);
                      }));
}

void Link::opened(kj::Own<Connection> connection) {
  const auto& store_id = connection->welcome().store_id;
  if (!store_id_.empty() && store_id != store_id_) {
    failed({.code = ErrorCode::kOtherStore,
            .message = address_.url() + ": the server there has store " + store_id +
                       " now, and this one was opened on " + store_id_ + ": open it again"},
           true);
    return;
  }
  store_id_ = store_id;
  if (generation_++ != 0 && log_) log_(address_.url() + ": connected again");
  connection_ = kj::mv(connection);
  state_ = State::kUp;
  last_heard_ = timer_.now();
  tasks_->add(connection_->on_break().then([this, generation = generation_]() {
    return kj::evalLater([this, generation]() { broke(generation); });
  }));
  tell([](User& user) { user.link_up(); });
}

void Link::broke(std::uint64_t generation) {
  if (state_ != State::kUp || generation != generation_) return;
  const auto why = connection_->reason();
  broken_ = kj::mv(connection_);
  if (log_) log_(why.message);
  failed(why, false);
}

void Link::failed(Error why, bool is_final) {
  state_ = State::kDown;
  last_error_ = why;
  const auto length =
      pause_after(failures_++, address_.kind, std::uniform_real_distribution<>(0, 1)(chance_));
  pausing_ = true;
  tasks_->add(timer_.afterDelay(length.count() * kj::MILLISECONDS).then([this]() {
    pausing_ = false;
    broken_ = nullptr;
    if (wanted_ && state_ == State::kDown) connect();
  }));
  tell([&](User& user) { user.link_down(why, is_final); });
}

void Link::cut(std::string why) {
  if (state_ == State::kUp) connection_->cut(std::move(why));
}

void Link::taskFailed(kj::Exception&& error) {
  if (log_) log_(address_.url() + ": " + error.getDescription().cStr());
}

void Link::close() {
  state_ = State::kClosed;
  users_.clear();
  tasks_.reset();
  broken_ = nullptr;
  connection_ = nullptr;
}

}  // namespace esdb::client
