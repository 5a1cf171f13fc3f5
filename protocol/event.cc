#include "esdb/event.h"

#include "esdb/implement.h"
#include "protocol/encoded_event.h"

namespace esdb {

Position RecordedEvent::position() const { return stored_->position; }
Version RecordedEvent::version() const { return stored_->version; }
Time RecordedEvent::committed() const { return stored_->committed; }
const EventId& RecordedEvent::id() const { return stored_->id; }
Position RecordedEvent::append() const { return stored_->position.value - stored_->ordinal; }
bool RecordedEvent::ends_append() const { return stored_->ends_append; }
std::span<const std::byte> RecordedEvent::encoded() const { return stored_->encoded; }

std::string_view RecordedEvent::stream() const { return protocol::stream_of(stored_->encoded); }
std::string_view RecordedEvent::type() const { return protocol::type_of(stored_->encoded); }
std::string_view RecordedEvent::data() const { return protocol::data_of(stored_->encoded); }
std::string_view RecordedEvent::metadata() const { return protocol::metadata_of(stored_->encoded); }
std::string_view RecordedEvent::content_type() const {
  return protocol::content_type_of(stored_->encoded);
}

Time RecordedEvent::time() const {
  return protocol::time_of(stored_->encoded).value_or(stored_->committed);
}

std::vector<std::string_view> RecordedEvent::tags() const {
  std::vector<std::string_view> tags(protocol::tag_count(stored_->encoded));
  for (std::size_t i = 0; i < tags.size(); ++i) tags[i] = protocol::tag_at(stored_->encoded, i);
  return tags;
}

std::optional<std::string_view> RecordedEvent::tag(std::string_view key) const {
  for (const auto tag : tags())
    if (tag.size() > key.size() && tag[key.size()] == ':' && tag.starts_with(key))
      return tag.substr(key.size() + 1);
  return std::nullopt;
}

NewEvent RecordedEvent::copy() const {
  std::vector<Tag> copied;
  for (const auto tag : tags()) copied.emplace_back(std::string(tag));
  return {.stream = std::string(stream()),
          .type = std::string(type()),
          .data = std::string(data()),
          .metadata = std::string(metadata()),
          .tags = std::move(copied),
          .content_type = std::string(content_type()),
          .time = protocol::time_of(stored_->encoded),
          .id = id()};
}

}  // namespace esdb
