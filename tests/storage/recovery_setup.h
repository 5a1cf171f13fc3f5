// A log in memory that is opened again behind a crash, with its files damaged or not.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <string>

#include "storage/format.h"
#include "storage/memory_io.h"
#include "storage/segment_file.h"
#include "tests/storage/log_driver.h"

namespace esdb::storage {

class Recovery : public ::testing::Test {
 protected:
  Recovery() : driver_(io_, options()) {}

  static LogOptions options() { return log_options("store"); }
  static std::string path(std::uint32_t number) { return "store/log/" + segment_name(number); }

  // Frames of 4 KiB and more, so that a few make a segment.
  void append(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      ASSERT_EQ(driver_.append("stream", std::string(20'000, 'x') + std::to_string(i)), "");
  }
  void start(std::size_t count) {
    ASSERT_EQ(driver_.open(), "");
    append(count);
  }

  std::string bytes_of(const std::string& name) {
    auto file = io_.open(name, OpenMode::kRead).value();
    std::string bytes(file->size().value(), '\0');
    EXPECT_EQ(file->read(0, std::as_writable_bytes(std::span(bytes))).value(), bytes.size());
    return bytes;
  }
  void overwrite(const std::string& name, std::uint64_t offset, const std::string& bytes) {
    auto file = io_.open(name, OpenMode::kReadWrite).value();
    ASSERT_TRUE(file->write_durable(offset, std::as_bytes(std::span(bytes))));
  }
  void flip(const std::string& name, std::uint64_t offset) {
    auto byte = bytes_of(name).substr(offset, 1);
    byte[0] = static_cast<char>(byte[0] ^ 1);
    overwrite(name, offset, byte);
  }
  // The offset of the frame that holds it, in the segment that is open.
  std::uint64_t offset_of_last_frame() {
    const auto bytes = bytes_of(path(last_segment_));
    std::uint64_t found = 0;
    for (std::size_t at = 0; at + sizeof(FrameHeader) <= bytes.size(); at += 512) {
      std::uint32_t magic = 0;
      std::memcpy(&magic, bytes.data() + at, sizeof(magic));
      if (magic == kFrameMagic) found = at;
    }
    return found;
  }
  void expect_refused(std::string_view part) {
    std::map<std::string, std::string> before;
    const auto names = io_.list("store/log").value();
    for (const auto& name : names) before[name] = bytes_of("store/log/" + name);
    auto opened = open_log(io_, options());
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code, ErrorCode::kRefused);
    EXPECT_NE(opened.error().message.find(part), std::string::npos) << opened.error().message;
    for (const auto& [name, bytes] : before)
      EXPECT_TRUE(bytes_of("store/log/" + name) == bytes) << name << " was written";
  }

  // With its first frame, behind one that is not sealed yet.
  void start_second_segment() {
    start(3);
    driver_.run_background();
    while (driver_.log().segments() == 1) append(1);
  }
  // Of now: two more follow, whose claims it lies below.
  void expect_damage_found_in_last_frame_of(std::uint32_t number) {
    last_segment_ = number;
    const auto offset = offset_of_last_frame();
    append(2);
    driver_.drop();
    flip(path(number), offset + 3000);
    expect_refused("at offset " + std::to_string(offset) + " of " + segment_name(number));
  }

  // As the background prepares one.
  void prepare_segment(std::uint32_t number) {
    auto header = read_segment_header(*io_.open(path(1), OpenMode::kRead).value()).value().value();
    header.number = number;
    ASSERT_TRUE(make_segment(io_, "store/log", header).has_value());
  }
  static void expect_invalid(const LogOptions& options, std::string_view part) {
    MemoryIo io;
    const auto opened = open_log(io, options);
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(opened.error().message.find(part), std::string::npos) << opened.error().message;
    EXPECT_FALSE(io.exists("store/log/" + segment_name(1)).value());
  }

  MemoryIo io_;
  LogDriver driver_;
  std::uint32_t last_segment_ = 1;
};

}  // namespace esdb::storage
