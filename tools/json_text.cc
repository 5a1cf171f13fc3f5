#include "tools/json_text.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <utility>

namespace esdb::tools {
namespace {

namespace ondemand = simdjson::ondemand;
using simdjson::error_code;

static_assert(kJsonPadding >= simdjson::SIMDJSON_PADDING);

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto first = text.find_first_not_of(kSpace);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// number = [ "-" ] int [ frac ] [ exp ], of any length: simdjson's own conversions refuse numbers
// that do not fit a machine word.
bool is_number(std::string_view text) {
  std::size_t at = 0;
  const auto digits = [&] {
    const auto begin = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    return at - begin;
  };
  const auto take = [&](std::string_view any) {
    const bool found = at < text.size() && any.find(text[at]) != any.npos;
    if (found) ++at;
    return found;
  };
  take("-");
  const auto integer_begin = at;
  const auto integer_digits = digits();
  if (integer_digits == 0 || (integer_digits > 1 && text[integer_begin] == '0')) return false;
  if (take(".") && digits() == 0) return false;
  if (take("eE")) {
    take("+-");
    if (digits() == 0) return false;
  }
  return at == text.size();
}

// Walks every value of a document, because ondemand checks only what is looked at.
class Walk {
 public:
  struct Watched {
    std::string_view parent, raw;
  };

  Walk(std::string_view text, std::string_view watched, std::vector<JsonMember>* members,
       std::vector<Watched>* found)
      : text_(text), watched_(watched), members_(members), found_(found) {}

  error_code document(ondemand::document& doc) {
    doc_ = &doc;
    ondemand::json_type type;
    if (auto error = doc.type().get(type)) return error;
    if (type == ondemand::json_type::object) {
      ondemand::object object;
      if (auto error = doc.get_object().get(object)) return error;
      if (auto error = walk(object, 1, {})) return error;
    } else if (type == ondemand::json_type::array) {
      ondemand::array array;
      if (auto error = doc.get_array().get(array)) return error;
      if (auto error = walk(array, 1)) return error;
    } else {
      return error_code::INCORRECT_TYPE;
    }
    return doc.current_location().error() == error_code::OUT_OF_BOUNDS
               ? error_code::SUCCESS
               : error_code::TRAILING_CONTENT;
  }

  std::size_t elements() const { return elements_; }  // of a document that is an array

 private:
  error_code walk(ondemand::object& object, std::size_t depth, std::string_view parent) {
    for (auto next : object) {
      ondemand::field field;
      if (auto error = std::move(next).get(field)) return error;
      std::string_view key;
      if (auto error = field.unescaped_key().get(key)) return error;
      std::string_view raw;
      if (auto error = walk(field.value(), depth, depth == 1 ? key : std::string_view{}, raw))
        return error;
      if (depth == 1) members_->push_back({key, raw});
      if (depth == 2 && !watched_.empty() && !parent.empty() && key == watched_)
        found_->push_back({parent, raw});
    }
    return error_code::SUCCESS;
  }

  error_code walk(ondemand::array& array, std::size_t depth) {
    for (auto next : array) {
      ondemand::value value;
      if (auto error = std::move(next).get(value)) return error;
      if (depth == 1) ++elements_;
      std::string_view raw;
      if (auto error = walk(value, depth, {}, raw)) return error;
    }
    return error_code::SUCCESS;
  }

  error_code walk(ondemand::value& value, std::size_t depth, std::string_view parent,
                  std::string_view& raw) {
    if (depth >= kJsonDepthMax) return error_code::DEPTH_ERROR;
    ondemand::json_type type;
    if (auto error = value.type().get(type)) return error;
    const std::string_view token = trimmed(value.raw_json_token());
    if (type == ondemand::json_type::object) {
      ondemand::object object;
      if (auto error = value.get_object().get(object)) return error;
      if (auto error = walk(object, depth + 1, parent)) return error;
      return slice(token.data(), raw);
    }
    if (type == ondemand::json_type::array) {
      ondemand::array array;
      if (auto error = value.get_array().get(array)) return error;
      if (auto error = walk(array, depth + 1)) return error;
      return slice(token.data(), raw);
    }
    raw = token;
    return scalar(value, type, token);
  }

