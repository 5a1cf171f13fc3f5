#include "protocol/encoded_event.h"

#include <capnp/serialize.h>
#include <kj/exception.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "esdb/limits.h"
#include "protocol/event.capnp.h"
#include "protocol/text.h"

// The accepted layout, in words of 8 bytes. It is written and read here directly, because that
// costs a few nanoseconds where the general reader costs fifty; the tests hold it against the
// generated code.
//
//   0       root pointer: a struct of 4 data words and 6 pointers, right behind it
//   1..2    id, high and low
//   3       time
//   4       bit 0: has a time; bits 16..31: content type
//   5..10   pointers: stream, type, data, metadata, tags, other content type
//   11..    what they point to, in this order; texts end with a zero byte, each padded with zeros;
//           a list of tags is its pointers, then its texts
namespace esdb::protocol {
namespace {

static_assert(std::endian::native == std::endian::little, "words are read as they lie");

using Word = std::uint64_t;

constexpr Word kRoot = (Word{4} << 32) | (Word{6} << 48);
constexpr std::size_t kIdHigh = 1, kIdLow = 2, kTime = 3, kBits = 4;
constexpr std::size_t kStream = 5, kType = 6, kData = 7, kMetadata = 8, kTags = 9, kOther = 10;
constexpr std::size_t kHeadWords = 11;
constexpr std::size_t kHeadBytes = kHeadWords * sizeof(Word);

enum ElementSize : Word { kBytes = 2, kPointers = 6 };

constexpr std::array<std::string_view, 9> kContentTypes{
    "",
    "application/json",
    "application/octet-stream",
    "text/plain",
    "application/cbor",
    "application/x-protobuf",
    "application/x-capnp",
    "application/xml",
    "application/cloudevents+json",
};
constexpr std::uint16_t kJson = 1;

// The number of a common content type, 0 for any other.
std::uint16_t content_type_number(std::string_view content_type) {
  if (content_type.empty()) return kJson;
  for (std::size_t i = 1; i < kContentTypes.size(); ++i)
    if (kContentTypes[i] == content_type) return static_cast<std::uint16_t>(i);
  return 0;
}

constexpr std::size_t words(std::size_t bytes) { return (bytes + sizeof(Word) - 1) / sizeof(Word); }
constexpr std::size_t text_words(std::string_view text) {
  return text.empty() ? 0 : words(text.size() + 1);
}

Word load(const std::byte* at) {
  Word word;
  std::memcpy(&word, at, sizeof word);
  return word;
}
Word load(std::span<const std::byte> encoded, std::size_t word) {
  return load(encoded.data() + word * sizeof(Word));
}
void store(std::byte* at, Word word) { std::memcpy(at, &word, sizeof word); }

Word list_pointer(std::size_t at, std::size_t target, ElementSize size, std::size_t count) {
  return Word{1} | (static_cast<Word>(target - at - 1) << 2) | (size << 32) |
         (static_cast<Word>(count) << 35);
}
std::size_t count_of(Word pointer) { return static_cast<std::size_t>(pointer >> 35); }
std::size_t target_of(std::size_t at, Word pointer) {
  return at + 1 + static_cast<std::size_t>((pointer & 0xffffffff) >> 2);
}

// Writes at a cursor that moves behind each thing written.
class Writer {
 public:
  explicit Writer(std::byte* out) : out_(out) {}

  void blob(std::size_t at, std::string_view bytes, std::size_t terminator) {
    if (bytes.empty()) return;
    store(out_ + at * sizeof(Word), list_pointer(at, next_, kBytes, bytes.size() + terminator));
    std::memcpy(out_ + next_ * sizeof(Word), bytes.data(), bytes.size());
    next_ += words(bytes.size() + terminator);
  }
  void text(std::size_t at, std::string_view bytes) { blob(at, bytes, 1); }
  void tags(std::span<const std::string_view> tags) {
    if (tags.empty()) return;
    const std::size_t list = next_;
    store(out_ + kTags * sizeof(Word), list_pointer(kTags, list, kPointers, tags.size()));
    next_ += tags.size();
    for (std::size_t i = 0; i < tags.size(); ++i) text(list + i, tags[i]);
  }

