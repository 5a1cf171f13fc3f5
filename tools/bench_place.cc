#include "tools/bench_place.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "tools/directory.h"

namespace esdb::tools {
namespace {

namespace fs = std::filesystem;

Result<BenchPlace> scratch_in(const std::string& directory) {
  auto scratch = BenchScratch::make_in(directory);
  if (!scratch) return std::unexpected(scratch.error());
  auto url = (*scratch)->path() + "/store";
  return BenchPlace{
      .kind = BenchPlace::Kind::kScratch, .url = std::move(url), .scratch = *std::move(scratch)};
}

// Where nothing is, beside it; in a directory that holds no store, there.
std::string nearest_directory(const std::string& directory) {
  std::error_code ignored;
  if (fs::exists(directory, ignored)) return directory;
  auto path = fs::absolute(directory, ignored).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();  // "data/"
  return path.parent_path().string();
}

}  // namespace

Result<std::unique_ptr<BenchScratch>> BenchScratch::make_in(const std::string& directory) {
  std::error_code ignored;
  if (!fs::is_directory(directory, ignored))
    return failed(fmt::format("no scratch store can be made in {}: it is no directory", directory));
  auto path = (fs::absolute(directory, ignored).lexically_normal() / "esctl-bench-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr)
    return failed(fmt::format("no scratch directory can be made in {}: {}", directory,
                              std::generic_category().message(errno)));
  return std::unique_ptr<BenchScratch>(new BenchScratch(std::move(path)));
}

BenchScratch::~BenchScratch() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

Result<BenchPlace> find_bench_place(const Invocation& invocation, const std::string& directory) {
  if (!directory.empty() && !invocation.global.store.empty())
    return usage(
        "--directory says where a scratch store is made, and --store names another one: "
        "give one of the two");
  if (!directory.empty()) return scratch_in(directory);
  auto named = invocation.global.store;
  if (named.empty()) named = invocation.around.environment("ESDB_URL").value_or("");
  if (named.empty()) return scratch_in(".");
  if (!is_directory_url(named))
    return BenchPlace{.kind = named.starts_with("memory:") ? BenchPlace::Kind::kMemory
                                                           : BenchPlace::Kind::kServer,
                      .url = std::move(named)};
  const auto usable = check_directory(named, Purpose::kRead);
  if (!usable && exit_code_of(usable.error()) == ExitCode::kNoStore)
    return scratch_in(nearest_directory(named));
  if (!usable) return std::unexpected(usable.error());
  return BenchPlace{.kind = BenchPlace::Kind::kDirectory, .url = std::move(named)};
}

std::optional<pid_t> server_behind(const std::string& url) {
  constexpr std::string_view kUnix = "unix:";
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  if (!url.starts_with(kUnix) || url.size() - kUnix.size() >= sizeof at.sun_path)
    return std::nullopt;
  url.copy(at.sun_path, sizeof at.sun_path - 1, kUnix.size());
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return std::nullopt;
  ucred peer{};
  socklen_t size = sizeof peer;
  const bool known = ::connect(probe, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0 &&
                     ::getsockopt(probe, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
  ::close(probe);
  // 0: it runs where this process does not see it.
  return known && peer.pid > 0 ? std::optional(peer.pid) : std::nullopt;
}

}  // namespace esdb::tools
