// Encoded events. Bytes from elsewhere: what has the accepted layout is, byte for byte, what its
// own fields encode to. Fields from elsewhere: what passes the check comes back from its encoding.
// And what is laid out in another way says the same once it is encoded anew.
//
//   mode | bytes, or fields: sizes, then their texts
#include <algorithm>
#include <cstring>
#include <set>
#include <vector>

#include "esdb/limits.h"
#include "protocol/encoded_event.h"
#include "storage/check.h"
#include "tests/fuzz/input.h"

namespace esdb::protocol {
namespace {

constexpr std::string_view kJson = "application/json";

// An empty content type stands for JSON.
std::string_view content_type(const EventFields& fields) {
  return fields.content_type.empty() ? kJson : fields.content_type;
}

void check_equal(const EventFields& a, const EventFields& b) {
  ESDB_CHECK(a.id == b.id && a.time == b.time);
  ESDB_CHECK(a.stream == b.stream && a.type == b.type);
  ESDB_CHECK(a.data == b.data && a.metadata == b.metadata);
  ESDB_CHECK(content_type(a) == content_type(b));
  ESDB_CHECK(a.tags == b.tags);
}

EventFields accessed(std::span<const std::byte> encoded) {
  EventFields fields{.id = id_of(encoded),
                     .time = time_of(encoded),
                     .stream = stream_of(encoded),
                     .type = type_of(encoded),
                     .data = data_of(encoded),
                     .metadata = metadata_of(encoded),
                     .content_type = content_type_of(encoded),
                     .tags = tags_of(encoded)};
  ESDB_CHECK(tag_count(encoded) == fields.tags.size());
  return fields;
}

// Fields that pass the check, and what their encoding says.
void check_encoding(const EventFields& fields) {
  std::vector<std::byte> bytes;
  encode(fields, bytes);
  ESDB_CHECK(bytes.size() == encoded_size(fields) && bytes.size() % 8 == 0);
  ESDB_CHECK(has_accepted_layout(bytes));
  check_equal(accessed(bytes), fields);
  const auto untrusted = read_untrusted(bytes);
  ESDB_CHECK(untrusted.has_value());
  check_equal(*untrusted, fields);
}

void check_bytes(std::span<const std::byte> given) {
  // 8-byte aligned, as every caller has them, and not a byte more: reading beyond is found.
  std::vector<std::byte> bytes(given.begin(), given.end());
  const bool accepted = has_accepted_layout(bytes);
  const auto untrusted = read_untrusted(bytes);
  if (untrusted && check_fields(*untrusted)) check_encoding(*untrusted);
  if (!accepted) return;
  const auto fields = accessed(bytes);
  static_cast<void>(fingerprint_of(bytes));
  if (!check_fields(fields)) return;
  ESDB_CHECK(untrusted.has_value());
  check_equal(fields, *untrusted);
  std::vector<std::byte> again;
  encode(fields, again);
  ESDB_CHECK(again == bytes && hash_of(again) == hash_of(bytes));
}

void check_fields_of(fuzz::Input& input) {
  EventFields fields;
  fields.id.bytes = input.take<std::array<std::byte, 16>>();
  const auto has = input.take<std::uint8_t>();
  if ((has & 1) != 0) fields.time = Time(std::chrono::nanoseconds(input.take<std::int64_t>()));
  fields.stream = input.text(input.take<std::uint16_t>() % (kStreamBytesMax + 2));
  fields.type = input.text(input.take<std::uint16_t>() % (kTypeBytesMax + 2));
  fields.data = input.text(input.take<std::uint16_t>() % 2048);
  fields.metadata = input.text(input.take<std::uint8_t>());
  fields.content_type = (has & 2) != 0 ? input.text(input.take<std::uint16_t>() % 258) : kJson;
  std::set<std::string_view> tags;
  const auto count = input.take<std::uint8_t>() % (kTagsMax + 2);
  for (std::size_t i = 0; i < count && !input.empty(); ++i)
    tags.insert(input.text(input.take<std::uint8_t>()));
  fields.tags.assign(tags.begin(), tags.end());
  if (check_fields(fields)) check_encoding(fields);
}

}  // namespace
}  // namespace esdb::protocol

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  esdb::fuzz::Input input(data, size);
  if ((input.take<std::uint8_t>() & 1) != 0)
    esdb::protocol::check_fields_of(input);
  else
    esdb::protocol::check_bytes(input.rest());
  return 0;
}