 private:
  std::byte* out_;
  std::size_t next_ = kHeadWords;
};

// Walks untrusted words in the order in which they must come.
class Walker {
 public:
  explicit Walker(std::span<const std::byte> bytes)
      : bytes_(bytes), words_(bytes.size() / sizeof(Word)) {}

  // A blob whose pointer is word `at` begins at the cursor, or is null.
  bool blob(std::size_t at, std::size_t terminator, std::string_view* found = nullptr) {
    const Word pointer = load(bytes_, at);
    if (pointer == 0) return true;
    const std::size_t count = count_of(pointer);
    if (count <= terminator || pointer != list_pointer(at, next_, kBytes, count)) return false;
    const std::size_t used = words(count);
    if (used > words_ - next_) return false;
    // The bytes behind the last one, its terminator included, are zero.
    const std::size_t tail = used * sizeof(Word) - count + terminator;
    const Word last = load(bytes_, next_ + used - 1);
    if (tail == sizeof(Word) ? last != 0 : tail != 0 && (last >> (64 - 8 * tail)) != 0)
      return false;
    if (found)
      *found = {reinterpret_cast<const char*>(bytes_.data()) + next_ * sizeof(Word),
                count - terminator};
    next_ += used;
    return true;
  }
  bool text(std::size_t at) { return blob(at, 1); }
  bool tags() {
    const Word pointer = load(bytes_, kTags);
    if (pointer == 0) return true;
    const std::size_t count = count_of(pointer), list = next_;
    if (count == 0 || pointer != list_pointer(kTags, list, kPointers, count)) return false;
    if (count > kTagsMax || count > words_ - next_) return false;
    next_ += count;
    std::string_view before;
    for (std::size_t i = 0; i < count; ++i) {
      std::string_view tag;
      if (!blob(list + i, 1, &tag) || tag <= before) return false;  // null reads as empty: refused
      before = tag;
    }
    return true;
  }
  bool at_end() const { return next_ == words_; }

