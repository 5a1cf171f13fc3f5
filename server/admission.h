// Admission: which connections are let in, and what the others are told.
//
// Three limits: of all connections, of those of one peer (a user at a Unix socket, an address of
// TCP), and of those that have not said who they are. Who is refused is told which of them was
// reached, by a connection that takes no place; so that these cannot pile up, only a few are told
// at once, and the rest are closed.
//
// Threads: that of the event loop.
#pragma once

#include <kj/time.h>

#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "esdb/error.h"
#include "server/options.h"

namespace esdb::server {

class Admission {
  struct Counts;

 public:
  static constexpr std::size_t kRefusalsAtOnce = 16;

  explicit Admission(const Options& options);

  // What a connection holds for as long as it is there.
  class Place {
   public:
    Place(std::shared_ptr<Counts> counts, std::string peer);  // refused where no peer is named
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place();
    void authenticated();  // it has said who it is

   private:
    std::shared_ptr<Counts> counts_;
    std::string peer_;
    bool known_ = false;
  };

  // Let in: a place, and no refusal. To be told: both. To be closed without a word: no place.
  struct Entry {
    std::unique_ptr<Place> place{};
    std::optional<Error> refusal{};
  };
  Entry enter(const std::string& peer, kj::TimePoint now);

 private:
  struct Counts {
    std::size_t all = 0, unauthenticated = 0, refused = 0;
    std::map<std::string, std::size_t> of_peer{};
  };
  // What the log says of one limit: at most a line a minute.
  struct Telling {
    std::optional<kj::TimePoint> last{};
    std::size_t unsaid = 0;
  };
  enum Limit : std::size_t { kAll, kOfPeer, kUnauthenticated, kLimits };

  std::optional<Limit> reached(const std::string& peer) const;
  std::string in_words(Limit limit, const std::string& peer) const;
  void tell(Limit limit, const std::string& words, kj::TimePoint now);

  std::size_t all_max_, of_peer_max_, unauthenticated_max_;
  Log log_;
  std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();  // as long as the last place
  std::array<Telling, kLimits> telling_{};
};

}  // namespace esdb::server
