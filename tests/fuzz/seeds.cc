// Writes what the fuzzers begin with: real data of every kind, as `esdb_fuzz_seeds FOLDER` into
// FOLDER/<target>/. Merged and minimised (scripts/fuzz --merge) it is tests/fuzz/corpus.
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "esdb/append.h"
#include "protocol/encoded_append.h"
#include "protocol/encoded_event.h"
#include "storage/frame_check.h"
#include "storage/segment_file.h"
#include "tests/fuzz/damaged_store.h"
#include "tests/fuzz/spoken.h"

namespace esdb::fuzz {
namespace {

using Seeds = std::vector<std::string>;

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
template <class T>
std::string raw(const T& value) {
  return text_of(std::as_bytes(std::span(&value, 1)));
}

EventId id_of(std::uint64_t number) { return EventId::derive({}, number); }

std::vector<NewEvent> some_events() {
  const Time time(std::chrono::seconds(1'700'000'000));
  return {{.stream = "order-1", .type = "Placed", .data = R"({"total":12})", .id = id_of(1)},
          {.stream = "order-1",
           .type = "Paid",
           .data = R"({"by":"card"})",
           .metadata = R"({"user":"u1"})",
           .tags = {{"customer", "7"}, "vip"},
           .time = time,
           .id = id_of(2)},
          {.stream = "\xc3\xa4-stream",
           .type = "Picture",
           .data = std::string("\x01\x02\x00\x03", 4),
           .content_type = "image/png",
           .id = id_of(3)},
          {.stream = "s", .type = "T", .content_type = "text/plain", .id = id_of(4)}};
}

AppendRequest request_of(std::vector<NewEvent> events) {
  return {.events = std::move(events),
          .checks = {Check::stream("order-1", Expect::exactly(3)),
                     Check::stream("s", Expect::none()), Check::stream("t", Expect::exists()),
                     Check::unchanged(category("order").types({"Placed"}), 7),
                     Check::absent(tagged({"vip"}) | stream("s"))},
          .tracking = {{.source = "importer", .position = 17},
                       {.source = "other", .position = 4, .after = 3}}};
}

Seeds append_seeds() {
  Seeds seeds;
  std::vector<AppendRequest> requests{request_of(some_events()), request_of({})};
  for (const auto& event : some_events()) requests.push_back({.events = {event}});
  for (const auto& request : requests)
    seeds.push_back(text_of(EncodedAppend::encode(request).value().bytes()));
  return seeds;
}

Seeds event_seeds() {
  Seeds seeds;
  for (const auto& event : some_events()) {
    const auto append = EncodedAppend::encode({.events = {event}}).value();
    seeds.push_back('\0' + text_of(append.parts->events[0].encoded));
    const auto length = [](std::string_view text) {
      return raw(static_cast<std::uint16_t>(text.size())) + std::string(text);
    };
    seeds.push_back('\1' + raw(event.id.bytes) + '\2' + length(event.stream) + length(event.type) +
                    length(event.data) + '\2' + "{}" + length("text/plain") + '\2' + '\1' + "a" +
                    '\3' + "k:v");
  }
  return seeds;
}

// Every frame of the small stores, sound in itself; mended where its seed and place are another's.
Seeds frame_seeds() {
  Seeds seeds;
  for (const auto& [number, bytes] : whole_stores()[1].files) {
    const std::span all(bytes);
    for (std::size_t at = 1536; at + 512 <= all.size(); at += 512) {
      storage::FrameHeader header;
      std::memcpy(&header, all.data() + at, sizeof(header));
      if (header.magic != storage::kFrameMagic || header.length > 1600) continue;
      const auto frame = text_of(all.subspan(at, header.length));
      seeds.push_back(std::string("\3\0\0", 3) + frame);
      if (seeds.size() > 30) return seeds;
    }
  }
  return seeds;
}

Seeds store_seeds() {
  Seeds seeds;
  for (int mode = 0; mode < 32; ++mode) {
    seeds.push_back(std::string(1, static_cast<char>(mode)));
    for (unsigned which = 0; which < 3; ++which)
      for (const int offset : {8, 600, 1040, 1536, 1700, 2600, 28'672, 32'000})
        seeds.push_back(std::string(1, static_cast<char>(mode)) + '\2' + static_cast<char>(which) +
                        '\3' + raw(static_cast<std::uint16_t>(offset)));
  }
  const std::string_view changes[] = {{"\1\0\6\3", 4},
                                      {"\4\1\0\6\2\10", 6},
                                      {"\5\2\0\20", 4},
                                      {"\6\1", 2},
                                      {"\6\2", 2},
                                      {"\7\0\3", 3},
                                      {"\0\0\10\0\4zzzz", 9},
                                      {"\5\0\0\0", 4},
                                      {"\4\0\1\3\4\3\0\0\0\6\1\1", 12}};
  for (const auto change : changes)
    for (int mode = 0; mode < 32; mode += 3)
      seeds.push_back(std::string(1, static_cast<char>(mode)).append(change));
  return seeds;
}

Seeds query_seeds() {
  return {"everything",
          "type:Placed,Paid tag:vip | category:order",
          "stream:order-1,order-2",
          R"(stream:"with space","quote\"d","\x01" type:T)",
          "category:a tag:k:v,x | type:B | stream:$system",
          "type:A type:B tag:t tag:u",
          "category:\"\" | x:y",
          " |",
          "tag:\"",
          "stream:a|stream:b"};
}

Seeds json_line_seeds() {
  return {R"({"stream":"order-1","type":"Placed"})",
          R"({"position":3,"version":2,"stream":"order-1","type":"Paid",)"
          R"("id":"018f0000-0000-7000-8000-000000000001","time":"2024-05-01T10:00:00.5Z",)"
          R"("committed":"2024-05-01T10:00:01Z","append":3,"data":{"total":12},)"
          R"("metadata":{"g":"x"},"tags":["vip","k:v"]})",
          R"({"stream":"s","type":"T","data_base64":"AQIDBA==","content_type":"image/png"})",
          R"({"stream":"\u00e4\ud83d\ude00","type":"T","data":[1,2,{"g":null}],"g":7})",
          R"({"stream":"s","type":"T","data":"text","metadata_base64":"e30="})",
          R"({"stream":"s","type":"T","stream":"again"})",
          R"({"stream":1,"type":null})",
          R"({"stream":"s","type":"T","tags":["a",1]})",
          R"({"stream":"s","type":"T","time":"2024-02-30T00:00:00+01:00"})",
          R"([1,2])",
          R"({"stream":"s")",
          R"({"stream":"s","type":"T","data":1e400,"x":[[[[]]]]})"};
}

Seeds line_seeds() {
  const std::string zstd("\x28\xb5\x2f\xfd\x04\x58\x29\x00\x00hello\nxyz\n", 18);
  return {"",
          "\n",
          "a\nb\n",
          "a\nb",
          "\xef\xbb\xbf{}\n",
          "\r\n\r\na",
          zstd,
          zstd.substr(0, 12),
          std::string(300, 'x') + "\ny\n",
          zstd + zstd,
          "{}\n\n{}"};
}

Seeds import_seeds() {
  Seeds seeds;
  const std::string good = R"({"stream":"a","type":"T","g":1})";
  const std::string id = R"({"stream":"a","type":"T","id":"018f0000-0000-7000-8000-000000000001"})";
  for (const std::string& file :
       {good + "\n" + good + "\n", id + "\n" + id, good + "\nbad\n" + good,
        "\n\n" + good + "\n{\"stream\":\"\",\"type\":\"T\"}\n" + id,
        good + "\n{\"stream\":\"$s\",\"type\":\"T\",\"g\":1}\n" + good + "\n" + good})
    for (char mode = 0; mode < 8; ++mode) seeds.push_back(mode + file);
  return seeds;
}

Seeds configuration_seeds() {
  return {
      "data = \"/var/lib/esdb\"\nlisten = [\"unix:/run/esdb/esdb.sock\"]\nmemory = \"512MiB\"\n",
      "data = \"memory:\"\nlog_level = \"debug\"\nsegment_bytes = \"16M\"\nwrite_unit = 4096\n",
      "# c\nconnections_max = 64\nconnections_per_peer_max = 3\nhello_time = \"250ms\"\n",
      "listen = \"tcp:127.0.0.1:3732\"\ndata = 'x'\n",
      "event_bytes_max = \"1M\"\nappend_bytes_max = \"2M\"\ndata = \"d\"\nhello_time = \"1min\"",
      "memory = 1_000\nmemory = 2\n",
      "[section]\nx = 1\n",
      "data = \"a\\u0041\\n\"\nmemry = 3\n",
      "data = \"\"\"\nx\"\"\"\n",
      "memory = 9223372036854775807\nconnections_max = -1\n",
      "listen = [\"unix:/a\", \"unix:/a\"]\ndata = \"/d\"",
      "a.b = 1979-05-27T07:32:00Z\nc = [1, [2]]\nd = {x = 1}\n"};
}

void write(const std::filesystem::path& folder, std::string_view target, const Seeds& seeds) {
  std::filesystem::create_directories(folder / target);
  for (std::size_t i = 0; i < seeds.size(); ++i) {
    std::ofstream file(folder / target / ("seed_" + std::to_string(i)), std::ios::binary);
    file << seeds[i];
  }
}

void write_all(const std::filesystem::path& folder) {
  write(folder, "append", append_seeds());
  write(folder, "configuration", configuration_seeds());
  write(folder, "event", event_seeds());
  write(folder, "frame", frame_seeds());
  write(folder, "import", import_seeds());
  write(folder, "json_line", json_line_seeds());
  write(folder, "line_reader", line_seeds());
  write(folder, "query", query_seeds());
  write(folder, "rpc", spoken());
  write(folder, "store", store_seeds());
}

}  // namespace
}  // namespace esdb::fuzz

int main(int count, char** words) {
  if (count != 2) {
    std::cerr << "usage: esdb_fuzz_seeds FOLDER\n";
    return 2;
  }
  esdb::fuzz::write_all(words[1]);
}
