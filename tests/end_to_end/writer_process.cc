#include "tests/end_to_end/writer_process.h"

#include <poll.h>
#include <unistd.h>

#include <array>

namespace esdb::end_to_end {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

WriterProcess::WriterProcess(const std::string& url, const Work& work)
    : process_({.words = {ESDB_LEDGER_WRITER, url, std::to_string(work.seed),
                          std::to_string(work.threads), std::to_string(work.appends)},
                .piped = true}) {}

bool WriterProcess::listen(Ledger& ledger, milliseconds duration) {
  const auto until = steady_clock::now() + duration;
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now());
    if (left <= milliseconds{0}) return true;
    pollfd waited{.fd = process_.output_fd(), .events = POLLIN, .revents = 0};
    if (::poll(&waited, 1, static_cast<int>(left.count())) > 0 && !take(ledger)) return false;
  }
}

bool WriterProcess::listen_until_open(Ledger& ledger) {
  const auto before = ledger.writers();
  while (ledger.writers() == before)
    if (!take(ledger)) return false;
  return true;
}

bool WriterProcess::listen_until(Ledger& ledger, std::size_t events) {
  while (ledger.size() < events)
    if (!take(ledger)) return false;
  return true;
}

void WriterProcess::listen_to_the_end(Ledger& ledger) {
  while (take(ledger)) continue;
  ledger.end_of_writer();
}

bool WriterProcess::take(Ledger& ledger) {
  std::array<char, 65536> bytes{};
  const auto size = ::read(process_.output_fd(), bytes.data(), bytes.size());
  if (size <= 0) return false;
  ledger.add({bytes.data(), static_cast<std::size_t>(size)});
  return true;
}

}  // namespace esdb::end_to_end
