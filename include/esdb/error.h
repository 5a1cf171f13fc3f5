// Errors are values: what went wrong, what to do about it, and what was found.
//
// Nothing in esdb throws. Every function that can fail returns a Result, which the compiler does
// not let you ignore. Programs that like exceptions call value(): it throws a Failure whose what()
// is the error's message.
#pragma once

#include <cstdint>
#include <expected>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "esdb/numbers.h"

namespace esdb {

// The code says which of four things is true. The number is part of the wire format and never
// changes.
enum class ErrorCode : std::uint16_t {
  // 1. The request is at fault. Nothing was written; repeating it gives the same answer.
  kInvalidArgument = 1,  // the message names the field and the rule
  kTooLarge = 2,         // over a limit (limits.h): which, and by how much
  kRejected = 3,         // the application said no (esdb::reject); never made by the store
  kDenied = 4,           // this caller may not
  kUnsupported = 5,      // the other side, or the files, are of a version that cannot do this
  kFailed = 6,           // a view or a handler of the application failed: never made by the store

  // 2. The request was judged against the log and does not hold. Nothing was written.
  kConflict = 10,        // a stream or unchanged check: read what is new, decide again
  kAlreadyExists = 11,   // an absent check: the thing exists; deciding again will not help
  kAlreadyTracked = 12,  // tracking is not ahead of what is stored: this was done before (or what
                         // is stored is not what Tracking::after says)
  kIdConflict = 13,      // some of these ids are in the log, but not as this append

  // 3. Not now. Nothing was written. The same request may succeed later.
  kUnavailable =
      20,  // no connection, or the store is rebuilding its index (the message has the percentage)
  kOverloaded = 21,  // the queue is full
  kDiskFull = 22,    // reads go on; clears by itself
  kReadOnly = 23,    // a write failed earlier: restart the process that owns the store
  kTimedOut = 24,    // the deadline passed before the request was taken up
  kCancelled = 25,   // the caller's stop token, or Cursor::cancel()
  kClosed = 26,      // close() was called
  kLocked = 27,      // another process owns the directory: its pid, and its URL when it is a server

  // 4. The store cannot know, or cannot be trusted.
  kOutcomeUnknown = 40,  // the append may or may not be in the log. Repeat it with the same ids:
                         // that is always safe
  kCorrupt = 41,         // bytes of the log are damaged: segment, offset, positions
  kRefused = 42,         // the store did not open: acknowledged data is damaged or missing
  kOtherStore = 43,  // this position was written down in another store, or in one since restored
                     // from an older backup
};

// "conflict", "outcome_unknown": the word used on the wire, in logs and by esctl.
std::string_view to_string(ErrorCode code);

// What a caller can do. Every code has exactly one answer.
enum class Remedy : std::uint8_t {
  kNone,       // a bug or a decision: report it. All of 1., kAlreadyExists, kAlreadyTracked,
               // kIdConflict, and kCancelled and kClosed, which the caller asked for
  kDecide,     // kConflict: read what is new, decide again
  kRepeat,     // kUnavailable, kOverloaded, kDiskFull, kTimedOut, kOutcomeUnknown: send the same
               // request again, with the same ids, after a pause
  kIntervene,  // an operator is needed: kReadOnly, kLocked, kCorrupt, kRefused, kOtherStore
};
Remedy remedy(ErrorCode code);

// One check that does not hold, with what was found.
struct Violation {
  std::size_t check{};  // its index in AppendRequest::checks; kTrackingCheck: a tracking position
  std::string what{};   // the check in words: "stream order-1 at version 3", "absent tag:email:a@b"
  Version actual{};     // stream checks: the stream's version
  // Query checks: the first event that violates it. Tracking: what is stored.
  Position conflicting{};
  static constexpr std::size_t kTrackingCheck = ~std::size_t{0};
};

struct Error {
  ErrorCode code{};
  std::string message{};                // for people: what was wrong, where, what to do. One line
  std::vector<Violation> violations{};  // every check that does not hold; empty for other codes
  std::string
      detail{};  // kRejected: the application's own payload, carried unchanged over the wire
};

// An application's own refusal, told apart from the store's errors by its code, and carried by
// commands to the caller.
inline std::unexpected<Error> reject(std::string message, std::string detail = {}) {
  return std::unexpected(Error{
      .code = ErrorCode::kRejected, .message = std::move(message), .detail = std::move(detail)});
}

// Thrown by Result::value(), and by nothing else.
struct Failure : std::runtime_error {
  explicit Failure(Error e) : std::runtime_error(e.message), error(std::move(e)) {}
  Error error;
};

// A value or an Error: a std::expected that the compiler does not let you ignore (libstdc++ 12's is
// not nodiscard), whose value() says what went wrong, and whose temporaries are safe in a range-for
// (`for (auto e : *cursor.next())`: operator* of a temporary returns by value; with std::expected
// it dangles until C++23's P2718 arrives with GCC 15).
template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
  using Base = std::expected<T, Error>;

 public:
  using Base::Base;
  T& operator*() & { return value(); }  // checked: using an error as a value throws its message
  const T& operator*() const& { return value(); }
  T operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T& value() & { return check(), Base::operator*(); }
  const T& value() const& { return check(), Base::operator*(); }
  T value() && { return check(), std::move(Base::operator*()); }

 private:
  void check() const {
    if (!this->has_value()) throw Failure(this->error());
  }
};

template <>
class [[nodiscard]] Result<void> : public std::expected<void, Error> {
  using Base = std::expected<void, Error>;

 public:
  using Base::Base;
  void value() const {
    if (!has_value()) throw Failure(error());
  }
};

}  // namespace esdb
