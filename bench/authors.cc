#include "bench/authors.h"

#include <charconv>

namespace esdb::bench {
namespace {

constexpr std::string_view kAccount = "account-", kCustomer = "customer:";
constexpr std::size_t kDigits = 16;

// Every number to another one, without a pattern that is seen.
std::uint64_t scattered(std::uint64_t number) {
  number += 0x9e3779b97f4a7c15;
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9;
  number = (number ^ (number >> 27)) * 0x94d049bb133111eb;
  return number ^ (number >> 31);
}

void append_digits(std::string& text, std::uint64_t number) {
  char digits[kDigits];
  for (std::size_t i = kDigits; i-- > 0; number >>= 4) digits[i] = "0123456789abcdef"[number & 15];
  text.append(digits, kDigits);
}

void append_decimal(std::string& text, std::uint64_t number) {
  char digits[24];
  text.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

void set_stream(std::string& text, const Names& names, std::uint64_t number) {
  if (!names.stream.empty()) {
    text.assign(names.stream);
    append_decimal(text, number);
    return;
  }
  text.assign(kAccount);
  append_digits(text, scattered(number));
  append_digits(text, scattered(~number));
}

void set_tag(std::string& text, const Names& names, std::uint64_t number) {
  text.assign(names.tag.empty() ? kCustomer : std::string_view(names.tag));
  append_decimal(text, number);
}

}  // namespace

std::uint64_t Numbers::operator()() { return scattered(state_++); }

std::string stream_name(std::uint64_t number) { return stream_name(Shape{}, number); }
std::string tag_text(std::uint64_t number) { return tag_text(Shape{}, number); }
std::string stream_name(const Shape& shape, std::uint64_t number) {
  std::string text;
  set_stream(text, shape.names, number);
  return text;
}
std::string tag_text(const Shape& shape, std::uint64_t number) {
  std::string text;
  set_tag(text, shape.names, number);
  return text;
}

Author::Author(const Shape& shape, std::uint64_t seed) : shape_(shape), numbers_(seed) {
  constexpr std::string_view kBegin = R"({"text":")", kEnd = R"("})";
  std::string data(kBegin);
  if (shape.data_bytes > kBegin.size() + kEnd.size())
    data.append(shape.data_bytes - kBegin.size() - kEnd.size(), 'x');
  data.append(kEnd);
  request_.events.resize(shape.events);
  for (auto& event : request_.events) {
    set_stream(event.stream, shape.names, shape.first_stream);
    event.type = shape.names.type;
    event.data = data;
    event.tags.assign(1, Tag(std::string()));
  }
}

AppendRequest& Author::next() {
  for (auto& event : request_.events) {
    const auto number = numbers_();
    if (shape_.streams > 1)
      set_stream(event.stream, shape_.names, shape_.first_stream + number % shape_.streams);
    if (shape_.names.type.empty()) event.type = kTypes[number >> 62];
    set_tag(event.tags.front().text, shape_.names, shape_.first_tag + (number >> 20) % shape_.tags);
    event.id = EventId::make();
  }
  return request_;
}

}  // namespace esdb::bench
