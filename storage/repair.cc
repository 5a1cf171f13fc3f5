#include "storage/repair.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "storage/aligned_bytes.h"
#include "storage/index.h"
#include "storage/offline_segment.h"
#include "storage/opening_error.h"
#include "storage/posix_io.h"
#include "storage/recovery.h"
#include "storage/segment_file.h"
#include "storage/segment_substitute.h"
#include "storage/store_lock.h"

namespace esdb::storage {
namespace {

namespace fs = std::filesystem;

using How = PlannedSegment::How;

constexpr std::string_view kNothingChanged = "nothing was changed; mend it and repeat the repair";

std::unexpected<Error> failed(const std::string& what, int number) {
  return opening_failed(what, IoError{number}, kNothingChanged);
}

// What the index claims of a log, as an opening asks it.
auto claim_of_index(const std::string& directory) {
  return [directory](const LogOptions::Known& known) {
    return Index::claimed_frame(
        {.directory = directory + "/index", .store_id = known.store_id, .seed = known.seed},
        known.last_epoch_id, Access::kReadOnly);
  };
}

// Whether it opens as it is. Reads only.
Result<void> try_to_open(Io& io, const std::string& directory) {
  auto log = open_log(io, {.directory = directory,
                           .access = Access::kReadOnly,
                           .create = Create::kNever,
                           .indexed_frame = claim_of_index(directory)});
  if (!log) return std::unexpected(log.error());
  return {};
}

Result<RepairSurvey> survey(Io& io, const std::string& directory) {
  RepairSurvey found;
  auto log = look_at_damaged(io, directory);
  if (!log) return std::unexpected(log.error());
  found.store_id = uuid_text(log->store_id);
  const auto claim = claim_of_index(directory);
  auto plan = plan_repair(io, *log, [&](const Uuid& last_epoch) {
    return claim({.store_id = log->store_id, .seed = log->seed, .last_epoch_id = last_epoch});
  });
  if (!plan) return std::unexpected(plan.error());
  found.plan = std::move(*plan);
  return found;
}

// "20261121T010215Z", in UTC.
std::string stamp(Time now) {
  const auto seconds = std::chrono::system_clock::to_time_t(
      std::chrono::time_point_cast<std::chrono::system_clock::duration>(now));
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32] = {};
  std::strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &parts);
  return text;
}

class Repairing {
 public:
  Repairing(Io& io, std::string directory, const RepairOptions& options, RepairSurvey survey)
      : io_(io), directory_(std::move(directory)), options_(options), survey_(std::move(survey)) {}

  Result<Repaired> run();

 private:
  Result<void> build();
  Result<void> make_aside();
  Result<void> describe();
  Result<void> bring(const PlannedSegment& planned);
  Result<void> copy(const PlannedSegment& planned);
  Result<void> open_and_close();
  Result<void> begin_epoch(Log& log);
  Result<void> change_places();
  Result<void> drop_what_is_kept();
  std::string log_directory() const { return directory_ + "/log"; }
  std::string new_log() const { return aside_ + "/log"; }
  void step(const std::string& what) const {
    if (options_.step) options_.step(what);
  }

  Io& io_;
  const std::string directory_;
  const RepairOptions& options_;
  const RepairSurvey survey_;
  std::string aside_{};
  bool in_place_ = false;  // the repaired log is the store's
};

Result<void> Repairing::make_aside() {
  const auto name = directory_ + "/damaged-" + stamp(io_.now());
  for (int attempt = 1;; ++attempt) {
    aside_ = attempt == 1 ? name : name + "-" + std::to_string(attempt);
    if (::mkdir(aside_.c_str(), 0700) == 0) break;
    if (errno != EEXIST || attempt > 1000) return failed(aside_ + " cannot be made", errno);
  }
  if (auto made = io_.make_directory(new_log()); !made)
    return failed(new_log() + " cannot be made", made.error().number);
  return {};
}

Result<void> Repairing::describe() {
  const auto path = aside_ + "/README.txt";
  std::ofstream text(path);
  text << "Set aside by `esctl repair` from the store " << survey_.store_id << " in " << directory_
       << ",\nbecause it did not open:\n\n"
       << survey_.refusal << "\n\nWhat the repair did:\n\n";
  for (const auto& line : lines_of(survey_.plan)) text << line << '\n';
  text << "\n`log` beside this file holds the segment files that were replaced, cut or left out, "
          "as\n"
          "they were. (Where the repair was interrupted before it took effect, it holds what was "
          "to\ntake their place, and the store is as it was.) The store does not need this "
          "directory.\n";
  text.close();
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = text && fd >= 0 && ::fsync(fd) == 0;
  const int number = errno;
  if (fd >= 0) ::close(fd);
  if (!synced) return failed(path + " cannot be written", number);
  return {};
}