  static error_code scalar(ondemand::value& value, ondemand::json_type type,
                           std::string_view token) {
    switch (type) {
      case ondemand::json_type::string:
        if (token.size() < 2 || token.back() != '"') return error_code::STRING_ERROR;
        // Without an escape the first pass has checked all there is to check.
        if (token.find('\\') == token.npos) {
          if (token.find('"', 1) != token.size() - 1) return error_code::TAPE_ERROR;
          // Taken, because a string that is only passed over may be a key, and bring its value.
          return value.get_raw_json_string().error();
        }
        return value.get_string().error();
      case ondemand::json_type::number:
        return is_number(token) ? error_code::SUCCESS : error_code::NUMBER_ERROR;
      case ondemand::json_type::boolean:
        return token == "true" || token == "false" ? error_code::SUCCESS : error_code::T_ATOM_ERROR;
      case ondemand::json_type::null:
        return token == "null" ? error_code::SUCCESS : error_code::N_ATOM_ERROR;
      default:
        return error_code::TAPE_ERROR;
    }
  }

  // From `begin` to the token that follows the value just walked, or to the document's end.
  error_code slice(const char* begin, std::string_view& raw) {
    const char* end = text_.data() + text_.size();
    auto here = doc_->current_location();
    if (here.error() != error_code::OUT_OF_BOUNDS) {
      if (auto error = std::move(here).get(end)) return error;
    }
    raw = trimmed({begin, static_cast<std::size_t>(end - begin)});
    return error_code::SUCCESS;
  }

  std::string_view text_, watched_;
  std::vector<JsonMember>* members_;
  std::vector<Watched>* found_;
  ondemand::document* doc_ = nullptr;
  std::size_t elements_ = 0;
};

// Whether the object or array that the text begins with ends before the text does. Of a text that
// is malformed: brackets are counted, not matched.
bool closes_early(std::string_view text) {
  text = trimmed(text);
  std::size_t depth = 0;
  bool quoted = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char byte = text[at];
    if (quoted) {
      at += byte == '\\' ? 1 : 0;
      quoted = byte != '"';
    } else if (byte == '{' || byte == '[') {
      ++depth;
    } else if (byte == '}' || byte == ']') {
      if (depth <= 1) return depth == 1 && at + 1 < text.size();
      --depth;
    } else if (depth == 0) {
      return false;
    } else {
      quoted = byte == '"';
    }
  }
  return false;
}

// Bytes that are not UTF-8 are told before what else they break: a text in another encoding is
// wrong in many ways, and mended in one.
Error not_json(error_code error, std::string_view text) {
  if (!simdjson::validate_utf8(text.data(), text.size()))
    return {
        .code = ErrorCode::kInvalidArgument,
        .message = "not UTF-8, in which JSON is written (UTF-16 or Latin-1 has to be converted)"};
  if (closes_early(text))
    return {.code = ErrorCode::kInvalidArgument,
            .message = fmt::format("not JSON: something follows the {}",
                                   trimmed(text).front() == '{' ? "object" : "array")};
  std::string_view reason;
  switch (error) {
    case error_code::EMPTY:
      reason = "it is empty";
      break;
    case error_code::UNCLOSED_STRING:
      reason = "a string does not end";
      break;
    case error_code::UNESCAPED_CHARS:
      reason = "a string holds an unescaped control character";
      break;
    case error_code::STRING_ERROR:
      reason = "a string holds a bad escape";
      break;
    case error_code::NUMBER_ERROR:
      reason = "a number is malformed";
      break;
    case error_code::INCORRECT_TYPE:
      reason = "it is not an object";
      break;
    case error_code::TRAILING_CONTENT:
      reason = "something follows the value";
      break;
    case error_code::T_ATOM_ERROR:
    case error_code::F_ATOM_ERROR:
    case error_code::N_ATOM_ERROR:
      reason = "it holds a word that is none of true, false, null";
      break;
    case error_code::INCOMPLETE_ARRAY_OR_OBJECT:
      reason = "an object or array does not end";
      break;
    case error_code::DEPTH_ERROR:
      return {.code = ErrorCode::kInvalidArgument,
              .message = fmt::format("not acceptable as JSON: nested deeper than {} levels",
                                     kJsonDepthMax)};
    default:
      reason = "its structure is broken (a comma, colon, quote or bracket)";
      break;
  }
  return {.code = ErrorCode::kInvalidArgument, .message = fmt::format("not JSON: {}", reason)};
}

}  // namespace

