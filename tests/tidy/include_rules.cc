// The rules about includes: who may include whom, and what comes first.
#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/tidy/rules.h"

namespace esdb::tidy {
namespace {

struct Include {
  std::string_view path{};
  std::size_t line{};
  bool quoted{};
};

// One row a folder. A name that ends with `/` stands for the folder.
struct Layer {
  std::string_view folder;
  std::vector<std::string_view> ours;
  bool rpc;  // KJ and Cap'n Proto
};

const std::vector<Layer>& layers() {
  static const std::vector<Layer> rows = {
      {"include/esdb", {"esdb/"}, false},
      {"protocol", {"esdb/", "protocol/"}, true},
      {"storage",
       {"esdb/", "protocol/encoded_event.h", "protocol/encoded_append.h", "protocol/refusal.h",
        "storage/"},
       false},
      {"server", {"esdb/", "protocol/", "server/"}, true},
      {"client", {"esdb/", "protocol/", "client/"}, true},
      {"application", {"esdb/", "application/"}, false},
      {"tools", {"esdb/", "tools/"}, false},
      {"examples", {"esdb/"}, false},
  };
  return rows;
}

// The files that may look further than their folder, and why the rest need not.
struct Exception {
  std::string_view file;
  std::string_view ours;
};
constexpr std::array<Exception, 10> kExceptions = {{
    {"client/open.cc", "storage/"},  // the one file that knows every kind of store
    // esctl bench measures with what the benchmarks measure with, which knows the public API alone.
    {"tools/bench_measures.cc", "bench/"},
    {"tools/bench_measuring.h", "bench/"},
    {"tools/bench_population.h", "bench/"},
    {"tools/bench_rows.cc", "bench/"},
    {"tools/doctor.cc", "storage/"},
    {"tools/inspect.cc", "storage/"},        // offline and read-only, on damaged files too
    {"tools/rebuild_index.cc", "storage/"},  // the store is not open
    {"tools/repair.cc", "storage/"},
    {"tools/verify.cc", "storage/"},
}};

// Libraries that stay behind one or two files of the one folder that needs them.
struct Scarce {
  std::string_view header;
  std::vector<std::string_view> folders;
};
const std::vector<Scarce>& scarce() {
  static const std::vector<Scarce> rows = {
      {"lmdb.h", {"storage", "application"}},
      {"liburing.h", {"storage"}},
      {"xxhash.h", {"storage", "protocol"}},
  };
  return rows;
}

std::vector<Include> includes_of(const File& file) {
  std::vector<Include> includes;
  const auto lines = lines_of(file.text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!lines[i].starts_with("#include ") || lines[i].size() < 11) continue;
    const auto rest = lines[i].substr(9);
    const auto close = rest.find_first_of("\">", 1);
    includes.push_back({rest.substr(1, close - 1), i + 1, rest[0] == '"'});
  }
  return includes;
}

bool names(std::string_view allowed, std::string_view path) {
  return allowed.ends_with("/") ? path.starts_with(allowed) : path == allowed;
}

bool may_include(const Layer& layer, const File& file, std::string_view path) {
  for (auto allowed : layer.ours)
    if (names(allowed, path)) return true;
  for (const auto& exception : kExceptions)
    if (exception.file == file.path && names(exception.ours, path)) return true;
  return false;
}

std::string list(const std::vector<std::string_view>& names) {
  std::string text;
  for (auto name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

// What is wrong with this include; nothing when it is fine.
std::optional<std::string> objection(const Layer& layer, const File& file, const Include& include) {
  const bool rpc = include.path.starts_with("kj/") || include.path.starts_with("capnp/");
  if (rpc && !layer.rpc) return "keep KJ and Cap'n Proto out of " + std::string(layer.folder) + "/";
  if (!include.quoted) {
    const bool standard = include.path.find_first_of("./") == include.path.npos;
    if (layer.folder == "include/esdb" && !standard) return "use std types only in the public API";
    return std::nullopt;
  }
  if (include.path.find('/') == include.path.npos || include.path.starts_with("."))
    return "write the path from the root: \"folder/file.h\"";
  if (may_include(layer, file, include.path)) return std::nullopt;
  return std::string(layer.folder) + "/ may include " + list(layer.ours) +
         " only: move the code, or give the layer below what it lacks";
}

}  // namespace

void check_includes(const File& file, Findings& findings) {
  const auto folder = folder_of(file.path);
  const auto layer = std::find_if(layers().begin(), layers().end(),
                                  [&](const Layer& l) { return l.folder == folder; });
  if (!is_cpp(file.path) || layer == layers().end()) return;
  for (const auto& include : includes_of(file))
    if (auto instead = objection(*layer, file, include))
      findings.push_back({file.path, include.line, "include", *instead});
}

void check_own_header_first(const std::vector<File>& tree, Findings& findings) {
  auto exists = [&](const std::string& path) {
    return std::any_of(tree.begin(), tree.end(), [&](const File& f) { return f.path == path; });
  };
  for (const auto& file : tree) {
    if (!file.path.ends_with(".cc")) continue;
    const auto own = file.path.substr(0, file.path.size() - 3) + ".h";
    if (!exists(own)) continue;
    const auto includes = includes_of(file);
    if (includes.empty() || includes.front().path != own)
      findings.push_back({file.path, includes.empty() ? 1 : includes.front().line, "own header",
                          "include \"" + own + "\" first: it shows that the header stands alone"});
  }
}

void check_scarce_includes(const std::vector<File>& tree, Findings& findings) {
  constexpr std::size_t kFilesMax = 2;  // in each folder
  std::map<std::string, std::size_t> users;
  for (const auto& file : tree) {
    const auto folder = folder_of(file.path);
    if (!is_cpp(file.path) || folder == "tests" || folder == "bench") continue;
    for (const auto& include : includes_of(file))
      for (const auto& row : scarce()) {
        if (include.path != row.header) continue;
        const bool allowed = std::count(row.folders.begin(), row.folders.end(), folder) > 0;
        const auto key = std::string(folder) + " " + std::string(row.header);
        if (!allowed || ++users[key] > kFilesMax)
          findings.push_back({file.path, include.line, "include",
                              "reach " + std::string(row.header) +
                                  " through the files that have it: at most two, in " +
                                  list(row.folders)});
      }
  }
}

}  // namespace esdb::tidy
