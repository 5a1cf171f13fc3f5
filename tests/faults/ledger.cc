#include "tests/faults/ledger.h"

#include <algorithm>
#include <cstring>
#include <map>

namespace esdb::faults {
namespace {

constexpr std::size_t kOrdinalsMax = 256;

EventId id_of(std::size_t append, std::size_t ordinal) {
  EventId id;
  id.bytes.fill(std::byte{0x5e});
  id.bytes[0] = std::byte{static_cast<unsigned char>(append)};
  id.bytes[1] = std::byte{static_cast<unsigned char>(ordinal)};
  return id;
}

std::string name_of(std::size_t append, std::size_t ordinal) {
  return std::to_string(append) + "." + std::to_string(ordinal);
}

std::string data_of(std::size_t append, std::size_t ordinal, std::size_t bytes) {
  auto data = name_of(append, ordinal) + ":";
  data.resize(std::max(bytes, data.size()), static_cast<char>('a' + append % 26));
  return data;
}

std::uint32_t code_of(std::size_t append, std::size_t ordinal) {
  return static_cast<std::uint32_t>(append * kOrdinalsMax + ordinal + 1);
}

}  // namespace

std::vector<NewEvent> events_of(std::size_t append, std::size_t count, std::size_t bytes) {
  std::vector<NewEvent> events;
  for (std::size_t i = 0; i < count; ++i)
    events.push_back({.stream = "s-" + std::to_string((append + i) % 3),
                      .type = "T" + std::to_string(append),
                      .data = data_of(append, i, bytes),
                      .tags = {{"append", std::to_string(append)}},
                      .id = id_of(append, i)});
  return events;
}

void Ledger::ask(std::size_t append, std::size_t events, std::size_t bytes) {
  auto& asked = appends.at(append);
  asked.events = static_cast<std::uint32_t>(events);
  asked.bytes = bytes;
  if (asked.outcome != Outcome::kWritten) asked.outcome = Outcome::kUnknown;
}

void Ledger::answered(std::size_t append, const Result<Appended>& answer) {
  auto& asked = appends.at(append);
  if (answer) {
    asked.outcome = Outcome::kWritten;
    asked.first = answer->first.value;
    return;
  }
  if (asked.outcome == Outcome::kWritten) return;
  asked.uncertain = asked.uncertain || answer.error().code == ErrorCode::kOutcomeUnknown;
  asked.outcome = asked.uncertain ? Outcome::kUnknown : Outcome::kNotWritten;
}

void Ledger::process_ended() {
  for (auto& asked : appends)
    if (asked.outcome == Outcome::kUnknown) asked.uncertain = true;
}

std::string Ledger::see(const RecordedEvent& event) {
  const auto append = std::to_integer<std::size_t>(event.id().bytes[0]);
  const auto ordinal = std::to_integer<std::size_t>(event.id().bytes[1]);
  const auto where = "position " + to_string(event.position());
  if (append >= kAppendsMax || event.position().value >= kEventsMax)
    return where + ": an event that nobody wrote";
  const auto name = where + ": event " + name_of(append, ordinal);
  const auto& asked = appends[append];
  if (asked.outcome == Outcome::kNotAsked || ordinal >= asked.events)
    return name + " was never asked for";
  if (asked.outcome == Outcome::kNotWritten) return name + " was refused, and is there";
  if (event.id() != id_of(append, ordinal) ||
      event.data() != data_of(append, ordinal, asked.bytes) ||
      event.type() != "T" + std::to_string(append) ||
      event.stream() != "s-" + std::to_string((append + ordinal) % 3))
    return name + " has other bytes than were written";
  if (asked.outcome == Outcome::kWritten && event.position().value != asked.first + ordinal)
    return name + " was acknowledged at " + std::to_string(asked.first + ordinal);
  auto& seen = shown[event.position().value];
  if (seen != 0 && seen != code_of(append, ordinal))
    return name + ": another one was shown there before";
  seen = code_of(append, ordinal);
  return "";
}

std::string Ledger::compare(EventStore& store) {
  std::string wrong;
  std::uint64_t last = 0;
  std::map<std::size_t, std::uint64_t> found;    // events of each append
  std::map<std::string, std::uint64_t> streams;  // their versions
  const auto read = store.for_each(everything(), {}, [&](RecordedEvent event) {
    if (!wrong.empty()) return;
    wrong = see(event);
    const auto append = std::to_integer<std::size_t>(event.id().bytes[0]);
    const auto ordinal = std::to_integer<std::size_t>(event.id().bytes[1]);
    const auto where = "position " + to_string(event.position());
    if (wrong.empty() && event.position().value != ++last) wrong = where + ": a gap before it";
    if (wrong.empty() && ordinal != found[append]++)
      wrong = where + ": append " + std::to_string(append) + " is torn, or there twice";
    if (wrong.empty() && event.version().value != ++streams[std::string(event.stream())])
      wrong = where + ": its version does not follow";
  });
  if (!read) return "reading everything: " + read.error().message;
  if (!wrong.empty()) return wrong;
  for (std::size_t append = 0; append < kAppendsMax; ++append) {
    const auto& asked = appends[append];
    const auto there = found.contains(append) ? found.at(append) : 0;
    const auto name = "append " + std::to_string(append);
    if (there != 0 && there != asked.events) return name + " is not whole";
    if (asked.outcome == Outcome::kWritten && there != asked.events)
      return name + " was acknowledged, and is gone";
    const auto& watched = appends[asked.watched];
    if (asked.watched != 0 && asked.outcome == Outcome::kWritten &&
        watched.outcome == Outcome::kWritten && watched.first > asked.after &&
        watched.first < asked.first)
      return name + " was written although what it rests on had changed";
  }
  for (std::uint64_t position = last + 1; position < kEventsMax; ++position)
    if (shown[position] != 0)
      return "what was shown at position " + std::to_string(position) + " is gone";
  const auto tracked_there = store.tracked(kSource);
  if (!tracked_there) return "tracking: " + tracked_there.error().message;
  return see_tracked(*tracked_there);
}

std::uint64_t Ledger::tracked() const {
  std::uint64_t most = 0;
  for (const auto& asked : appends)
    if (asked.outcome == Outcome::kWritten) most = std::max(most, asked.tracked);
  return most;
}

std::string Ledger::see_tracked(std::uint64_t position) const {
  if (position < tracked())
    return "tracking at " + std::to_string(position) + ", and " + std::to_string(tracked()) +
           " was acknowledged";
  const bool asked = position == 0 || std::ranges::any_of(appends, [&](const Asked& each) {
                       return each.tracked == position && each.outcome != Outcome::kNotWritten;
                     });
  return asked ? "" : "tracking at " + std::to_string(position) + ", which nobody wrote";
}

std::uint64_t Ledger::acknowledged() const {
  std::uint64_t last = 0;
  for (const auto& asked : appends)
    if (asked.outcome == Outcome::kWritten && asked.events > 0)
      last = std::max(last, asked.first + asked.events - 1);
  return last;
}

}  // namespace esdb::faults
