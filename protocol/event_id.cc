#include <openssl/sha.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <random>

#include "esdb/event.h"

namespace esdb {
namespace {

constexpr std::size_t kRandomBytes = 2048;

// What one thread makes ids from. It lies on a page that a fork leaves zeroed in the child, so that
// the child begins afresh and never gives an id that its parent gives too.
struct Source {
  std::uint64_t last;  // the 60 bits of time of the id given last
  std::size_t left;    // random bytes not yet used
  unsigned char random[kRandomBytes];
};

class SourcePage {
 public:
  SourcePage() {
    void* page =
        ::mmap(nullptr, sizeof(Source), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return;
    if (::madvise(page, sizeof(Source), MADV_WIPEONFORK) == 0)
      source_ = static_cast<Source*>(page);
    else
      ::munmap(page, sizeof(Source));
  }
  ~SourcePage() {
    if (source_) ::munmap(source_, sizeof(Source));
  }
  SourcePage(const SourcePage&) = delete;
  SourcePage& operator=(const SourcePage&) = delete;
  Source* get() { return source_; }

 private:
  Source* source_ = nullptr;
};

void fill_random(void* out, std::size_t size) {
  auto* at = static_cast<unsigned char*>(out);
  while (size != 0) {
    const auto got = ::getrandom(at, size, 0);
    if (got > 0) {
      at += got;
      size -= static_cast<std::size_t>(got);
    } else if (errno != EINTR) {  // a kernel without getrandom: the library's own device
      std::random_device device;
      for (; size != 0; --size) *at++ = static_cast<unsigned char>(device());
    }
  }
}

// Milliseconds and, in 12 bits below them, the part of the next one (RFC 9562, 6.2, method 3).
std::uint64_t time_bits() {
  const auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  const auto ns = static_cast<std::uint64_t>(now);
  return (ns / 1'000'000) << 12 | (ns % 1'000'000) * 4096 / 1'000'000;
}

void store_big_endian(std::byte* at, std::uint64_t value) {
  for (int i = 7; i >= 0; --i, value >>= 8) at[i] = static_cast<std::byte>(value);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr bool dash_before(std::size_t byte) {
  return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

}  // namespace

EventId EventId::make() {
  thread_local SourcePage page;
  Source* source = page.get();
  std::uint64_t time = time_bits(), random = 0;
  if (source) {
    // One thread's ids grow, also when the clock does not.
    if (time <= source->last) time = source->last + 1;
    source->last = time;
    if (source->left < sizeof random) {
      fill_random(source->random, sizeof source->random);
      source->left = sizeof source->random;
    }
    source->left -= sizeof random;
    std::memcpy(&random, source->random + source->left, sizeof random);
  } else {
    fill_random(&random, sizeof random);
  }
  EventId id;
  store_big_endian(id.bytes.data(), (time >> 12) << 16 | 0x7000 | (time & 0xfff));
  store_big_endian(id.bytes.data() + 8, (random >> 2) | std::uint64_t{1} << 63);
  return id;
}

EventId EventId::derive(const EventId& from, std::uint64_t ordinal) {
  std::string input(reinterpret_cast<const char*>(from.bytes.data()), from.bytes.size());
  input += std::to_string(ordinal);
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(input.data()), input.size(), digest);
  EventId id;
  std::memcpy(id.bytes.data(), digest, id.bytes.size());
  id.bytes[6] = (id.bytes[6] & std::byte{0x0f}) | std::byte{0x50};
  id.bytes[8] = (id.bytes[8] & std::byte{0x3f}) | std::byte{0x80};
  return id;
}

std::optional<EventId> EventId::parse(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  EventId id;
  std::size_t at = 0;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    if (dash_before(i) && text[at++] != '-') return std::nullopt;
    const int high = hex_digit(text[at]), low = hex_digit(text[at + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    id.bytes[i] = static_cast<std::byte>(high << 4 | low);
    at += 2;
  }
  return id;
}

std::string to_string(const EventId& id) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    if (dash_before(i)) text += '-';
    const auto byte = std::to_integer<unsigned>(id.bytes[i]);
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

}  // namespace esdb