// Up to the last frame that stays, with no witness: recovery writes one.
Result<void> Repairing::copy(const PlannedSegment& planned) {
  const auto name = segment_name(planned.number);
  const auto cannot = [&](IoError error) {
    return failed(new_log() + "/" + name + " cannot be made", error.number);
  };
  auto header = planned.header;
  auto file = make_segment(io_, new_log(), header);
  if (!file) return cannot(file.error());
  const auto first = first_frame_at(header.block_bytes);
  if (planned.how == How::kNew || planned.frames_end <= first) return {};
  auto bytes = SegmentBytes::read(
      io_, {.path = log_directory() + "/" + name, .file_bytes = planned.frames_end},
      ReadFrom::kDevice);
  if (!bytes) return std::unexpected(bytes.error());
  constexpr std::size_t kChunkBytes = std::size_t{4} << 20;
  AlignedBytes chunk(kChunkBytes);
  for (auto at = std::uint64_t{first}; at < planned.frames_end; at += kChunkBytes) {
    const auto part =
        bytes->bytes().subspan(at, std::min<std::uint64_t>(kChunkBytes, planned.frames_end - at));
    const auto whole = padded(part.size(), AlignedBytes::kAlignment);
    std::ranges::fill(chunk.bytes().first(whole), std::byte{0});
    std::ranges::copy(part, chunk.bytes().begin());
    if (auto written = (*file)->write_durable(at, chunk.bytes().first(whole)); !written)
      return cannot(written.error());
  }
  return {};
}

Result<void> Repairing::bring(const PlannedSegment& planned) {
  const auto name = segment_name(planned.number);
  const auto from = log_directory() + "/" + name;
  if (planned.how == How::kLink) {
    if (::link(from.c_str(), (new_log() + "/" + name).c_str()) != 0)
      return failed(from + " cannot be linked to", errno);
    return {};
  }
  step("making " + name + " for the repaired log");
  if (planned.how != How::kSubstitute) return copy(planned);
  SegmentBytes bytes;
  if (!planned.whole.empty()) {
    auto read = SegmentBytes::read(io_, {.path = from, .file_bytes = planned.frames_end},
                                   ReadFrom::kDevice);
    if (!read) return std::unexpected(read.error());
    bytes = std::move(*read);
  }
  if (auto made = make_substitute(io_, new_log(), planned, bytes.bytes()); !made)
    return failed(new_log() + "/" + name + " cannot be made", made.error().number);
  return {};
}

// A new epoch where the end was cut: whoever knows more of the log than is left of it is told so.
Result<void> Repairing::begin_epoch(Log& log) {
  constexpr std::size_t kEpochBytes = 1024;
  while (!log.has_room(kEpochBytes, 0)) {
    if (log.roll() == Log::Rolled::kYes) break;
    auto did = log.background_step(io_.steady());
    if (!did) return std::unexpected(did.error());
    if (log.disk_full()) return failed("the repaired log cannot be made", ENOSPC);
  }
  const auto epoch = log.place_epoch();
  if (auto written = epoch.write.file->write_durable(epoch.write.offset, epoch.write.bytes);
      !written)
    return failed("the repaired log cannot be written", written.error().number);
  log.complete(epoch.write.frame_number);
  return {};
}

// That it opens, by what opens every store; the index among what may object.
Result<void> Repairing::open_and_close() {
  step("opening the repaired log");
  auto log = open_log(io_, {.directory = aside_, .create = Create::kNever});
  if (!log) return std::unexpected(log.error());
  if (survey_.plan.begins_epoch)
    if (auto begun = begin_epoch(**log); !begun) return begun;
  const auto claimed = claim_of_index(directory_)({.store_id = (*log)->store_id(),
                                                   .seed = (*log)->seed(),
                                                   .last_epoch_id = (*log)->epoch_id()});
  if (claimed > (*log)->durable_frame())
    return std::unexpected(Error{.code = ErrorCode::kRefused,
                                 .message = "this cannot be repaired: the index still says that "
                                            "frames up to " +
                                            std::to_string(claimed) + " were durable"});
  if (auto closed = (*log)->close(); !closed) return closed;
  log->reset();
  // Its own lock; the store's stays where it is.
  if (auto removed = io_.remove(aside_ + "/LOCK"); !removed)
    return failed(aside_ + "/LOCK cannot be removed", removed.error().number);
  return {};
}

Result<void> Repairing::build() {
  if (auto made = make_aside(); !made) return made;
  for (const auto& planned : survey_.plan.segments)
    if (auto brought = bring(planned); !brought) return brought;
  if (auto opened = open_and_close(); !opened) return opened;
  step("describing what is set aside");
  if (auto described = describe(); !described) return described;
  for (const auto& path : {new_log(), aside_, directory_})
    if (auto synced = io_.sync_directory(path); !synced)
      return failed(path + " cannot be synced", synced.error().number);
  return {};
}

