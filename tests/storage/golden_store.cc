#include "tests/storage/golden_store.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "tests/fixtures/simulated_io.h"

namespace esdb::storage {
namespace {

constexpr std::size_t kBytesPerLine = 16;

EventId id_of(unsigned char number) {
  EventId id;
  id.bytes.fill(std::byte{0xe0});
  id.bytes.back() = std::byte{number};
  return id;
}

}  // namespace

std::vector<DrivenEvent> golden_events() {
  return {{"order-1", R"({"total":12})", id_of(1)},
          {"order-1", R"({"paid":true})", id_of(2)},
          {"stock", "", id_of(3)},
          {"order-2", R"({"total":7})", id_of(4)},
          {"order-1", "\x01\x02\x03 any bytes", id_of(5)},
          {"order-2", R"({"paid":true})", id_of(6)}};
}

std::map<std::string, std::string> make_golden_store() {
  fixtures::SimulatedIo io({}, 1);  // chance and clock go by the seed
  LogDriver driver(io, log_options("store"));
  const auto events = golden_events();
  EXPECT_EQ(driver.open(), "");
  EXPECT_EQ(driver.append({events[0]}), "");
  EXPECT_EQ(driver.append({events[1], events[2]}), "");
  EXPECT_EQ(driver.place({events[3]}, {{"importer", 17}}), "");
  EXPECT_EQ(driver.finish(), "");
  EXPECT_EQ(driver.place({}, {{"importer", 18}}), "");
  EXPECT_EQ(driver.finish(), "");
  driver.run_background();
  EXPECT_EQ(driver.roll(), "");
  EXPECT_EQ(driver.append({events[4]}), "");
  driver.run_background();
  driver.close();
  EXPECT_EQ(driver.open(), "");
  EXPECT_EQ(driver.append({events[5]}), "");
  driver.close();

  std::map<std::string, std::string> segments;
  const auto names = io.list("store/log").value();
  for (const auto& name : names) {
    auto file = io.open("store/log/" + name, OpenMode::kRead).value();
    std::string bytes(file->size().value(), '\0');
    EXPECT_EQ(file->read(0, std::as_writable_bytes(std::span(bytes))).value(), bytes.size());
    segments[name] = hex_of_bytes(bytes);
  }
  return segments;
}

std::string hex_of_bytes(std::string_view bytes) {
  std::string text;
  char part[32];
  for (std::size_t at = 0; at < bytes.size(); at += kBytesPerLine) {
    const auto line = bytes.substr(at, kBytesPerLine);
    if (std::all_of(line.begin(), line.end(), [](char c) { return c == '\0'; })) continue;
    std::snprintf(part, sizeof(part), "%08zx ", at);
    text += part;
    for (const char c : line) {
      std::snprintf(part, sizeof(part), " %02x",
                    static_cast<unsigned>(static_cast<unsigned char>(c)));
      text += part;
    }
    text += '\n';
  }
  std::snprintf(part, sizeof(part), "%08zx\n", bytes.size());
  return text + part;
}

std::string bytes_of_hex(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    std::size_t at = 0;
    std::from_chars(line.data(), line.data() + 8, at, 16);
    line.remove_prefix(std::min<std::size_t>(8, line.size()));
    bytes.resize(std::max(bytes.size(), at));
    for (; line.size() >= 3 || line.starts_with("  ");) {
      line.remove_prefix(line.find_first_not_of(' '));
      unsigned value = 0;
      std::from_chars(line.data(), line.data() + 2, value, 16);
      bytes.push_back(static_cast<char>(value));
      line.remove_prefix(2);
    }
  }
  return bytes;
}

}  // namespace esdb::storage
