#include "tools/progress.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/table.h"
#include "tools/times.h"

namespace esdb::tools {

void Progress::show(const Done& done) {
  if (!terminal_.err) return;
  const auto now = std::chrono::steady_clock::now();
  if (!first_) first_ = done;
  if (now - shown_ < std::chrono::milliseconds(100)) return;
  shown_ = now;
  err_ << "\r\x1b[K" << cut_to(text(done), terminal_.columns - 1) << std::flush;
  visible_ = true;
}

std::string Progress::text(const Done& done) const {
  const auto seconds = std::max(1e-3, std::chrono::duration<double>(elapsed()).count());
  const auto rate = static_cast<double>(done.events - first_->events) / seconds;
  std::string text;
  if (done.share) {
    constexpr std::size_t kWidth = 24;
    const auto share = std::clamp(*done.share, 0.0, 1.0);
    const auto filled = static_cast<std::size_t>(share * kWidth);
    text = fmt::format("[{}{}] {:3.0f} %  ", std::string(filled, '#'),
                       std::string(kWidth - filled, '.'), share * 100);
  }
  if (done.events != 0)
    text += fmt::format("{} events  {}/s", grouped(done.events),
                        grouped(static_cast<std::uint64_t>(rate)));
  const auto advanced = done.share.value_or(0) - first_->share.value_or(0);
  if (done.share && advanced > 0.001) {
    const auto left = seconds * (1 - *done.share) / advanced;
    text += fmt::format(
        "  {} left",
        format_duration(std::chrono::nanoseconds(static_cast<std::int64_t>(left * 1e9))));
  }
  if (!done.what.empty()) text += fmt::format("  {}", done.what);
  return text;
}

void Progress::clear() {
  if (visible_) err_ << "\r\x1b[K" << std::flush;
  visible_ = false;
}

}  // namespace esdb::tools
