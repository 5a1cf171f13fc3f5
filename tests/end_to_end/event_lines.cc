#include "tests/end_to_end/event_lines.h"

#include <zstd.h>

#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tests/fixtures/scratch_directory.h"

namespace esdb::end_to_end {
namespace {

constexpr std::string_view kZstdMagic = "\x28\xb5\x2f\xfd";

std::string decompressed(const std::string& packed) {
  const std::unique_ptr<ZSTD_DStream, decltype(&ZSTD_freeDStream)> stream(ZSTD_createDStream(),
                                                                          &ZSTD_freeDStream);
  std::string text;
  std::vector<char> block(ZSTD_DStreamOutSize());
  ZSTD_inBuffer in{.src = packed.data(), .size = packed.size(), .pos = 0};
  ZSTD_outBuffer out{};
  do {
    out = {.dst = block.data(), .size = block.size(), .pos = 0};
    if (ZSTD_isError(ZSTD_decompressStream(stream.get(), &out, &in)))
      throw std::runtime_error("not the zstd it begins as");
    text.append(block.data(), out.pos);
  } while (in.pos < in.size || out.pos == out.size);
  return text;
}

// Behind the JSON value that begins at `at`.
std::size_t end_of_value(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  bool in_string = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string) {
      if (c == '\\') ++at;
      if (c == '"') in_string = false;
      if (c != '"' || depth != 0) continue;
      return at + 1;
    }
    if (c == '"') in_string = true;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']' || c == ',') && depth == 0) return at;
    if ((c == '}' || c == ']') && --depth == 0) return at + 1;
  }
  return at;
}

// The same value, however its characters are escaped.
bool same_value(std::string_view a, std::string_view b) {
  if (a == b) return true;
  if (a.empty() || b.empty()) return false;
  return nlohmann::json::parse(a, nullptr, false) == nlohmann::json::parse(b, nullptr, false);
}

}  // namespace

LineFile::LineFile(const std::string& path) : text_(fixtures::read_file(path)) {
  if (text_.starts_with(kZstdMagic)) text_ = decompressed(text_);
  for (std::size_t at = 0; at < text_.size(); at = text_.find('\n', at) + 1) {
    begins_.push_back(at);
    if (text_.find('\n', at) == text_.npos) break;
  }
}

std::size_t LineFile::end_of(std::size_t index) const {
  return index + 1 < begins_.size() ? begins_[index + 1] : text_.size();
}

std::string_view LineFile::line(std::size_t index) const {
  auto whole = lines(index, index + 1);
  if (whole.ends_with('\n')) whole.remove_suffix(1);
  return whole;
}

std::string_view LineFile::lines(std::size_t first, std::size_t last) const {
  if (first >= last) return {};
  return std::string_view(text_).substr(begins_[first], end_of(last - 1) - begins_[first]);
}

std::string_view raw_value(std::string_view object, std::string_view key) {
  for (std::size_t at = 1; at < object.size();) {
    const auto key_end = end_of_value(object, at);
    const auto name = object.substr(at, key_end - at);
    const auto value_end = end_of_value(object, key_end + 1);
    if (name.size() == key.size() + 2 && name.substr(1, key.size()) == key)
      return object.substr(key_end + 1, value_end - key_end - 1);
    at = value_end + 1;
  }
  return {};
}

std::string difference(const LineFile& imported, const LineFile& exported) {
  for (std::size_t i = 0; i < std::min(imported.size(), exported.size()); ++i) {
    const auto in = imported.line(i), out = exported.line(i);
    const auto differs = [&](std::string_view what) {
      return "line " + std::to_string(i + 1) + ": another " + std::string(what) + "\n  imported " +
             std::string(in) + "\n  exported " + std::string(out);
    };
    for (const auto key : {"id", "stream", "type", "time"})
      if (!same_value(raw_value(in, key), raw_value(out, key))) return differs(key);
    for (const auto key : {"data", "metadata"})
      if (raw_value(in, key) != raw_value(out, key)) return differs(key);
    if (raw_value(out, "position") != std::to_string(i + 1)) return differs("position");
  }
  if (imported.size() == exported.size()) return "";
  return std::to_string(imported.size()) + " events were imported, " +
         std::to_string(exported.size()) + " exported";
}

std::string difference(const LineFile& imported, const std::string& store,
                       const std::string& export_to) {
  const auto exporting = run_esctl({"export", "--store", store, "-o", export_to});
  if (!exporting.ok()) return to_string(exporting.ended) + ": " + exporting.err;
  return difference(imported, LineFile(export_to));
}

Command import_of_standard_input(const std::string& store) {
  auto command = esctl(
      {"import", "-", "--source", "history", "--commit-by", "correlationId", "--store", store});
  command.fed = true;
  return command;
}

}  // namespace esdb::end_to_end
