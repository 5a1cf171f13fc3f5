#include "storage/scrub.h"

#include <array>
#include <optional>
#include <sstream>
#include <utility>

#include "storage/segment_file.h"

namespace esdb::storage {
namespace {

constexpr auto kLookAgain = std::chrono::minutes(10);  // whether a pass is due
constexpr auto kShortOfSomething = std::chrono::seconds(1);
constexpr std::size_t kToldMax = 5;  // places in one segment
constexpr std::size_t kFileMax = 64 * 1024;

}  // namespace

Scrub::Scrub(Io& io, const Log& log, std::string directory,
             std::function<void(std::string_view)> say, const ScrubPace& pace)
    : io_(io), log_(log), directory_(std::move(directory)), say_(std::move(say)), pace_(pace) {
  recall();
}

std::string Scrub::path_of(std::uint32_t number) const {
  return directory_ + "/log/" + segment_name(number);
}

// Lines of a word and numbers. What cannot be read is as if it were not there: a pass begins anew.
void Scrub::recall() {
  auto file = io_.open(directory_ + "/scrub", OpenMode::kRead);
  if (!file) return;
  std::string text(kFileMax, '\0');
  const auto count = (*file)->read(0, std::as_writable_bytes(std::span(text)));
  text.resize(count.value_or(0));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word == "began") words >> began_;
    if (word == "next") words >> next_;
    if (word == "damaged")
      for (std::uint32_t number = 0; words >> number;) first_.push_back(number);
  }
}

void Scrub::remember() {
  std::string text = "began " + std::to_string(began_) + "\nnext " + std::to_string(next_) + "\n";
  std::set<std::uint32_t> damaged = damaged_;
  damaged.insert(first_.begin(), first_.end());
  if (!damaged.empty()) text += "damaged";
  for (const auto number : damaged)
    if (text.size() + 16 < kFileMax) text += " " + std::to_string(number);
  text += "\n";
  const auto path = directory_ + "/scrub";
  auto file = io_.open(path, OpenMode::kReadWrite);
  if (!file) file = io_.open(path, OpenMode::kCreate);
  auto written = file ? (*file)->rewrite(text) : std::unexpected(file.error());
  if (!written && say_)
    say_("scrub: " + path + " cannot be written, " + to_string(written.error()) +
         ": it begins anew after the next opening");
}

// A pass is due, and there is something to read.
bool Scrub::begin_pass() {
  auto first = log_.footer(1);  // of those that hold anything
  for (std::uint32_t number = 2; first && first->frame_count == 0; ++number)
    first = log_.footer(number);
  if (!first) return false;
  const auto last = began_ != 0 ? began_ : first->first_commit_time;
  const auto now = io_.now().time_since_epoch();
  if (now < std::chrono::nanoseconds(last) + pace_.every) return false;
  began_ = std::chrono::nanoseconds(now).count();
  next_ = 1;
  remember();
  return true;
}

void Scrub::look_at(const FooterTail& tail) {
  auto file = io_.open(path_of(tail.segment), OpenMode::kRead);
  std::string why_not;
  if (!file) why_not = to_string(file.error());
  checking_ = std::make_unique<SegmentChecking>(
      tail, log_.seed(), file ? std::move(*file) : std::unique_ptr<File>(), why_not);
}

// What is read next; false: nothing.
bool Scrub::choose() {
  while (!first_.empty()) {
    const auto tail = log_.footer(first_.front());
    if (tail) {
      in_pass_ = false;
      look_at(*tail);
      return true;
    }
    first_.pop_front();
  }
  if (next_ == 0 && !begin_pass()) return false;
  const auto tail = log_.footer(next_);
  if (!tail) {  // all that is sealed was read
    next_ = 0;
    remember();
    return false;
  }
  in_pass_ = true;
  look_at(*tail);
  return true;
}

void Scrub::tell(const SegmentChecking::Found& found) const {
  std::string line = "scrub: " + path_of(checking_->number()) + " is damaged at offset " +
                     std::to_string(found.offset) + ": " + found.what;
  if (found.positions.to >= found.positions.from)
    line += "; positions " + to_string(found.positions.from) + " to " +
            to_string(found.positions.to) + " answer `corrupt`; restore the file from a backup";
  say_(line);
}

void Scrub::finish() {
  const auto number = checking_->number();
  const auto& found = checking_->found();
  const bool was_damaged = damaged_.contains(number);
  if (!found.empty() && !was_damaged && say_) {
    for (std::size_t i = 0; i < std::min(found.size(), kToldMax); ++i) tell(found[i]);
    if (found.size() > kToldMax)
      say_("scrub: " + path_of(number) + " is damaged at " +
           std::to_string(found.size() - kToldMax) + " places more");
  }
  // What is derived is built anew; it is no damage any more then.
  if (checking_->footer_is_damaged()) log_.doubt_footer(number);
  const bool is_damaged = found.size() > (checking_->footer_is_damaged() ? 1U : 0U);
  if (is_damaged) damaged_.insert(number);
  if (!is_damaged && damaged_.erase(number) > 0 && say_)
    say_("scrub: " + path_of(number) + " is sound again");
  damaged_count_.store(damaged_.size(), std::memory_order_relaxed);
  checking_.reset();
  if (in_pass_)
    ++next_;
  else
    first_.pop_front();
  remember();
}

bool Scrub::step(std::chrono::steady_clock::time_point now) {
  if (now < due_) return false;
  if (!checking_ && !choose()) {
    due_ = now + kLookAgain;
    return false;
  }
  auto count = checking_->step();
  if (!count) {
    due_ = now + kShortOfSomething;
    return false;
  }
  due_ = now + std::chrono::nanoseconds(*count * 1'000'000'000 / pace_.bytes_per_second);
  if (checking_->done()) finish();
  return true;
}

}  // namespace esdb::storage
