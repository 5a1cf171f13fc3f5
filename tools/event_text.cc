#include "tools/event_text.h"

#include <fmt/format.h>

#include <string_view>

#include "tools/times.h"

namespace esdb::tools {
namespace {

// More of an event's data than any terminal is wide is not looked at.
constexpr std::size_t kDataShownMax = 4096;
constexpr std::size_t kBufferMax = std::size_t{64} << 10;

}  // namespace

EventPrinter::EventPrinter(const Invocation& invocation)
    : out_(invocation.out()), terminal_(invocation.around.terminal), json_(invocation.json()) {}

void EventPrinter::print(const RecordedEvent& event) {
  if (json_) {
    lines_.append_line(event, buffer_);
  } else {
    append_for_people(event);
  }
  ++printed_;
  if (buffer_.size() >= kBufferMax) {
    out_ << buffer_;
    buffer_.clear();
  }
}

void EventPrinter::append_for_people(const RecordedEvent& event) {
  const auto head = fmt::format("{:>8}  ", event.position().value);
  const auto stream = printable(event.stream());
  const auto version = fmt::format("@{}", event.version().value);
  const auto type = printable(event.type());
  const auto time = format_time(event.time());
  std::string rest;
  for (const auto tag : event.tags()) rest.append("#").append(printable(tag)).append(" ");
  if (!terminal_.out) {
    rest += printable(event.data());
    buffer_ += fmt::format("{}{}{}  {}  {}  {}\n", head, stream, version, type, time, rest);
    return;
  }
  rest += printable(event.data().substr(0, kDataShownMax));
  const auto taken = columns_of(head) + columns_of(stream) + columns_of(version) +
                     columns_of(type) + columns_of(time) + 6;
  rest = taken < terminal_.columns ? cut_to(rest, terminal_.columns - taken) : std::string{};
  buffer_ +=
      fmt::format("{}{}{}  {}  {}  {}\n", inked(Ink::kDim, head, terminal_),
                  inked(Ink::kBlue, stream, terminal_), inked(Ink::kDim, version, terminal_),
                  inked(Ink::kBold, type, terminal_), inked(Ink::kDim, time, terminal_), rest);
}

Result<void> EventPrinter::flush() {
  out_ << buffer_ << std::flush;
  buffer_.clear();
  if (!out_) return failed("cannot write to the output");
  return {};
}

}  // namespace esdb::tools
