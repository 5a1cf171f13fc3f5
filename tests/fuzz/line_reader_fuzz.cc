// Lines of a stream, plain or compressed: each is what lies between two newlines, none is longer
// than it may be, and the rest of a buffer is never taken for a line.
#include <sstream>
#include <string>

#include "storage/check.h"
#include "tools/json_text.h"
#include "tools/line_reader.h"

namespace esdb::tools {
namespace {

constexpr std::size_t kLineMax = 256;

void check_stream(std::string_view text) {
  std::istringstream input{std::string(text)};
  LineReader lines(input, kLineMax);
  std::string seen;
  std::uint64_t number = 0;
  bool too_long = false;
  for (;;) {
    const auto status = lines.next();
    if (!status) return;
    if (*status == LineReader::Status::kEnd) break;
    ESDB_CHECK(lines.number() == ++number);
    if (*status == LineReader::Status::kTooLong) {
      too_long = true;
      continue;
    }
    ESDB_CHECK(lines.line().size() <= kLineMax && !lines.line().contains('\n'));
    seen.append(lines.line()).append("\n");
  }
  ESDB_CHECK(lines.bytes_read() == text.size());
  const bool compressed = text.starts_with("\x28\xb5\x2f\xfd");
  if (too_long || compressed) return;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark
  if (!text.empty() && !text.ends_with('\n')) seen.pop_back();
  ESDB_CHECK(seen == text);
}

}  // namespace
}  // namespace esdb::tools

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  esdb::tools::check_stream({reinterpret_cast<const char*>(data), size});
  return 0;
}
