#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "esdb/query.h"
#include "protocol/refusal.h"
#include "protocol/text.h"

// The text of a query:
//
//   query = item { "|" item }
//   item  = "everything" | word { " " word }
//   word  = ( "stream" | "category" | "type" | "tag" ) ":" name { "," name }
//   name  = characters but space , | " \ and control characters, or quoted
//   quoted = '"' characters, with \" \\ and \xHH '"'
namespace esdb {
namespace {

constexpr std::string_view kEverything = "everything";

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool is_plain(char c) {
  return static_cast<unsigned char>(c) > 0x20 && c != 0x7f && c != ',' && c != '|' && c != '"' &&
         c != '\\';
}

int hex_digit(char c) {
  const std::string_view digits = "0123456789abcdef";
  const auto at = digits.find(c);
  return at == digits.npos ? -1 : static_cast<int>(at);
}

void append_name(std::string& out, std::string_view name) {
  bool plain = !name.empty();
  for (const char c : name) plain = plain && is_plain(c);
  if (plain) {
    out.append(name);
    return;
  }
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out.append(1, '\\').append(1, c);
    else if (byte < 0x20 || byte == 0x7f)
      out.append("\\x").append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]);
    else
      out += c;
  }
  out += '"';
}

template <class Names, class TextOf>
void append_word(std::string& out, std::string_view key, const Names& names, TextOf text_of) {
  if (names.empty()) return;
  if (!out.empty() && !is_blank(out.back())) out += ' ';
  out.append(key);
  char before = ':';
  for (const auto& name : names) {
    out += std::exchange(before, ',');
    append_name(out, text_of(name));
  }
}

// Reads the text from left to right. The first thing that is wrong ends it.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Query> parse() {
    Query query;
    for (;;) {
      auto item = parse_item();
      if (!item) return std::unexpected(std::move(item.error()));
      query = std::move(query) | Query(*std::move(item));
      if (at_end()) return query;
      ++at_;  // the '|'
    }
  }

 private:
  bool at_end() const { return at_ == text_.size(); }
  bool at(char c) const { return !at_end() && text_[at_] == c; }
  void skip_blanks() {
    while (!at_end() && is_blank(text_[at_])) ++at_;
  }

  std::unexpected<Error> wrong(std::string_view what, std::size_t where) const {
    return protocol::invalid("query: " + std::string(what) + " at character " +
                             std::to_string(where + 1) + " of \"" + protocol::shown(text_) +
                             "\"; a query reads like \"type:Placed,Paid tag:vip | "
                             "category:order\", and \"everything\" is all events");
  }

  Result<QueryItem> parse_item() {
    QueryItem item;
    bool empty = true, all = false;
    for (skip_blanks(); !at_end() && !at('|'); skip_blanks()) {
      const std::size_t begin = at_;
      while (!at_end() && is_plain(text_[at_]) && text_[at_] != ':') ++at_;
      const auto key = text_.substr(begin, at_ - begin);
      if (all || (key == kEverything && !empty))
        return wrong("\"everything\" stands alone in its item, not beside other words", begin);
      empty = false;
      if (key == kEverything && !at(':')) {
        all = true;
      } else {
        if (!at(':')) return wrong("no stream:, category:, type: or tag:", begin);
        ++at_;
        if (auto ok = parse_names(item, key, begin); !ok)
          return std::unexpected(std::move(ok.error()));
      }
    }
    if (empty) return wrong("nothing is asked for", at_);
    return item;
  }

  Result<void> parse_names(QueryItem& item, std::string_view key, std::size_t begin) {
    std::vector<std::string>* names = key == "stream"     ? &item.streams
                                      : key == "category" ? &item.categories
                                      : key == "type"     ? &item.types
                                                          : nullptr;
    if (!names && key != "tag")
      return wrong("unknown word \"" + protocol::shown(key) + "\"", begin);
    for (;;) {
      auto name = parse_name();
      if (!name) return std::unexpected(std::move(name.error()));
      if (names)
        names->push_back(*std::move(name));
      else
        item.tags.emplace_back(*std::move(name));
      if (!at(',')) break;
      ++at_;
    }
    if (!at_end() && !is_blank(text_[at_]) && !at('|'))
      return wrong("a name with such a character needs quotes", at_);
    return {};
  }

  Result<std::string> parse_name() {
    if (at('"')) return parse_quoted();
    const std::size_t begin = at_;
    while (!at_end() && is_plain(text_[at_])) ++at_;
    if (at_ == begin) return wrong("a name is missing", at_);
    return std::string(text_.substr(begin, at_ - begin));
  }

  Result<std::string> parse_quoted() {
    const std::size_t begin = at_++;
    std::string name;
    while (!at_end() && !at('"')) {
      char c = text_[at_++];
      if (c == '\\') {
        const std::size_t escape = at_ - 1;
        c = at_end() ? '\0' : text_[at_++];
        if (c == 'x' && text_.size() - at_ >= 2) {
          const int high = hex_digit(text_[at_]), low = hex_digit(text_[at_ + 1]);
          if (high < 0 || low < 0) return wrong("\\x without two digits 0-9a-f", escape);
          c = static_cast<char>(high << 4 | low);
          at_ += 2;
        } else if (c != '"' && c != '\\') {
          return wrong("unknown escape", escape);
        }
      }
      name += c;
    }
    if (at_end()) return wrong("the quote is not closed that begins", begin);
    ++at_;
    return name;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Result<Query> Query::parse(std::string_view text) {
  auto query = Parser(text).parse();
  if (!query) return query;
  if (auto ok = protocol::check_query(*query); !ok) return std::unexpected(std::move(ok.error()));
  return query;
}

std::string to_string(const Query& query) {
  if (query.items_.empty()) return "nothing";
  const auto same = [](const std::string& name) -> std::string_view { return name; };
  std::string out;
  for (const auto& item : query.items_) {
    if (!out.empty()) out += " | ";
    const std::size_t begin = out.size();
    append_word(out, "stream", item.streams, same);
    append_word(out, "category", item.categories, same);
    append_word(out, "type", item.types, same);
    append_word(out, "tag", item.tags, [](const Tag& tag) -> std::string_view { return tag.text; });
    if (out.size() == begin) out += kEverything;
  }
  return out;
}

}  // namespace esdb
