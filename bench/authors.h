// Authors: who makes the events of a load, cheaply, so that the store is measured and not they.
//
// An event is of the kind the project's figures are told for: a stream of 40 bytes, a type of 17,
// one tag, JSON. An author keeps one request and changes in it what differs: the texts are copied
// into room that is there already. Numbers are random, from a seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "esdb/append.h"

namespace esdb::bench {

// "account-" and 32 digits that say nothing about the number: neighbours lie apart.
std::string stream_name(std::uint64_t number);
std::string tag_text(std::uint64_t number);  // "customer:" and the number
inline constexpr std::string_view kTypes[] = {"MoneyWasDeposited", "MoneyWasWithdrawn",
                                              "AccountWasRenamed", "AccountWasAudited"};

// Of all loads that are not told another one; printed at the top of every suite.
inline constexpr std::uint64_t kSeed = 1;

// Numbers at random, from a seed: cheap to make and to keep, as there may be a thousand authors.
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : state_(seed << 32) {}
  std::uint64_t operator()();

 private:
  std::uint64_t state_;
};

// How events are called that must not be taken for anybody's own. Empty: as the usual ones are.
struct Names {
  std::string stream{}, tag{};  // what a number is written behind
  std::string type{};           // of all events
};

struct Shape {
  std::size_t events = 1;  // of an append
  std::size_t data_bytes = 256;
  // An event goes to one of them at random, and carries one of the tags; 1: to the first.
  std::uint64_t streams = 1;
  std::uint64_t first_stream = 0;
  std::uint64_t tags = 1'000;
  std::uint64_t first_tag = 0;
  Names names{};
};
std::string stream_name(const Shape& shape, std::uint64_t number);
std::string tag_text(const Shape& shape, std::uint64_t number);

class Author {
 public:
  Author(const Shape& shape, std::uint64_t seed);
  // The next events, with new ids; checks stay as they were left.
  AppendRequest& next();

 private:
  const Shape shape_;
  Numbers numbers_;
  AppendRequest request_;
};

}  // namespace esdb::bench
