// A small store that is written the same way every time, and its segments as text: what
// tests/golden/ keeps of every format version, and what docs/format.md explains.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "storage/log.h"
#include "tests/storage/log_driver.h"

namespace esdb::storage {

// What the golden store holds, in order.
std::vector<DrivenEvent> golden_events();

// Its segments, by file name: lines of an offset and up to 16 bytes in hex; lines of zeros are left
// out. Made anew, by the engine as it is.
std::map<std::string, std::string> make_golden_store();

// The bytes of such a text; the last line says how many there are.
std::string bytes_of_hex(std::string_view text);
std::string hex_of_bytes(std::string_view bytes);

}  // namespace esdb::storage