struct JsonReader::State {
  ondemand::parser parser{};
  ondemand::parser string_parser{};
  std::vector<JsonMember> members{};
  std::vector<Walk::Watched> found{};
  std::string padded{};

  std::size_t elements = 0;

  error_code walk(std::string_view text, std::string_view watched) {
    members.clear();
    found.clear();
    ondemand::document doc;
    if (auto error = parser.iterate(text.data(), text.size(), text.size() + kJsonPadding).get(doc))
      return error;
    Walk walked(text, watched, &members, &found);
    const auto error = walked.document(doc);
    elements = walked.elements();
    return error;
  }
};

JsonReader::JsonReader() : state_(std::make_unique<State>()) {}
JsonReader::~JsonReader() = default;
JsonReader::JsonReader(JsonReader&&) noexcept = default;

Result<std::span<const JsonMember>> JsonReader::members(std::string_view text,
                                                        std::string_view watched) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin != text.npos && text[begin] != '{')
    return std::unexpected(not_json(error_code::INCORRECT_TYPE, text));
  if (auto error = state_->walk(text, watched)) return std::unexpected(not_json(error, text));
  return std::span<const JsonMember>(state_->members);
}

std::string_view JsonReader::watched_in(std::string_view parent) const {
  for (const auto& found : state_->found) {
    if (found.parent == parent) return found.raw;
  }
  return {};
}

Result<std::string> JsonReader::unquote(std::string_view raw) {
  if (raw.size() < 2 || raw.front() != '"' || raw.back() != '"')
    return std::unexpected(
        Error{.code = ErrorCode::kInvalidArgument, .message = "not a JSON string"});
  const auto inner = raw.substr(1, raw.size() - 2);
  if (inner.find('\\') == inner.npos) return std::string(inner);
  auto& padded = state_->padded;
  padded.assign(raw).append(kJsonPadding, '\0');
  ondemand::document doc;
  std::string_view text;
  auto error = state_->string_parser.iterate(padded.data(), raw.size(), padded.size()).get(doc);
  if (!error) error = doc.get_string().get(text);
  if (error) return std::unexpected(not_json(error, raw));
  return std::string(text);
}

Result<std::vector<std::string>> JsonReader::strings(std::string_view raw) {
  const auto bad = [] {
    return std::unexpected(
        Error{.code = ErrorCode::kInvalidArgument, .message = "not a list of strings"});
  };
  ondemand::document doc;
  ondemand::array array;
  auto& parser = state_->string_parser;
  if (parser.iterate(raw.data(), raw.size(), raw.size() + kJsonPadding).get(doc) ||
      doc.get_array().get(array))
    return bad();
  std::vector<std::string> strings;
  for (auto element : array) {
    std::string_view text;
    if (element.get_string().get(text)) return bad();
    strings.emplace_back(text);
  }
  return strings;
}

Result<void> JsonReader::check(std::string_view text) {
  // As the one element of an array, a scalar is checked by the same walk as everything else.
  auto& padded = state_->padded;
  padded.assign("[").append(text).append("]");
  const auto size = padded.size();
  padded.append(kJsonPadding, '\0');
  const auto inner = trimmed(text);
  if (inner.empty()) return std::unexpected(not_json(error_code::EMPTY, text));
  if (auto error = state_->walk(std::string_view(padded).substr(0, size), {}))
    return std::unexpected(not_json(error, text));
  if (state_->elements != 1) return std::unexpected(not_json(error_code::TRAILING_CONTENT, text));
  return {};
}

bool JsonReader::is_one_line(std::string_view text) {
  if (text.empty() || text.find_first_of("\n\r") != text.npos) return false;
  if (trimmed(text).size() != text.size()) return false;
  return check(text).has_value();
}

void append_json_string(std::string_view text, std::string& out) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += '"';
  std::size_t kept = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    out.append(text, kept, at - kept);
    kept = at + 1;
    if (byte == '"' || byte == '\\') {
      out += '\\', out += static_cast<char>(byte);
    } else {
      out += "\\u00", out += kHex[byte >> 4], out += kHex[byte & 15];
    }
  }
  out.append(text, kept);
  out += '"';
}

}  // namespace esdb::tools
