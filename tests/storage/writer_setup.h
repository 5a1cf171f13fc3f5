// A writer over memory, driven by hand: no threads, every device write held back or failed at will.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/memory_io.h"
#include "storage/prepare.h"
#include "storage/recovery.h"
#include "storage/replay.h"
#include "storage/writer.h"
#include "tests/fixtures/faulty_io.h"

namespace esdb::storage {

using fixtures::FaultyIo;
using fixtures::Operation;

inline NewEvent event_of(std::string stream, std::string type = "Happened", std::string data = {}) {
  return {.stream = std::move(stream), .type = std::move(type), .data = std::move(data)};
}

inline EncodedAppend encoded(const AppendRequest& request) {
  return EncodedAppend::encode(request).value();
}

struct WriterSetup {
  struct Options {
    std::size_t segment_bytes = std::size_t{16} << 20;
    bool background_inline = false;
    std::size_t window = 1'000;
    std::size_t tail_bytes_max = 0;
    std::size_t unindexed_bytes_max = 0;
    bool keeps_everything = true;  // of the tail index
    Inbox::Bounds inbox{.count = 1'000, .bytes = std::size_t{64} << 20};
    MemoryIo* machine = nullptr;  // one that outlives this writer, to open its log again
    int wake_fd = -1;             // of the ring: a driver's
  };
  // What a request was answered, and how much was durable then.
  struct Answered {
    std::string name{};
    Result<Appended> result = Appended{};
    Position durable{};
  };

  WriterSetup() : WriterSetup(Options{}) {}
  explicit WriterSetup(const Options& with)
      : io(with.machine != nullptr ? *with.machine : memory),
        log(open_log(io, {.directory = "memory",
                          .segment_bytes = with.segment_bytes,
                          .memory = kMemoryMin,
                          .append_bytes_max = with.segment_bytes / 4})
                .value()),
        tail(FrameMark{}, TailOptions{.keeps_everything = with.keeps_everything}),
        window(with.window),
        inbox(with.inbox),
        ring(*io.make_ring(16, with.wake_fd)),
        writer({.io = io,
                .log = *log,
                .tail = tail,
                .window = window,
                .inbox = inbox,
                .ring = *ring,
                .tail_bytes_max = with.tail_bytes_max,
                .unindexed_bytes_max = with.unindexed_bytes_max,
                .background_inline = with.background_inline},
               tells()) {
    if (auto ok = replay_tail(*log, tail); !ok) ADD_FAILURE() << ok.error().message;
    for (const auto& id : log->recent_ids(with.window).value())
      window.add(id.position, IdWindow::entry(id.id, id.fingerprint, id.ends_commit));
  }
  ~WriterSetup() {
    io.clear();
    io.release();
    writer.shut();
  }

  Sources sources() const { return {*log, tail, nullptr}; }

  // A request as it stands in the queue: prepared, and answered into `answers` under its name.
  RequestPtr request(const std::string& name, const EncodedAppend& append,
                     std::uint64_t session = 0) {
    auto made = std::make_unique<Request>();
    made->bytes = append.bytes().size();
    made->parts = append.parts;
    made->deadline = std::chrono::steady_clock::time_point::max();
    made->session = session;
    made->done = [this, name](Result<Appended> result) {
      answers.push_back({name, std::move(result), log->durable()});
    };
    if (auto ok = prepare(*made, sources()); !ok) ADD_FAILURE() << ok.error().message;
    return made;
  }
  void put(RequestPtr made) { ASSERT_TRUE(inbox.put(made)); }
  void put(const std::string& name, const AppendRequest& append, std::uint64_t session = 0) {
    put(request(name, encoded(append), session));
  }
  void put(const std::string& name, NewEvent event) { put(name, {.events = {std::move(event)}}); }
  // Puts and advances: the answer where it comes at once.
  void append(const std::string& name, const AppendRequest& with) {
    put(name, with);
    writer.advance();
  }
  // As the preparer would.
  void prepare_again(RequestPtr made) {
    if (auto ok = prepare(*made, sources()); !ok) ADD_FAILURE() << ok.error().message;
    inbox.put_again(std::move(made));
  }

  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& answer : answers) all.push_back(answer.name);
    return all;
  }
  const Answered* find(const std::string& name) const {
    const Answered* found = nullptr;
    for (const auto& answer : answers)
      if (answer.name == name) {
        EXPECT_EQ(found, nullptr) << name << " was answered twice";
        found = &answer;
      }
    return found;
  }
  std::optional<ErrorCode> code(const std::string& name) const {
    const auto* found = find(name);
    if (found == nullptr || found->result) return {};
    return found->result.error().code;
  }
  bool appended(const std::string& name) const {
    const auto* found = find(name);
    return found != nullptr && found->result.has_value();
  }

  MemoryIo memory{};
  FaultyIo io;
  std::unique_ptr<Log> log;
  TailIndex tail;
  IdWindow window;
  Inbox inbox;
  std::unique_ptr<Ring> ring;
  std::vector<Answered> answers{};
  std::vector<RequestPtr> to_prepare{};  // what the writer sent back to be prepared again
  std::vector<std::pair<RequestPtr, CommitSpan>> from_log{};  // retries: the log has their answer
  std::size_t durable_moves = 0;
  std::vector<std::string> said{};
  std::function<void()> when_room_is_made{};  // before what it is made for is judged
  Writer writer;

 private:
  Writer::Tells tells() {
    return {.answer = [](RequestPtr made) { made->done(std::move(made->answer)); },
            .answered = [this](Writer::Settled s) { inbox.settled(s.bytes, s.count); },
            .prepare_again = [this](RequestPtr made) { to_prepare.push_back(std::move(made)); },
            .answer_from_log =
                [this](RequestPtr made, CommitSpan commit) {
                  EXPECT_TRUE(made->admitted) << "it keeps its place until it is answered";
                  inbox.settled(made->bytes);
                  auto result = repeated(commit, *log);
                  made->done(std::move(result));
                },
            .durable_moved = [this] { ++durable_moves; },
            .background_due =
                [this] {
                  if (when_room_is_made) when_room_is_made();
                },
            .log = [this](std::string_view line) { said.emplace_back(line); }};
  }
};

inline constexpr std::size_t kKiB = 1024;

inline AppendRequest one(std::string stream, std::string data = {}) {
  return {.events = {event_of(std::move(stream), "Happened", std::move(data))}};
}
inline AppendRequest large(std::string stream, std::size_t bytes) {
  return one(std::move(stream), std::string(bytes, 'x'));
}
inline AppendRequest expecting(AppendRequest append, const std::string& stream, Expect expect) {
  append.checks.push_back(Check::stream(stream, expect));
  return append;
}

// A store whose epoch has begun and which has nothing in flight.
struct Begun : WriterSetup {
  Begun() : Begun(Options{}) {}
  explicit Begun(const Options& with) : WriterSetup(with) {
    append("begin", one("begin"));
    EXPECT_TRUE(appended("begin"));
    answers.clear();
    writes = io.count(Operation::kRingWrite);
  }
  std::uint64_t frames() const { return io.count(Operation::kRingWrite) - writes; }
  std::uint64_t writes = 0;
};

}  // namespace esdb::storage
