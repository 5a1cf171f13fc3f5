// Base64 (RFC 4648, with padding): how bytes that are not JSON on one line stand in a JSON line.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace esdb::tools {

void append_base64(std::string_view bytes, std::string& out);
// Nothing where `text` is not what append_base64() makes of some bytes: one text for each value.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace esdb::tools
