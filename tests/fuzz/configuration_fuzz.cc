// Configuration files. What is accepted says the same when it is written out anew and read again;
// what can be settled is within every range that the settings name. What is refused is told in one
// line that names the file.
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "server/settings.h"
#include "storage/check.h"
#include "tests/fuzz/input.h"

namespace esdb::server {
namespace {

// A file in memory, and the path by which it is read.
class MemoryFile {
 public:
  MemoryFile() : fd_(::memfd_create("esdb.toml", MFD_CLOEXEC)) {
    ESDB_CHECK(fd_ >= 0);
    path_ = "/proc/self/fd/" + std::to_string(fd_);
  }
  ~MemoryFile() { ::close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  const std::string& path() const { return path_; }
  void fill(std::string_view text) {
    ESDB_CHECK(::ftruncate(fd_, 0) == 0);
    ESDB_CHECK(::pwrite(fd_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
  }

 private:
  const int fd_;
  std::string path_;
};

void append_text(std::string& out, std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out.append(1, '\\').append(1, c);
    else if (byte < 0x20 || byte == 0x7f)
      out.append("\\u00").append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]);
    else
      out += c;
  }
  out += '"';
}

std::string_view word_of(LogLevel level) {
  for (const std::string_view word : {"debug", "info", "warning", "error"})
    if (parse_log_level(word).value() == level) return word;
  ESDB_CHECK(false);
}

std::string printed(const Said& said) {
  std::string text;
  if (said.data) {
    text += "data = ";
    append_text(text, said.data->value);
    text += '\n';
  }
  if (!said.listen.empty()) {
    text += "listen = [";
    for (const auto& endpoint : said.listen) {
      if (text.back() != '[') text += ", ";
      append_text(text, endpoint.value);
    }
    text += "]\n";
  }
  if (said.log_level) text.append("log_level = \"").append(word_of(*said.log_level)).append("\"\n");
  for (const auto& number : numbers()) {
    const auto found = said.numbers.find(number.key);
    if (found == said.numbers.end()) continue;
    const bool is_count = number.unit == Number::Unit::kCount;
    text.append(number.key).append(is_count ? " = " : " = \"");
    text += is_count ? std::to_string(found->second.value) : number.in_words(found->second.value);
    text += is_count ? "\n" : "\"\n";
  }
  return text;
}

void check_equal(const Said& a, const Said& b) {
  ESDB_CHECK(a.data.has_value() == b.data.has_value());
  ESDB_CHECK(!a.data || a.data->value == b.data->value);
  ESDB_CHECK(a.log_level == b.log_level && a.listen.size() == b.listen.size());
  for (std::size_t i = 0; i < a.listen.size(); ++i)
    ESDB_CHECK(a.listen[i].value == b.listen[i].value);
  ESDB_CHECK(a.numbers.size() == b.numbers.size());
  for (const auto& [key, amount] : a.numbers) {
    const auto found = b.numbers.find(key);
    ESDB_CHECK(found != b.numbers.end() && found->second.value == amount.value);
  }
}

// Names of hosts are not looked up here.
bool stays_here(const Said& said) {
  for (const auto& endpoint : said.listen)
    if (!endpoint.value.starts_with("unix:")) return false;
  return true;
}

void check_settled(const Said& said) {
  const auto settings = settle({}, said, {.is_root = true});
  if (!settings) {
    ESDB_CHECK(!settings.error().message.empty());
    return;
  }
  ESDB_CHECK(!settings->data.empty() && !settings->listen.empty());
  ESDB_CHECK(settings->event_bytes_max <= settings->append_bytes_max);
  for (const auto& number : numbers()) {
    const auto value = (*settings).*number.value;
    const bool may_be_zero = number.shape == Number::Shape::kZeroOrPowerOfTwo;
    ESDB_CHECK((may_be_zero && value == 0) || (value >= number.least && value <= number.most));
  }
}

void check_configuration(std::string_view text) {
  static MemoryFile file;
  file.fill(text);
  const auto said = read_configuration(file.path());
  if (!said) {
    ESDB_CHECK(said.error().code == ErrorCode::kInvalidArgument);
    ESDB_CHECK(said.error().message.starts_with(file.path()));
    ESDB_CHECK(!said.error().message.contains('\n'));
    return;
  }
  if (stays_here(*said)) check_settled(*said);
  file.fill(printed(*said));
  const auto again = read_configuration(file.path());
  ESDB_CHECK(again.has_value());
  check_equal(*said, *again);
}

}  // namespace
}  // namespace esdb::server

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  esdb::server::check_configuration({reinterpret_cast<const char*>(data), size});
  return 0;
}
