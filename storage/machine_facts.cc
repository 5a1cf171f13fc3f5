#include "storage/machine_facts.h"

#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>

#include "storage/posix_io.h"
#include "storage/segment_file.h"

namespace esdb::storage {
namespace {

namespace fs = std::filesystem;

// The first line of a small file of the system; empty where there is none.
std::string line_of(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::optional<std::uint64_t> number_of(const fs::path& path) {
  const auto text = line_of(path);
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || parsed.ec != std::errc()) return std::nullopt;
  return number;
}

std::optional<bool> flag_of(const fs::path& path) {
  const auto number = number_of(path);
  if (!number) return std::nullopt;
  return *number != 0;
}

std::vector<std::string> split(const std::string& text, char by) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, by);) parts.push_back(part);
  return parts;
}

// proc(5): a space in a path is written \040, and so on.
std::string unescaped(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 3 >= text.size()) {
      plain += text[i];
      continue;
    }
    plain +=
        static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + text[i + 3] - '0');
    i += 3;
  }
  return plain;
}

bool is_below(const std::string& path, const std::string& root) {
  return root == "/" || path == root ||
         (path.starts_with(root) && path.size() > root.size() && path[root.size()] == '/');
}

// The nearest directory that is there, by its real name.
std::string nearest(const std::string& directory) {
  std::error_code error;
  auto at = fs::absolute(directory.empty() ? "." : directory, error);
  while (!fs::is_directory(at, error) && at.has_parent_path() && at != at.parent_path())
    at = at.parent_path();
  const auto real = fs::canonical(at, error);
  return (error ? at : real).string();
}

struct Mount {
  std::string device{};  // "8:1"
  std::string at{}, type{};
  std::vector<std::string> options{};
};

// The mount that holds the directory: the longest path, and of two the later.
Mount mount_of(const std::string& directory, const SystemRoots& roots) {
  Mount found;
  std::ifstream file(roots.proc + "/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    std::istringstream stream(line);
    const std::vector<std::string> words{std::istream_iterator<std::string>(stream), {}};
    const auto dash = std::ranges::find(words, "-");
    if (words.size() < 6 || std::distance(dash, words.end()) < 4) continue;
    const auto at = unescaped(words[4]);
    if (!is_below(directory, at) || at.size() < found.at.size()) continue;
    found = {.device = words[2], .at = at, .type = dash[1], .options = split(words[5], ',')};
    for (auto& option : split(dash[3], ',')) found.options.push_back(std::move(option));
  }
  return found;
}

void read_device(const std::string& number, const SystemRoots& roots, MachineFacts& facts) {
  const fs::path link = roots.sys + "/dev/block/" + number;
  std::error_code error;
  auto device = fs::canonical(link, error);
  if (error) return;
  facts.device = device.filename();
  // A partition's queue is its disk's.
  if (!fs::exists(device / "queue", error)) device = device.parent_path();
  const auto queue = device / "queue";
  facts.write_cache = line_of(queue / "write_cache");
  facts.fua = flag_of(queue / "fua");
  facts.rotational = flag_of(queue / "rotational");
  facts.physical_block = number_of(queue / "physical_block_size").value_or(0);
}

// Of the newest segment with a sound header.
std::uint64_t write_unit_in(const std::string& directory) {
  PosixIo io;
  const auto log = directory + "/log";
  const auto names = io.list(log);
  if (!names) return 0;
  std::uint64_t unit = 0;
  for (const auto& name : *names) {
    if (!parse_segment_name(name)) continue;
    auto file = io.open(log + "/" + name, OpenMode::kRead);
    if (!file) continue;
    if (const auto header = read_segment_header(**file); header && *header)
      unit = (*header)->unit_bytes;
  }
  return unit;
}

std::uint64_t limit_of(decltype(RLIMIT_NOFILE) which) {
  rlimit limit{};
  if (::getrlimit(which, &limit) != 0) return 0;
  return limit.rlim_cur == RLIM_INFINITY ? ~std::uint64_t{0} : limit.rlim_cur;
}

}  // namespace

MachineFacts read_facts(const std::string& directory, const SystemRoots& roots) {
  MachineFacts facts{.directory = nearest(directory)};
  const auto mount = mount_of(facts.directory, roots);
  facts.file_system = mount.type;
  facts.mount = mount.options;
  facts.mounted_at = mount.at;
  struct statfs kind {};
  if (::statfs(facts.directory.c_str(), &kind) == 0) facts.f_type = static_cast<long>(kind.f_type);
  struct statvfs room {};
  if (::statvfs(facts.directory.c_str(), &room) == 0) {
    facts.free_bytes = std::uint64_t{room.f_bavail} * room.f_frsize;
    facts.all_bytes = std::uint64_t{room.f_blocks} * room.f_frsize;
  }
  read_device(mount.device, roots, facts);
  facts.write_unit = write_unit_in(facts.directory);
  facts.files_max = limit_of(RLIMIT_NOFILE);
  facts.memlock_max = limit_of(RLIMIT_MEMLOCK);
  if (const auto disabled = number_of(roots.proc + "/sys/kernel/io_uring_disabled"))
    facts.io_uring_disabled = static_cast<int>(*disabled);
  facts.clock_source =
      line_of(roots.sys + "/devices/system/clocksource/clocksource0/current_clocksource");
  facts.wall_clock =
      std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now());
  return facts;
}

}  // namespace esdb::storage
