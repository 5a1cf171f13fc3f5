// What a measurement says when it cannot go on: a call of the system that failed, or a store that
// answered what it must not. It ends the measurement, and what it made is removed on the way out.
#pragma once

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace esdb::bench {

struct MeasurementFailed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Of a call that has just set errno.
[[noreturn]] inline void fail(const std::string& what) {
  const int error = errno;
  throw MeasurementFailed(what + ": " + std::strerror(error));
}

}  // namespace esdb::bench
