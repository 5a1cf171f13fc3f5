#include "tests/end_to_end/recount.h"

#include <cstdint>
#include <map>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace esdb::end_to_end {
namespace {

using Counts = std::map<std::string, std::uint64_t>;

// What one pass over all events counts, and the first thing wrong in it.
class Recount {
 public:
  void add(RecordedEvent event) {
    const auto at = "position " + to_string(event.position()) + ": ";
    ++events_;
    if (event.position() != Position{events_}) fail(at + "a gap lies before it");
    const std::string stream(event.stream());
    if (event.version() != Version{++streams[stream]})
      fail(at + "version " + to_string(event.version()) + " of " + stream + ", not " +
           std::to_string(streams[stream]));
    ++types[std::string(event.type())];
    ++categories[std::string(category_of(event.stream()))];
    for (const auto tag : event.tags()) ++tags[std::string(tag)];
    positions[std::string(event.type())].push_back(event.position().value);
    add_part(event, at);
    seen_.emplace(to_string(event.id()), LedgerEntry{.stream = stream,
                                                     .type = std::string(event.type()),
                                                     .version = event.version().value,
                                                     .position = event.position().value,
                                                     .data_fingerprint = fingerprint(event.data()),
                                                     .part = part_of(event.data())});
  }

  void end() {
    if (next_.index != 0) fail("the last append is not whole");
  }

  void compare(const Ledger& ledger) {
    for (const auto& [id, told] : ledger.entries()) {
      const auto found = seen_.find(id);
      const auto where = "acknowledged at position " + std::to_string(told.position) + ": " + id;
      if (found == seen_.end()) {
        fail(where + " is not there");
      } else if (const auto& event = found->second;
                 event.stream != told.stream || event.type != told.type ||
                 event.version != told.version || event.position != told.position ||
                 event.data_fingerprint != told.data_fingerprint || event.part != told.part) {
        fail(where + " is another event now, at " + std::to_string(event.position));
      }
    }
  }

  void fail(std::string what) {
    if (wrong.empty()) wrong = std::move(what);
  }

  std::uint64_t events() const { return events_; }
  Counts streams{}, types{}, categories{}, tags{};
  std::map<std::string, std::vector<std::uint64_t>> positions{};  // by type
  std::string wrong{};

 private:
  // An append's events lie together, in order, all of them, and once.
  void add_part(RecordedEvent event, const std::string& at) {
    const auto part = part_of(event.data());
    if (next_.index == 0) {
      next_ = {.append = part.append, .index = 0, .of = part.of};
      append_ = event.position();
      if (!appends_.insert(part.append).second) fail(at + "its append is there a second time");
    }
    if (part != next_) fail(at + "it is not what follows in append " + next_.append);
    if (event.id() != id_of(part)) fail(at + "its id is not that of its data");
    if (event.append() != append_) fail(at + "it says to belong to another append");
    const bool last = ++next_.index == next_.of;
    if (event.ends_append() != last) fail(at + "its append ends elsewhere");
    if (last) next_ = {};
  }

  std::uint64_t events_ = 0;
  std::unordered_map<std::string, LedgerEntry> seen_{};
  std::set<std::string> appends_{};
  Part next_{};
  Position append_{};
};

Counts streams_of(EventStore& store, Recount& recount) {
  Counts counts;
  std::string after;
  do {
    const auto page = store.streams({}, after, 100);
    if (!page) return recount.fail("streams: " + page.error().message), Counts{};
    for (const auto& info : page->streams) counts[info.name] = info.version.value;
    after = page->next;
  } while (!after.empty());
  return counts;
}

Counts terms_of(EventStore& store, TermKind kind, Recount& recount) {
  Counts counts;
  std::string after;
  do {
    const auto page = store.terms(kind, {}, after, 100);
    if (!page) return recount.fail("terms: " + page.error().message), Counts{};
    for (const auto& term : page->terms) counts[term.text] = term.events;
    after = page->next;
  } while (!after.empty());
  return counts;
}

void compare_types(EventStore& store, Recount& recount) {
  for (const auto& [type, expected] : recount.positions) {
    std::vector<std::uint64_t> found;
    const auto read = store.for_each(types({type}), {}, [&found](RecordedEvent event) {
      found.push_back(event.position().value);
    });
    if (!read) recount.fail("a read of " + type + ": " + read.error().message);
    if (found != expected) recount.fail("a read of " + type + " gives other events");
    const auto count = store.count(types({type}));
    if (!count || *count != expected.size()) recount.fail("the count of " + type + " is wrong");
  }
}

void compare_some_streams(EventStore& store, Recount& recount) {
  std::size_t every = 0;
  for (const auto& [name, version] : recount.streams) {
    if (++every % 7 != 0) continue;
    std::uint64_t read_version = 0;
    const auto read = store.for_each(stream(name), {}, [&](RecordedEvent event) {
      if (event.stream() != name || event.version() != Version{++read_version})
        recount.fail("a read of " + name + " gives another event");
    });
    if (!read || read_version != version || read->version() != Version{version})
      recount.fail("a read of " + name + " ends elsewhere");
  }
}

}  // namespace

std::string disagreement(EventStore& store, const Ledger& ledger) {
  Recount recount;
  const auto read =
      store.for_each(everything(), {}, [&recount](RecordedEvent event) { recount.add(event); });
  if (!read) return "reading everything: " + read.error().message;
  recount.end();
  recount.compare(ledger);
  if (streams_of(store, recount) != recount.streams) recount.fail("the streams are other ones");
  if (terms_of(store, TermKind::kType, recount) != recount.types)
    recount.fail("the types are other ones");
  if (terms_of(store, TermKind::kCategory, recount) != recount.categories)
    recount.fail("the categories are other ones");
  if (terms_of(store, TermKind::kTag, recount) != recount.tags)
    recount.fail("the tags are other ones");
  compare_types(store, recount);
  compare_some_streams(store, recount);
  const auto statistics = store.statistics();
  if (!statistics || statistics->events != recount.events() ||
      statistics->streams != recount.streams.size())
    recount.fail("the statistics count otherwise");
  return recount.wrong;
}

}  // namespace esdb::end_to_end
