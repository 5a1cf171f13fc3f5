#include "tools/line_reader.h"

#include <gtest/gtest.h>
#include <zstd.h>

#include <sstream>
#include <streambuf>
#include <string>
#include <vector>

namespace esdb::tools {
namespace {

using Status = LineReader::Status;

std::string compressed(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 1));
  return out;
}

// "line" for each, "<too long>" for those, and what the reader said at the end.
std::vector<std::string> read_all(std::istream& input, std::size_t line_bytes_max = 100) {
  LineReader reader(input, line_bytes_max);
  std::vector<std::string> lines;
  for (;;) {
    const auto status = reader.next();
    if (!status) {
      lines.push_back("<" + status.error().message + ">");
      return lines;
    }
    if (*status == Status::kEnd) return lines;
    EXPECT_EQ(reader.number(), lines.size() + 1);
    lines.push_back(*status == Status::kTooLong ? "<too long>" : std::string(reader.line()));
  }
}

std::vector<std::string> read_all(const std::string& text) {
  std::istringstream input(text);
  return read_all(input);
}

using Lines = std::vector<std::string>;

TEST(LineReader, GivesLinesWithoutTheirNewlines) {
  EXPECT_EQ(read_all("a\n\nb\r\nc"), (Lines{"a", "", "b\r", "c"}));
  EXPECT_EQ(read_all(""), Lines{});
  EXPECT_EQ(read_all("\n"), Lines{""});
}

TEST(LineReader, PassesOverAByteOrderMark) { EXPECT_EQ(read_all("\xef\xbb\xbf{}\n"), Lines{"{}"}); }

TEST(LineReader, TellsZstdByItsFirstBytes) {
  EXPECT_EQ(read_all(compressed("a\nb\n")), (Lines{"a", "b"}));
  EXPECT_EQ(read_all(compressed("a\nb") + compressed("c\nd")), (Lines{"a", "bc", "d"}));
}

TEST(LineReader, RefusesACutOffOrDamagedFrame) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += std::to_string(i * 7919) + "\n";
  auto frame = compressed(text);
  auto lines = read_all(frame.substr(0, frame.size() - 3));
  EXPECT_EQ(lines.back(), "<it ends in the middle of a zstd frame: it was cut off>");
  frame[frame.size() / 2] = static_cast<char>(~frame[frame.size() / 2]);
  EXPECT_EQ(read_all(frame + "x").back().front(), '<');
}

TEST(LineReader, PassesOverALineThatIsTooLong) {
  EXPECT_EQ(read_all(std::string(100, 'a') + "\nb"), (Lines{std::string(100, 'a'), "b"}));
  EXPECT_EQ(read_all("x\n" + std::string(101, 'a') + "\nb\n"), (Lines{"x", "<too long>", "b"}));
  EXPECT_EQ(read_all(std::string(3'000'000, 'a') + "\nb"), (Lines{"<too long>", "b"}));
  EXPECT_EQ(read_all("x\n" + std::string(3'000'000, 'a')), (Lines{"x", "<too long>"}));
}

// An input without end or newline.
class Endless : public std::streambuf {
 public:
  std::size_t given() const { return given_; }

 private:
  int_type underflow() override {
    given_ += buffer_.size();
    setg(buffer_.data(), buffer_.data(), buffer_.data() + buffer_.size());
    return traits_type::to_int_type(buffer_[0]);
  }
  std::string buffer_ = std::string(4096, 'a');
  std::size_t given_ = 0;
};

TEST(LineReader, GivesUpALineWithoutEndAtItsLimit) {
  Endless endless;
  std::istream input(&endless);
  LineReader reader(input, 1'000'000);
  EXPECT_EQ(reader.next().value(), Status::kTooLong);
  EXPECT_LT(endless.given(), 2'000'000u);
}

TEST(LineReader, GivesALineOfAPipeBeforeMoreArrives) {
  class Slow : public std::streambuf {
   public:
    int asked = 0;

   private:
    int_type underflow() override {
      if (++asked > 2) return traits_type::eof();
      setg(text_.data(), text_.data(), text_.data() + text_.size());
      return traits_type::to_int_type(text_[0]);
    }
    std::string text_ = "line\n";
  } slow;
  std::istream input(&slow);
  LineReader reader(input);
  EXPECT_EQ(reader.next().value(), Status::kLine);
  EXPECT_EQ(reader.line(), "line");
  EXPECT_EQ(slow.asked, 1);
}

TEST(LineReader, KeepsLinesThatCrossBuffersWhole) {
  std::string text;
  Lines lines;
  for (std::size_t i = 0; i < 20'000; ++i) {
    lines.push_back(std::string(i % 90, 'a') + std::to_string(i));
    text += lines.back() + "\n";
  }
  std::istringstream plain(text), packed(compressed(text));
  EXPECT_EQ(read_all(plain), lines);
  EXPECT_EQ(read_all(packed), lines);
}

}  // namespace
}  // namespace esdb::tools
