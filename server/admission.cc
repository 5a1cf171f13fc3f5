#include "server/admission.h"

#include <utility>

namespace esdb::server {
namespace {

constexpr auto kTellingPause = 1 * kj::MINUTES;

}  // namespace

Admission::Place::Place(std::shared_ptr<Counts> counts, std::string peer)
    : counts_(std::move(counts)), peer_(std::move(peer)) {
  if (peer_.empty()) {
    ++counts_->refused;
    return;
  }
  ++counts_->all;
  ++counts_->unauthenticated;
  ++counts_->of_peer[peer_];
}

Admission::Place::~Place() {
  if (peer_.empty()) {
    --counts_->refused;
    return;
  }
  authenticated();
  --counts_->all;
  const auto at = counts_->of_peer.find(peer_);
  if (--at->second == 0) counts_->of_peer.erase(at);
}

void Admission::Place::authenticated() {
  if (peer_.empty() || std::exchange(known_, true)) return;
  --counts_->unauthenticated;
}

Admission::Admission(const Options& options)
    : all_max_(options.connections_max),
      of_peer_max_(options.connections_per_peer_max),
      unauthenticated_max_(options.connections_unauthenticated_max),
      log_(options.log) {}

Admission::Entry Admission::enter(const std::string& peer, kj::TimePoint now) {
  const auto limit = reached(peer);
  if (!limit) return {.place = std::make_unique<Place>(counts_, peer)};
  const auto words = in_words(*limit, peer);
  tell(*limit, words, now);
  Entry entry{.refusal = Error{.code = ErrorCode::kOverloaded,
                               .message = words + ": close some, or connect again later"}};
  if (counts_->refused < kRefusalsAtOnce)
    entry.place = std::make_unique<Place>(counts_, std::string());
  return entry;
}

std::optional<Admission::Limit> Admission::reached(const std::string& peer) const {
  if (counts_->all >= all_max_) return kAll;
  const auto at = counts_->of_peer.find(peer);
  if ((at == counts_->of_peer.end() ? 0 : at->second) >= of_peer_max_) return kOfPeer;
  if (counts_->unauthenticated >= unauthenticated_max_) return kUnauthenticated;
  return std::nullopt;
}

std::string Admission::in_words(Limit limit, const std::string& peer) const {
  switch (limit) {
    case kAll:
      return "all " + std::to_string(all_max_) + " connections are in use (connections_max)";
    case kOfPeer:
      return peer + " has " + std::to_string(of_peer_max_) +
             " connections, as many as one peer may (connections_per_peer_max)";
    default:
      return std::to_string(unauthenticated_max_) +
             " connections have not said yet who they are (connections_unauthenticated_max)";
  }
}

void Admission::tell(Limit limit, const std::string& words, kj::TimePoint now) {
  auto& telling = telling_[limit];
  if (telling.last && now - *telling.last < kTellingPause) {
    ++telling.unsaid;
    return;
  }
  telling.last = now;
  const auto more = std::exchange(telling.unsaid, 0);
  log_(LogLevel::kWarning,
       words + ": further ones are refused" +
           (more == 0 ? "" : ", " + std::to_string(more) + " more since the last such line"));
}

}  // namespace esdb::server
