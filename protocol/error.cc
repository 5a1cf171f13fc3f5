#include "esdb/error.h"

namespace esdb {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "invalid_argument";
    case ErrorCode::kTooLarge:
      return "too_large";
    case ErrorCode::kRejected:
      return "rejected";
    case ErrorCode::kDenied:
      return "denied";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kFailed:
      return "failed";
    case ErrorCode::kConflict:
      return "conflict";
    case ErrorCode::kAlreadyExists:
      return "already_exists";
    case ErrorCode::kAlreadyTracked:
      return "already_tracked";
    case ErrorCode::kIdConflict:
      return "id_conflict";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kOverloaded:
      return "overloaded";
    case ErrorCode::kDiskFull:
      return "disk_full";
    case ErrorCode::kReadOnly:
      return "read_only";
    case ErrorCode::kTimedOut:
      return "timed_out";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kClosed:
      return "closed";
    case ErrorCode::kLocked:
      return "locked";
    case ErrorCode::kOutcomeUnknown:
      return "outcome_unknown";
    case ErrorCode::kCorrupt:
      return "corrupt";
    case ErrorCode::kRefused:
      return "refused";
    case ErrorCode::kOtherStore:
      return "other_store";
  }
  return "unknown";  // a number that a newer version sent
}

Remedy remedy(ErrorCode code) {
  switch (code) {
    case ErrorCode::kConflict:
      return Remedy::kDecide;
    case ErrorCode::kUnavailable:
    case ErrorCode::kOverloaded:
    case ErrorCode::kDiskFull:
    case ErrorCode::kTimedOut:
    case ErrorCode::kOutcomeUnknown:
      return Remedy::kRepeat;
    case ErrorCode::kReadOnly:
    case ErrorCode::kLocked:
    case ErrorCode::kCorrupt:
    case ErrorCode::kRefused:
    case ErrorCode::kOtherStore:
      return Remedy::kIntervene;
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kTooLarge:
    case ErrorCode::kRejected:
    case ErrorCode::kDenied:
    case ErrorCode::kUnsupported:
    case ErrorCode::kFailed:
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kAlreadyTracked:
    case ErrorCode::kIdConflict:
    case ErrorCode::kCancelled:
    case ErrorCode::kClosed:
      return Remedy::kNone;
  }
  return Remedy::kNone;
}

}  // namespace esdb