Result<void> Repairing::change_places() {
  step("putting the repaired log in its place");
  if (::renameat2(AT_FDCWD, log_directory().c_str(), AT_FDCWD, new_log().c_str(),
                  RENAME_EXCHANGE) != 0)
    return failed(
        "the file system cannot let " + log_directory() + " and " + new_log() + " change places",
        errno);
  in_place_ = true;
  for (const auto& path : {aside_, directory_})
    if (auto synced = io_.sync_directory(path); !synced)
      return std::unexpected(
          Error{.code = ErrorCode::kUnavailable,
                .message = path + " cannot be synced, " + to_string(synced.error()) +
                           ": the store is repaired, but a power loss may undo it"});
  return {};
}

// Sealed segments that the repaired log has, too, are one file under two names: one is enough.
Result<void> Repairing::drop_what_is_kept() {
  step("tidying what is set aside");
  for (const auto& planned : survey_.plan.segments) {
    if (planned.how != How::kLink) continue;
    if (auto removed = io_.remove(new_log() + "/" + segment_name(planned.number)); !removed)
      return std::unexpected(Error{.code = ErrorCode::kUnavailable,
                                   .message = "the store is repaired; " + new_log() +
                                              " cannot be tidied, " + to_string(removed.error())});
  }
  return {};
}

Result<Repaired> Repairing::run() {
  step("making a place for what is set aside");
  auto built = build();
  if (built) built = change_places();
  if (!built) {
    std::error_code ignored;
    if (!in_place_) fs::remove_all(aside_, ignored);
    return std::unexpected(built.error());
  }
  if (auto dropped = drop_what_is_kept(); !dropped) return std::unexpected(dropped.error());
  step("repaired");
  return Repaired{.survey = survey_, .aside = aside_};
}

bool is_refusal(const Error& error) { return error.code == ErrorCode::kRefused; }

}  // namespace

Result<RepairSurvey> survey_repair(const std::string& directory) {
  PosixIo io;
  auto opened = try_to_open(io, directory);
  if (!opened && !is_refusal(opened.error())) return std::unexpected(opened.error());
  auto lock = lock_store(io, {.directory = directory, .access = Access::kReadOnly});
  if (!lock) return std::unexpected(lock.error());
  if (opened) return RepairSurvey{.opens = true};
  auto found = survey(io, directory);
  if (found) found->refusal = opened.error().message;
  return found;
}

Result<Repaired> repair(const std::string& directory, const RepairOptions& options) {
  PosixIo io;
  auto opened = try_to_open(io, directory);
  if (opened) return Repaired{.survey = {.opens = true}};
  if (!is_refusal(opened.error())) return std::unexpected(opened.error());
  auto lock = lock_store(io, {.directory = directory});
  if (!lock) return std::unexpected(lock.error());
  auto found = survey(io, directory);
  if (!found) return std::unexpected(found.error());
  found->refusal = opened.error().message;
  auto done = Repairing(io, directory, options, std::move(*found)).run();
  if (!done) return done;
  lock->reset();
  if (auto sound = try_to_open(io, directory); !sound) return std::unexpected(sound.error());
  return done;
}

std::vector<std::string> lines_of(const RepairPlan& plan) {
  std::vector<std::string> lines;
  for (const auto& item : plan.items) {
    auto line = item.file + (item.offset != 0 ? " from byte " + std::to_string(item.offset) : "") +
                ": " + item.what;
    lines.push_back(std::move(line));
    if (item.kind == RepairItem::Kind::kHeader) continue;
    const bool cut = item.kind == RepairItem::Kind::kCut;
    std::string lost = cut ? "  lost: " : "  lost, and answered with `corrupt`: ";
    if (item.first && item.last)
      lost += "positions " + to_string(item.first) + " to " + to_string(item.last);
    else if (item.first)
      lost += "positions from " + to_string(item.first) + " on";
    else
      lost += "no event";
    lost += ", frames " + std::to_string(item.first_frame);
    lost += item.last_frame != 0 ? " to " + std::to_string(item.last_frame) : " and on";
    lines.push_back(std::move(lost));
    if (item.readable > 0)
      lines.push_back("  of these, " + std::to_string(item.readable) +
                      " events can still be read in what is set aside");
    for (const auto& stream : item.streams) lines.push_back("    of the stream " + stream);
  }
  lines.push_back((plan.last == 0 ? "kept: no event"
                                  : "kept: positions 1 to " + to_string(plan.last) +
                                        " but for what is named above") +
                  std::string(", ") + std::to_string(plan.segments_kept) + " segments as they are");
  if (plan.begins_epoch)
    lines.push_back("what is appended next takes the positions from " +
                    to_string(Position{plan.last.value + 1}) +
                    " on again, in a new epoch: a checkpoint of what is lost is answered with "
                    "`other_store`");
  if (plan.reads_by_position_only)
    lines.push_back(
        "the index cannot be built over what is lost inside the log: the store will serve reads by "
        "position and take no appends; export what is left into a new store");
  for (const auto& name : plan.aside)
    lines.push_back("set aside, holding nothing of this log: " + name);
  return lines;
}

}  // namespace esdb::storage
