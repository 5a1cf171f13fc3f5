// A log in memory whose first segments are sealed, for tests that damage their files.
#pragma once

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "storage/footer.h"
#include "storage/memory_io.h"
#include "storage/segment_file.h"
#include "storage/segment_reader.h"
#include "tests/fixtures/faulty_io.h"
#include "tests/storage/log_driver.h"

namespace esdb::storage {

struct SealedLog {
  static constexpr std::size_t kFrames = 1'300;

  SealedLog() : driver(io, options()) {
    EXPECT_EQ(driver.open(), "");
    for (std::size_t i = 0; i < kFrames; ++i)
      EXPECT_EQ(driver.append({{.stream = "s", .data = "1"},
                               {.stream = "s", .data = std::string(2'000, '2')},
                               {.stream = "s", .data = std::to_string(i)}}),
                "");
    driver.run_background();
    EXPECT_GT(driver.log().segments(), 3U);
  }

  LogOptions options() {
    auto with = log_options("store");
    with.log = [this](std::string_view line) { said += std::string(line) + "\n"; };
    return with;
  }
  static std::string path(std::uint32_t number) { return "store/log/" + segment_name(number); }
  // Opened as after a crash, so that nothing is remembered of the files.
  std::string reopen() {
    driver.drop();
    said.clear();
    return driver.open();
  }

  SegmentHeader header(std::uint32_t number) {
    auto file = memory.open(path(number), OpenMode::kRead).value();
    return read_segment_header(*file).value().value();
  }
  FooterTail tail(std::uint32_t number) {
    const auto seed = header(number).seed;
    auto file = memory.open(path(number), OpenMode::kRead).value();
    return read_footer_tail(*file, number, seed).value().value();
  }
  std::string bytes_of(std::uint32_t number) {
    auto file = memory.open(path(number), OpenMode::kRead).value();
    std::string bytes(file->size().value(), '\0');
    EXPECT_EQ(file->read(0, std::as_writable_bytes(std::span(bytes))).value(), bytes.size());
    return bytes;
  }
  void overwrite(std::uint32_t number, std::uint64_t offset, std::string_view text) {
    auto file = memory.open(path(number), OpenMode::kReadWrite).value();
    EXPECT_TRUE(file->write_durable(offset, std::as_bytes(std::span(text))));
  }
  void flip(std::uint32_t number, std::uint64_t offset) {
    auto byte = bytes_of(number).substr(offset, 1);
    byte[0] = static_cast<char>(byte[0] ^ 4);
    overwrite(number, offset, byte);
  }
  SegmentReader reader(std::uint32_t number, FileCache& files) {
    const auto with = tail(number);
    return {segment_of(with),
            {.last = with.first_position + with.event_count - 1,
             .frame_number = with.first_frame + with.frame_count - 1},
            header(number).seed,
            files};
  }
  // All of its tables.
  void smash_footer(std::uint32_t number) {
    const auto with = tail(number);
    const auto plan = footer_plan(header(number).segment_bytes, header(number).block_bytes,
                                  {with.event_count, with.frame_count});
    overwrite(number, plan.begins, std::string(plan.tail_block_at - plan.begins, '#'));
  }
  // "" when the log's newest ids are these, from the first one it gives on.
  std::string compare_ids(Position first) {
    const auto ids = driver.log().recent_ids(100'000);
    if (!ids) return ids.error().message;
    const auto& written = driver.written();
    if (ids->size() != written.size() - first.value + 1)
      return "it gives " + std::to_string(ids->size()) + " ids";
    for (std::size_t i = 0; i < ids->size(); ++i) {
      const auto& known = written[first.value - 1 + i];
      const auto& given = (*ids)[i];
      if (given.position != known.position || given.id != known.id ||
          given.ends_commit != (known.position.value % 3 == 0) ||
          given.fingerprint != protocol::fingerprint_of(encode(
                                   {.stream = known.stream, .data = known.data, .id = known.id})))
        return "another id at " + to_string(known.position);
    }
    return "";
  }

  MemoryIo memory{};
  fixtures::FaultyIo io{memory};
  std::string said{};
  LogDriver driver;
};

}  // namespace esdb::storage
