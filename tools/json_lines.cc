#include "tools/json_lines.h"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <utility>

#include "tools/base64.h"
#include "tools/times.h"

namespace esdb::tools {
namespace {

constexpr std::string_view kJson = "application/json";

void append_number(std::string_view name, std::uint64_t value, std::string& out) {
  fmt::format_to(std::back_inserter(out), "{}\"{}\":{}", out.back() == '{' ? "" : ",", name, value);
}

void append_name(std::string_view name, std::string& out) {
  if (out.back() != '{') out += ',';
  out.append("\"").append(name).append("\":");
}

void append_text(std::string_view name, std::string_view text, std::string& out) {
  append_name(name, out);
  append_json_string(text, out);
}

void append_moment(std::string_view name, Time time, std::string& out) {
  append_name(name, out);
  out += '"';
  append_time(time, out);
  out += '"';
}

std::unexpected<Error> invalid(std::string message) {
  return std::unexpected(Error{.code = ErrorCode::kInvalidArgument, .message = std::move(message)});
}

bool is_null(std::string_view raw) { return raw == "null"; }

}  // namespace

void JsonLineWriter::append_bytes(std::string_view name, std::string_view bytes, std::string& out) {
  if (bytes.empty()) return;
  if (reader_.is_one_line(bytes)) {
    append_name(name, out);
    out += bytes;
  } else {
    append_name(std::string(name).append("_base64"), out);
    out += '"';
    append_base64(bytes, out);
    out += '"';
  }
}

void JsonLineWriter::append_line(const RecordedEvent& event, std::string& out) {
  out += '{';
  append_number("position", event.position().value, out);
  append_number("version", event.version().value, out);
  append_text("stream", event.stream(), out);
  append_text("type", event.type(), out);
  append_text("id", to_string(event.id()), out);
  append_moment("time", event.time(), out);
  append_moment("committed", event.committed(), out);
  append_number("append", event.append().value, out);
  if (const auto type = event.content_type(); !type.empty() && type != kJson)
    append_text("content_type", type, out);
  append_bytes("data", event.data(), out);
  append_bytes("metadata", event.metadata(), out);
  if (const auto tags = event.tags(); !tags.empty()) {
    append_name("tags", out);
    out += '[';
    for (std::size_t i = 0; i < tags.size(); ++i) {
      if (i != 0) out += ',';
      append_json_string(tags[i], out);
    }
    out += ']';
  }
  out += "}\n";
}

// The raw values of the keys that mean something; empty where the line has none.
struct JsonLineReader::Fields {
  std::string_view stream{}, type{}, id{}, time{}, content_type{}, data{}, data_base64{},
      metadata{}, metadata_base64{}, tags{};

  std::string_view* slot(std::string_view key) {
    static constexpr std::array<std::pair<std::string_view, std::string_view Fields::*>, 10> kSlots{
        {{"stream", &Fields::stream},
         {"type", &Fields::type},
         {"id", &Fields::id},
         {"time", &Fields::time},
         {"content_type", &Fields::content_type},
         {"data", &Fields::data},
         {"data_base64", &Fields::data_base64},
         {"metadata", &Fields::metadata},
         {"metadata_base64", &Fields::metadata_base64},
         {"tags", &Fields::tags}}};
    for (const auto& [name, member] : kSlots) {
      if (name == key) return &(this->*member);
    }
    return nullptr;
  }
};

void JsonLineReader::find_group(std::span<const JsonMember> members, Line& line) const {
  line.group_known = true;
  line.group.clear();
  if (group_key_.empty()) return;
  const auto take = [&](std::string_view raw) {
    if (raw.empty() || is_null(raw)) return false;
    line.group.assign(raw);
    return true;
  };
  for (const auto& member : members) {
    if (member.key == group_key_ && take(member.raw)) return;
  }
  if (take(reader_.watched_in("metadata"))) return;
  take(reader_.watched_in("data"));
}

Result<void> JsonLineReader::read(std::string_view text, Line& line) {
  line.group_known = false;
  line.has_id = false;
  const auto members = reader_.members(text, group_key_);
  if (!members) return std::unexpected(members.error());
  find_group(*members, line);
  Fields fields;
  for (const auto& member : *members) {
    auto* slot = fields.slot(member.key);
    if (slot == nullptr) continue;
    if (!slot->empty()) return invalid(fmt::format("\"{}\" stands there twice", member.key));
    *slot = member.raw;
  }
  return fill(fields, line);
}

Result<void> JsonLineReader::fill_bytes(std::string_view name, std::string_view raw,
                                        std::string_view base64, std::string& out) {
  out.clear();
  if (!raw.empty() && !base64.empty())
    return invalid(fmt::format("it has both \"{0}\" and \"{0}_base64\"", name));
  if (!raw.empty()) out.assign(raw);
  if (base64.empty()) return {};
  const auto text = reader_.unquote(base64);
  if (!text) return invalid(fmt::format("\"{}_base64\" is not a string", name));
  auto bytes = decode_base64(*text);
  if (!bytes) return invalid(fmt::format("\"{}_base64\" is not base64", name));
  out = std::move(*bytes);
  return {};
}

Result<void> JsonLineReader::fill(const Fields& fields, Line& line) {
  const auto text = [&](std::string_view name, std::string_view raw,
                        std::string& out) -> Result<void> {
    out.clear();
    if (raw.empty()) return {};
    if (raw.front() != '"') return invalid(fmt::format("\"{}\" is not a string", name));
    auto said = reader_.unquote(raw);
    if (!said) return invalid(fmt::format("\"{}\": {}", name, said.error().message));
    out = std::move(*said);
    return {};
  };
  auto& event = line.event;
  if (fields.stream.empty()) return invalid("it has no \"stream\"");
  if (fields.type.empty()) return invalid("it has no \"type\"");
  if (auto ok = text("stream", fields.stream, event.stream); !ok) return ok;
  if (auto ok = text("type", fields.type, event.type); !ok) return ok;
  if (auto ok = text("content_type", fields.content_type, event.content_type); !ok) return ok;
  std::string buffer;
  if (!fields.id.empty()) {
    if (auto ok = text("id", fields.id, buffer); !ok) return ok;
    const auto id = EventId::parse(buffer);
    if (!id) return invalid(fmt::format("\"id\" is not a UUID: {}", buffer.substr(0, 60)));
    event.id = *id;
    line.has_id = true;
  }
  event.time.reset();
  if (!fields.time.empty()) {
    if (auto ok = text("time", fields.time, buffer); !ok) return ok;
    const auto time = parse_time(buffer);
    if (!time) return invalid(fmt::format("\"time\": {}", time.error().message));
    event.time = *time;
  }
  if (auto ok = fill_bytes("data", fields.data, fields.data_base64, event.data); !ok) return ok;
  if (auto ok = fill_bytes("metadata", fields.metadata, fields.metadata_base64, event.metadata);
      !ok)
    return ok;
  event.tags.clear();
  if (fields.tags.empty()) return {};
  auto tags = reader_.strings(fields.tags);
  if (!tags) return invalid(fmt::format("\"tags\" is {}", tags.error().message));
  for (auto& tag : *tags) event.tags.emplace_back(std::move(tag));
  return {};
}

}  // namespace esdb::tools
