#include "tests/end_to_end/ledger.h"

#include <charconv>
#include <map>
#include <sstream>

namespace esdb::end_to_end {
namespace {

// What stands between `before` and the next `end`.
std::string_view between(std::string_view text, std::string_view before, char end) {
  const auto at = text.find(before);
  if (at == text.npos) return {};
  const auto begin = at + before.size();
  return text.substr(begin, text.find(end, begin) - begin);
}

std::size_t to_number(std::string_view text) {
  std::size_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

std::string data_of(const Part& part, std::size_t fill_bytes) {
  return R"({"append":")" + part.append + R"(","index":)" + std::to_string(part.index) +
         R"(,"of":)" + std::to_string(part.of) + R"(,"fill":")" +
         std::string(fill_bytes, static_cast<char>('a' + fill_bytes % 26)) + R"("})";
}

Part part_of(std::string_view data) {
  return {.append = std::string(between(data, R"("append":")", '"')),
          .index = to_number(between(data, R"("index":)", ',')),
          .of = to_number(between(data, R"("of":)", ','))};
}

EventId id_of(const Part& part) {
  return EventId::derive(EventId::parse(part.append).value_or(EventId{}), part.index);
}

std::uint64_t fingerprint(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  return hash;
}

std::string Ledger::lines(const AppendRequest& request, const Appended& appended) {
  std::map<std::string, std::uint64_t> version;
  for (const auto& [stream, last] : appended.streams) version[stream] = last.value;
  for (const auto& event : request.events) --version[event.stream];
  std::ostringstream text;
  auto position = appended.first.value;
  for (const auto& event : request.events) {
    const auto part = part_of(event.data);
    text << to_string(event.id) << ' ' << event.stream << ' ' << event.type << ' '
         << ++version[event.stream] << ' ' << position++ << ' ' << fingerprint(event.data) << ' '
         << part.append << ' ' << part.index << ' ' << part.of << '\n';
  }
  return text.str();
}

void Ledger::add(std::string_view bytes) {
  rest_ += bytes;
  std::size_t begin = 0;
  for (auto end = rest_.find('\n'); end != rest_.npos; end = rest_.find('\n', begin)) {
    add_line(rest_.substr(begin, end + 1 - begin));
    begin = end + 1;
  }
  rest_.erase(0, begin);
}

void Ledger::add_line(const std::string& line) {
  if (line == kOpen) {
    ++writers_;
    return;
  }
  std::istringstream words(line);
  std::string id;
  LedgerEntry entry;
  words >> id >> entry.stream >> entry.type >> entry.version >> entry.position >>
      entry.data_fingerprint >> entry.part.append >> entry.part.index >> entry.part.of;
  if (words) entries_[id] = std::move(entry);
}

}  // namespace esdb::end_to_end
