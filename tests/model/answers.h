// What a store answers, as text: to be compared with what another answers, and to be read when the
// two differ.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "esdb/event_store.h"

namespace esdb::model {

template <class T>
ErrorCode code_of(const Result<T>& result) {
  return result ? ErrorCode{} : result.error().code;
}
// "done", or the error's code.
template <class T>
std::string word_of(const Result<T>& result) {
  return result ? "done" : std::string(to_string(result.error().code));
}

// An error in all that must be the same in every store: the words too where the log was judged.
std::string to_text(const Error& error);
std::string to_text(const Appended& appended);
std::string to_text(RecordedEvent event);
std::string to_text(const StreamInfo& info);
std::string to_text(const StreamPage& page);
std::string to_text(const TermPage& page);
std::string to_text(const TrackingPage& page);
std::string to_text(std::uint64_t number);
// Without what differs from store to store: ids, bytes, io.
std::string to_text(const Statistics& statistics);
// How far a batch has come; without ids.
std::string to_text(const Batch::Progress& progress);

template <class T>
std::string to_text(const Result<T>& result) {
  return result ? to_text(*result) : to_text(result.error());
}

std::string to_text(const AppendRequest& request);
std::string to_text(const ReadOptions& options);

NewEvent event(std::string stream, std::string type = "T", std::vector<Tag> tags = {});
inline EncodedAppend encoded(const AppendRequest& request) {
  return EncodedAppend::encode(request).value();
}

}  // namespace esdb::model