 private:
  std::span<const std::byte> bytes_;
  std::size_t words_;
  std::size_t next_ = kHeadWords;
};

std::string_view blob_at(std::span<const std::byte> encoded, std::size_t at,
                         std::size_t terminator) {
  const Word pointer = load(encoded, at);
  if (pointer == 0) return {};
  return {reinterpret_cast<const char*>(encoded.data()) + target_of(at, pointer) * sizeof(Word),
          count_of(pointer) - terminator};
}
std::string_view text_at(std::span<const std::byte> encoded, std::size_t at) {
  return blob_at(encoded, at, 1);
}

Word big_endian(const std::byte* at) { return __builtin_bswap64(load(at)); }

EventId id_from(Word high, Word low) {
  EventId id;
  store(id.bytes.data(), __builtin_bswap64(high));
  store(id.bytes.data() + sizeof(Word), __builtin_bswap64(low));
  return id;
}

std::string_view view_of(capnp::Text::Reader text) { return {text.begin(), text.size()}; }
std::string_view view_of(capnp::Data::Reader data) {
  return {reinterpret_cast<const char*>(data.begin()), data.size()};
}

Result<EventFields> fields_of(Event::Reader event) {
  EventFields fields;
  fields.id = id_from(event.getIdHigh(), event.getIdLow());
  if (event.getHasTime()) fields.time = Time(std::chrono::nanoseconds(event.getTime()));
  fields.stream = view_of(event.getStream());
  fields.type = view_of(event.getType());
  fields.data = view_of(event.getData());
  fields.metadata = view_of(event.getMetadata());
  const auto tags = event.getTags();
  // Untrusted: the count is looked at before anything of its size is allocated.
  if (tags.size() > 16 * kTagsMax)
    return too_large("tags: " + std::to_string(tags.size()) + ", and at most " +
                     std::to_string(kTagsMax) + " are accepted");
  for (const auto tag : tags) fields.tags.push_back(view_of(tag));
  std::ranges::sort(fields.tags);
  fields.tags.erase(std::ranges::unique(fields.tags).begin(), fields.tags.end());
  const auto number = event.getContentType();
  if (number >= kContentTypes.size())
    return std::unexpected(Error{.code = ErrorCode::kUnsupported,
                                 .message = "content type: number " + std::to_string(number) +
                                            " is not known to this version of esdb"});
  fields.content_type = number ? kContentTypes[number] : view_of(event.getOtherContentType());
  return fields;
}

}  // namespace

Result<void> check_fields(const EventFields& fields) {
  if (fields.id == EventId{}) return invalid("id: all zeros; every event has an id of its own");
  if (auto ok =
          check_text(fields.stream,
                     {.field = "stream", .bytes_max = kStreamBytesMax, .system_allowed = false});
      !ok)
    return ok;
  if (auto ok = check_text(fields.type, {.field = "type", .bytes_max = kTypeBytesMax}); !ok)
    return ok;
  if (fields.tags.size() > kTagsMax)
    return too_large("tags: " + std::to_string(fields.tags.size()) + ", and at most " +
                     std::to_string(kTagsMax) + " are accepted");
  for (const auto tag : fields.tags)
    if (auto ok =
            check_text(tag, {.field = "tag", .bytes_max = kTagBytesMax, .control_allowed = true});
        !ok)
      return ok;
  if (!fields.content_type.empty())
    if (auto ok = check_text(fields.content_type,
                             {.field = "content type", .bytes_max = kContentTypeBytesMax});
        !ok)
      return ok;
  // The fields' own sizes first, so that their sum cannot overflow what a pointer can count.
  const std::size_t largest = std::max(fields.data.size(), fields.metadata.size());
  const std::size_t size = largest > kAppendBytesCap ? largest : encoded_size(fields);
  if (size > kAppendBytesCap)
    return too_large("event: " + std::to_string(size) + " bytes, and at most " +
                     std::to_string(kAppendBytesCap) + " are accepted");
  return {};
}

std::size_t encoded_size(const EventFields& fields) {
  std::size_t all = kHeadWords + text_words(fields.stream) + text_words(fields.type) +
                    words(fields.data.size()) + words(fields.metadata.size()) + fields.tags.size();
  for (const auto tag : fields.tags) all += text_words(tag);
  if (!content_type_number(fields.content_type)) all += text_words(fields.content_type);
  return all * sizeof(Word);
}

void encode(const EventFields& fields, std::byte* out) {
  const auto content_type = content_type_number(fields.content_type);
  store(out, kRoot);
  store(out + kIdHigh * sizeof(Word), big_endian(fields.id.bytes.data()));
  store(out + kIdLow * sizeof(Word), big_endian(fields.id.bytes.data() + sizeof(Word)));
  if (fields.time)
    store(out + kTime * sizeof(Word), static_cast<Word>(fields.time->time_since_epoch().count()));
  store(out + kBits * sizeof(Word), Word{fields.time.has_value()} | (Word{content_type} << 16));
  Writer writer(out);
  writer.text(kStream, fields.stream);
  writer.text(kType, fields.type);
  writer.blob(kData, fields.data, 0);
  writer.blob(kMetadata, fields.metadata, 0);
  writer.tags(fields.tags);
  if (!content_type) writer.text(kOther, fields.content_type);
}

void encode(const EventFields& fields, std::vector<std::byte>& out) {
  const std::size_t begin = out.size();
  out.resize(begin + encoded_size(fields));
  encode(fields, out.data() + begin);
}

bool has_accepted_layout(std::span<const std::byte> bytes) {
  if (bytes.size() < kHeadBytes || bytes.size() % sizeof(Word) != 0) return false;
  if (load(bytes, 0) != kRoot) return false;
  const Word bits = load(bytes, kBits);
  const bool has_time = bits & 1;
  const auto content_type = static_cast<std::uint16_t>(bits >> 16);
  if (bits != (Word{has_time} | (Word{content_type} << 16))) return false;
  if (!has_time && load(bytes, kTime) != 0) return false;
  Walker walker(bytes);
  std::string_view other;
  if (!walker.text(kStream) || !walker.text(kType) || !walker.blob(kData, 0) ||
      !walker.blob(kMetadata, 0) || !walker.tags() || !walker.blob(kOther, 1, &other) ||
      !walker.at_end())
    return false;
  // A content type is either a number or a text that has none.
  if (content_type >= kContentTypes.size() || other.empty() != (content_type != 0)) return false;
  return other.empty() || content_type_number(other) == 0;
}

Result<EventFields> read_untrusted(std::span<const std::byte> bytes) {
  if (bytes.size() % sizeof(Word) != 0)
    return invalid("event: " + std::to_string(bytes.size()) +
                   " bytes are not a whole number of words");
  if (bytes.size() > kAppendBytesCap)
    return too_large("event: " + std::to_string(bytes.size()) + " bytes, and at most " +
                     std::to_string(kAppendBytesCap) + " are accepted");
  Result<EventFields> fields = invalid("event: the bytes are no encoded event");
  if (bytes.empty()) return fields;
  const kj::ArrayPtr<const capnp::word> segment(reinterpret_cast<const capnp::word*>(bytes.data()),
                                                bytes.size() / sizeof(Word));
  const kj::ArrayPtr<const capnp::word> segments[] = {segment};
  // The limit on what is walked is what lies there: nothing can be counted twice.
  auto failed = kj::runCatchingExceptions([&] {
    capnp::SegmentArrayMessageReader message(
        kj::arrayPtr(segments, 1),
        {.traversalLimitInWords = segment.size() + kHeadWords, .nestingLimit = 4});
    fields = fields_of(message.getRoot<Event>());
  });
  KJ_IF_MAYBE (exception, failed) {
    fields = invalid("event: the bytes are no encoded event: " +
                     shown(exception->getDescription().cStr()));
  }
  return fields;
}

EventId id_of(std::span<const std::byte> encoded) {
  return id_from(load(encoded, kIdHigh), load(encoded, kIdLow));
}
std::optional<Time> time_of(std::span<const std::byte> encoded) {
  if (!(load(encoded, kBits) & 1)) return std::nullopt;
  return Time(std::chrono::nanoseconds(static_cast<std::int64_t>(load(encoded, kTime))));
}
std::string_view stream_of(std::span<const std::byte> encoded) { return text_at(encoded, kStream); }
std::string_view type_of(std::span<const std::byte> encoded) { return text_at(encoded, kType); }
std::string_view data_of(std::span<const std::byte> encoded) { return blob_at(encoded, kData, 0); }
std::string_view metadata_of(std::span<const std::byte> encoded) {
  return blob_at(encoded, kMetadata, 0);
}
std::string_view content_type_of(std::span<const std::byte> encoded) {
  const auto number = static_cast<std::uint16_t>(load(encoded, kBits) >> 16);
  return number ? kContentTypes[number] : text_at(encoded, kOther);
}
std::size_t tag_count(std::span<const std::byte> encoded) { return count_of(load(encoded, kTags)); }
std::string_view tag_at(std::span<const std::byte> encoded, std::size_t index) {
  return text_at(encoded, target_of(kTags, load(encoded, kTags)) + index);
}
std::pmr::vector<std::string_view> tags_of(std::span<const std::byte> encoded,
                                           std::pmr::memory_resource* memory) {
  std::pmr::vector<std::string_view> tags(tag_count(encoded), memory);
  for (std::size_t i = 0; i < tags.size(); ++i) tags[i] = tag_at(encoded, i);
  return tags;
}

std::uint64_t hash_of(std::span<const std::byte> encoded) {
  return XXH3_64bits(encoded.data(), encoded.size());
}

std::uint64_t fingerprint_of(std::span<const std::byte> encoded) {
  const auto stream = stream_of(encoded), type = type_of(encoded), data = data_of(encoded);
  const auto of_stream = XXH3_64bits(stream.data(), stream.size());
  const auto of_type = XXH3_64bits_withSeed(type.data(), type.size(), of_stream);
  return XXH3_64bits_withSeed(data.data(), data.size(), of_type);
}

}  // namespace esdb::protocol
