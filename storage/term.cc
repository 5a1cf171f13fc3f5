#include "storage/term.h"

#include "storage/hash.h"

namespace esdb::storage {

TermRef term(TermClass kind, std::string_view text) {
  return {kind, text, hash64(text, static_cast<std::uint64_t>(kind))};
}

}  // namespace esdb::storage
