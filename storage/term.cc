#include "storage/term.h"

#include <xxhash.h>

namespace esdb::storage {

TermRef term(TermClass kind, std::string_view text) {
  return {kind, text,
          XXH3_64bits_withSeed(text.data(), text.size(), static_cast<std::uint64_t>(kind))};
}

}  // namespace esdb::storage
