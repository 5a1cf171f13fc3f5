#include "tests/model/answers.h"

#include <functional>

namespace esdb::model {
namespace {

std::string time_text(Time time) { return std::to_string(time.time_since_epoch().count()); }

std::string bytes_text(std::string_view bytes) {
  if (bytes.size() <= 16) return '"' + std::string(bytes) + '"';
  return std::to_string(bytes.size()) + " bytes, hash " +
         std::to_string(std::hash<std::string_view>{}(bytes));
}

bool is_judged(ErrorCode code) {
  return code == ErrorCode::kConflict || code == ErrorCode::kAlreadyExists ||
         code == ErrorCode::kAlreadyTracked || code == ErrorCode::kIdConflict;
}

std::string expect_text(const Expect& expect) {
  switch (expect.kind()) {
    case Expect::Kind::kAny:
      return "any";
    case Expect::Kind::kNone:
      return "none";
    case Expect::Kind::kExists:
      return "exists";
    case Expect::Kind::kExactly:
      break;
  }
  return "exactly " + to_string(expect.version());
}

std::string check_text(const Check& check) {
  switch (check.kind) {
    case Check::Kind::kStream:
      return check.name + " " + expect_text(check.expect);
    case Check::Kind::kUnchanged:
      return "unchanged(" + to_string(check.query) + ") after " + to_string(check.after);
    case Check::Kind::kAbsent:
      break;
  }
  return "absent(" + to_string(check.query) + ")";
}

}  // namespace

std::string to_text(const Error& error) {
  std::string text(to_string(error.code));
  if (is_judged(error.code)) text += ": " + error.message;
  for (const auto& violation : error.violations) {
    text += violation.check == Violation::kTrackingCheck
                ? "\n  tracking"
                : "\n  check " + std::to_string(violation.check);
    text += ": " + violation.what + ", actual " + to_string(violation.actual) + ", conflicting " +
            to_string(violation.conflicting);
  }
  return text;
}

std::string to_text(const Appended& appended) {
  std::string text = (appended.repeated ? "repeated " : "written ") + to_string(appended.first) +
                     ".." + to_string(appended.last) + " at " + time_text(appended.committed);
  for (const auto& stream : appended.streams)
    text += " " + stream.stream + "@" + to_string(stream.version);
  return text;
}

std::string to_text(RecordedEvent event) {
  std::string text = to_string(event.position()) + " " + std::string(event.stream()) + "@" +
                     to_string(event.version()) + " " + std::string(event.type()) + " " +
                     to_string(event.id()) + " of append " + to_string(event.append()) +
                     (event.ends_append() ? ", its last" : "") + ", at " +
                     time_text(event.committed()) + ", by its author at " +
                     time_text(event.time()) + ", " + std::string(event.content_type()) + " " +
                     bytes_text(event.data()) + ", metadata " + bytes_text(event.metadata());
  for (const auto tag : event.tags()) text += " #" + std::string(tag);
  return text;
}

std::string to_text(const StreamInfo& info) {
  return info.name + " " + to_string(info.first_version) + ".." + to_string(info.version) +
         ", last " + to_string(info.last_position) + " at " + time_text(info.last_committed);
}

std::string to_text(const StreamPage& page) {
  std::string text;
  for (const auto& stream : page.streams) text += to_text(stream) + "\n";
  return text + "next " + page.next;
}

std::string to_text(const TermPage& page) {
  std::string text;
  for (const auto& term : page.terms)
    text +=
        term.text + " in " + std::to_string(term.events) + ", last " + to_string(term.last) + "\n";
  return text + "next " + page.next;
}

std::string to_text(const TrackingPage& page) {
  std::string text;
  for (const auto& source : page.sources)
    text += source.source + "=" + std::to_string(source.position) + "\n";
  return text + "next " + page.next;
}

std::string to_text(std::uint64_t number) { return std::to_string(number); }

std::string to_text(const Statistics& statistics) {
  return statistics.state + ", durable " + to_string(statistics.durable) + ", " +
         std::to_string(statistics.events) + " events, " + std::to_string(statistics.streams) +
         " streams, last " + time_text(statistics.last_committed);
}

std::string to_text(const Batch::Progress& progress) {
  return "considered " + to_string(progress.considered.position) + " at " +
         time_text(progress.considered_time) + ", head " + to_string(progress.head) + " at " +
         time_text(progress.head_time) + ", version " + to_string(progress.version) +
         (progress.finished ? ", finished" : "");
}

std::string to_text(const AppendRequest& request) {
  std::string text = "append";
  for (const auto& event : request.events) {
    text += " {" + event.stream + " " + event.type + " " + to_string(event.id).substr(24) + " " +
            bytes_text(event.data);
    for (const auto& tag : event.tags) text += " #" + tag.text;
    text += "}";
  }
  for (const auto& check : request.checks) text += " [" + check_text(check) + "]";
  for (const auto& asked : request.tracking)
    text += " <" + asked.source + " " + std::to_string(asked.position) +
            (asked.after ? " after " + std::to_string(*asked.after) : "") + ">";
  return text;
}

std::string to_text(const ReadOptions& options) {
  std::string text = options.direction == Direction::kForwards ? "forwards" : "backwards";
  switch (options.start.kind) {
    case Start::Kind::kBeginning:
      break;
    case Start::Kind::kEnd:
      text += " from the end";
      break;
    case Start::Kind::kPosition:
      text += " after " + std::to_string(options.start.number);
      break;
    case Start::Kind::kCheckpoint:
      text += " after checkpoint " + to_string(options.start.checkpoint.position);
      break;
    case Start::Kind::kVersion:
      text += " after version " + std::to_string(options.start.number);
      break;
    case Start::Kind::kTime:
      text += " from " + time_text(options.start.time);
      break;
  }
  if (options.limit != ~std::uint64_t{0}) text += " limit " + std::to_string(options.limit);
  if (options.up_to) text += " up to " + to_string(*options.up_to);
  if (options.since) text += " since " + time_text(*options.since);
  if (options.until) text += " until " + time_text(*options.until);
  return text;
}

NewEvent event(std::string stream, std::string type, std::vector<Tag> tags) {
  return {
      .stream = std::move(stream), .type = std::move(type), .data = "{}", .tags = std::move(tags)};
}

}  // namespace esdb::model
