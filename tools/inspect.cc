#include "storage/inspect.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "tools/commands.h"
#include "tools/directory.h"
#include "tools/table.h"
#include "tools/times.h"
#include "tools/values.h"

namespace esdb::tools {
namespace {

using Json = nlohmann::ordered_json;

struct InspectArguments {
  std::string directory{};
  std::optional<std::uint64_t> segment{};
};

constexpr const char* kExamples =
    "  esctl inspect ./data\n"
    "  esctl inspect ./data --segment 3 | less\n"
    "  esctl inspect ./data --segment 3 --json\n\n"
    "Shows what the log is made of, damaged or not, and changes nothing: the segment files, or "
    "the\n"
    "frames and records of one. docs/format.md says what the words mean.";

void print_json(const Json& line, const Invocation& invocation) {
  invocation.out() << line.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
}

Json to_json(const storage::InspectedSegment& segment) {
  Json witnesses = Json::array();
  for (const auto& witness : segment.witnesses)
    witnesses.push_back({{"sound", witness.is_sound},
                         {"clean", witness.is_clean},
                         {"durable_frame", witness.durable_frame},
                         {"sequence", witness.sequence}});
  return {{"segment", segment.number},
          {"file", segment.file},
          {"file_bytes", segment.file_bytes},
          {"damage", segment.damage},
          {"store_id", segment.store_id},
          {"format", segment.format},
          {"segment_bytes", segment.segment_bytes},
          {"block_bytes", segment.block_bytes},
          {"unit_bytes", segment.unit_bytes},
          {"witnesses", std::move(witnesses)},
          {"sealed", segment.is_sealed},
          {"first", segment.first.value},
          {"first_frame", segment.first_frame},
          {"events", segment.events},
          {"frames", segment.frames},
          {"frames_end", segment.frames_end},
          {"first_committed", format_time(segment.first_committed)},
          {"last_committed", format_time(segment.last_committed)},
          {"first_epoch", segment.first_epoch},
          {"last_epoch", segment.last_epoch}};
}

Result<ExitCode> inspect_segments(const InspectArguments& arguments, const Invocation& invocation) {
  const auto segments = storage::inspect(arguments.directory);
  if (!segments) return std::unexpected(segments.error());
  using Align = Table::Align;
  Table table({{"SEGMENT", Align::kRight},
               {"FIRST", Align::kRight},
               {"EVENTS", Align::kRight},
               {"FRAMES", Align::kRight},
               {"USED", Align::kRight},
               {"BYTES", Align::kRight},
               {"STATE"}});
  for (const auto& segment : *segments) {
    if (invocation.json()) {
      print_json(to_json(segment), invocation);
      continue;
    }
    const auto state = !segment.damage.empty() ? "damaged: " + printable(segment.damage)
                       : segment.is_sealed     ? std::string("sealed")
                       : segment.frames == 0   ? std::string("prepared")
                                               : std::string("open");
    table.add({std::to_string(segment.number), std::to_string(segment.first.value),
               std::to_string(segment.events), std::to_string(segment.frames),
               std::to_string(segment.frames_end), std::to_string(segment.file_bytes), state});
  }
  table.print(invocation.out(), invocation.around.terminal);
  return ExitCode::kOk;
}

Json to_json(const storage::InspectedFrame& frame) {
  Json line{{"offset", frame.offset}};
  if (!frame.damage.empty()) line["damage"] = frame.damage;
  if (!frame.has_header) return line;
  line["kind"] = frame.is_epoch ? "epoch" : "commits";
  line["frame"] = frame.frame_number;
  line["length"] = frame.length;
  line["first"] = frame.first.value;
  line["events"] = frame.event_count;
  line["epoch_id"] = frame.epoch_id;
  if (frame.is_epoch) line["parent_epoch_id"] = frame.parent_epoch_id;
  line["committed"] = format_time(frame.committed);
  line["durable_frame"] = frame.durable_frame;
  line["records"] = Json::array();
  for (const auto& record : frame.records) {
    Json one{{"offset", record.offset}};
    if (record.is_tracking) {
      one["source"] = record.source;
      one["tracked"] = record.tracked;
    } else {
      one["position"] = record.position.value;
      one["version"] = record.version.value;
      one["previous"] = record.previous.value;
      one["ordinal"] = record.ordinal;
      one["bytes"] = record.payload.size();
    }
    one["ends_commit"] = record.ends_commit;
    line["records"].push_back(std::move(one));
  }
  return line;
}

void print_for_people(const storage::InspectedFrame& frame, const Invocation& invocation) {
  auto& out = invocation.out();
  const auto& terminal = invocation.around.terminal;
  if (frame.has_header) {
    out << inked(Ink::kBold,
                 fmt::format("{:>10}  frame {} ({})", frame.offset, frame.frame_number,
                             frame.is_epoch ? "epoch " + frame.epoch_id
                                            : fmt::format("{} events", frame.event_count)),
                 terminal)
        << fmt::format("  {} bytes, from position {}, {}, durable then: frame {}\n", frame.length,
                       frame.first.value, format_time(frame.committed), frame.durable_frame);
  } else {
    out << fmt::format("{:>10}  no frame\n", frame.offset);
  }
  if (!frame.damage.empty())
    out << "            " << inked(Ink::kRed, "damaged: " + printable(frame.damage), terminal)
        << '\n';
  for (const auto& record : frame.records) {
    const auto what =
        record.is_tracking
            ? fmt::format("tracking {} at {}", printable(record.source), record.tracked)
            : fmt::format("event {} version {} (the stream's last: {}), {} bytes",
                          record.position.value, record.version.value, record.previous.value,
                          record.payload.size());
    out << fmt::format("{:>10}    {}{}\n", record.offset, what,
                       record.ends_commit ? ", ends its commit" : "");
  }
}

Result<ExitCode> inspect(const InspectArguments& arguments, const Invocation& invocation) {
  if (auto there = check_directory(arguments.directory, Purpose::kRead); !there)
    return std::unexpected(there.error());
  if (!arguments.segment) return inspect_segments(arguments, invocation);
  if (*arguments.segment > std::numeric_limits<std::uint32_t>::max())
    return failed(fmt::format("there is no segment {}", *arguments.segment));
  const auto shown =
      storage::inspect_frames(arguments.directory, static_cast<std::uint32_t>(*arguments.segment),
                              [&](const storage::InspectedFrame& frame) -> Result<void> {
                                if (invocation.json()) {
                                  print_json(to_json(frame), invocation);
                                } else {
                                  print_for_people(frame, invocation);
                                }
                                if (!invocation.out()) return failed("cannot write to the output");
                                return {};
                              });
  if (!shown) return std::unexpected(shown.error());
  invocation.out().flush();
  return ExitCode::kOk;
}

}  // namespace

void add_inspect(Commands& commands) {
  const auto arguments = std::make_shared<InspectArguments>();
  auto& command = commands.add(
      {.name = "inspect",
       .about = "Show what a store's log is made of, damaged or not",
       .examples = kExamples},
      [arguments](const Invocation& invocation) { return inspect(*arguments, invocation); });
  command.add_option("DIR", arguments->directory, "The store's directory")->required();
  add_number(command, "--segment", arguments->segment, "The frames and records of this segment");
}

}  // namespace esdb::tools
