#include "bench/append_cases.h"

#include <string>
#include <utility>

#include "bench/append_limit.h"
#include "bench/append_load.h"
#include "bench/neighbour.h"

namespace esdb::bench {
namespace {

constexpr const char* kGroupLimit =
    "the same bytes in bare durable writes one after another, all in flight in one of at most 1 "
    "MiB";

std::string_view to_string(Condition condition) {
  switch (condition) {
    case Condition::kNone:
      return "none";
    case Condition::kVersion:
      return "version";
    case Condition::kUnchanged:
      return "unchanged";
    case Condition::kHead:
      return "head";
  }
  return {};
}

struct Plan {
  AppendLoad load;
  std::size_t connections = 1;
  Clock::duration time = kSecond;
  bool has_neighbour = false;
};

Measurement throughput(const Where& where, const Plan& plan) {
  auto bench = std::make_shared<Bench>(where, plan.connections);
  auto warm_up = plan.load;
  warm_up.amount = for_time(scaled(plan.time / 4));
  run(bench->site.stores(), warm_up).value();
  return [bench = std::move(bench), plan](Watch& watch) {
    const auto neighbour = neighbour_of(plan.has_neighbour);
    const auto callers = plan.load.in_flight * plan.connections;
    auto load = plan.load;
    load.amount = for_time(scaled(plan.time));
    watch.begin(bench->site.pids());
    const auto limit = append_limit(bench->raw, load.shape, callers, scaled(plan.time / 4));
    const auto appends = run(bench->site.stores(), load).value();
    Run told{.figure = appends.events_per_second(),
             .limit = limit.events_per_second,
             .latencies = appends.latencies,
             .is_one_at_a_time = callers == 1 && !neighbour};
    told.more["appends_per_s"] = appends.appends_per_second();
    if (load.condition == Condition::kUnchanged)
      told.more["conflicts_per_s"] = static_cast<double>(appends.conflicts) / appends.taken;
    if (appends.refused > 0)
      told.more["refused_per_s"] = static_cast<double>(appends.refused) / appends.taken;
    watch.end();
    return told;
  };
}

void add_throughput(Suite& suite, const Where& where, std::string name, const Plan& plan,
                    Goal goal = {}, std::string unit = "events/s") {
  suite.add({.name = to_string(where) + "/" + std::move(name),
             .unit = std::move(unit),
             .limit = kGroupLimit,
             .goal = goal,
             .prepare = [where, plan] { return throughput(where, plan); }});
}

std::string described(const Plan& plan) {
  const auto& load = plan.load;
  return "events:" + std::to_string(load.shape.events) +
         "/in_flight:" + std::to_string(load.in_flight) +
         "/data:" + std::to_string(load.shape.data_bytes) +
         "/check:" + std::string(to_string(load.condition));
}

Measurement one_at_a_time(const Where& where, bool has_neighbour) {
  auto bench = std::make_shared<Bench>(where);
  const AppendLoad load{.condition = Condition::kVersion, .amount = for_time(scaled(2 * kSecond))};
  auto warm_up = load;
  warm_up.amount = for_time(scaled(kSecond / 2));
  run(bench->site.stores(), warm_up).value();
  return [bench = std::move(bench), where, load, has_neighbour](Watch& watch) {
    const Pinned pinned(where.placement);
    const auto neighbour = neighbour_of(has_neighbour);
    watch.begin(bench->site.pids());
    // Before and behind, so that both had the same company.
    auto raw = durable_writes(bench->raw, kUnitBytes, scaled(kSecond / 2));
    auto appends = run(bench->site.stores(), load).value();
    raw.merge(durable_writes(bench->raw, kUnitBytes, scaled(kSecond / 2)));
    Run told{.figure = appends.latencies.median(),
             .limit = raw.median(),
             .latencies = appends.latencies,
             .is_one_at_a_time = !neighbour};
    told.more["raw_us"] = raw.median();
    if (!where.is_embedded()) {
      const auto echo = echoes(*where.transport, where.placement, scaled(kSecond / 2)).median();
      told.more["echo_us"] = echo;
      told.limit += echo;
    }
    watch.end();
    return told;
  };
}

}  // namespace

void add_one_at_a_time(Suite& suite, const Where& where) {
  for (const bool has_neighbour : {false, true}) {
    // It would be on that one CPU, too.
    if (has_neighbour && where.placement == Placement::kOneCpu) continue;
    auto name = to_string(where) + "/one_at_a_time/neighbour:" + (has_neighbour ? "1" : "0");
    if (!where.is_embedded()) name += "/cpus:" + std::string(bench::to_string(where.placement));
    suite.add({.name = std::move(name),
               .unit = "us",
               .limit = where.is_embedded() ? "a bare durable write of one unit"
                                            : "a bare durable write of one unit, and a bare echo",
               .better = Better::kLower,
               .goal = where.is_embedded()                   ? ratio_of(1.2)
                       : where.transport == Transport::kUnix ? ratio_of(1.3)
                                                             : Goal{},
               .prepare = [where, has_neighbour] { return one_at_a_time(where, has_neighbour); }});
  }
}

void add_append_matrix(Suite& suite, const Where& where) {
  for (const std::size_t data : {256, 4096})
    for (const auto condition : {Condition::kNone, Condition::kVersion}) {
      // What a check costs does not depend on the payload.
      if (data != 256 && (condition != Condition::kNone || is_smoke_run())) continue;
      for (const std::size_t events : {1, 10, 100, 512})
        for (const std::size_t in_flight : {1, 4, 16, 64, 256}) {
          const bool is_corner = (events == 1 || events == 512) && in_flight % 255 == 1;
          if (is_smoke_run() && !is_corner) continue;
          const Plan plan{
              .load = {.shape = {.events = events, .data_bytes = data, .streams = 1'000},
                       .condition = condition,
                       .in_flight = in_flight}};
          add_throughput(suite, where, "append/" + described(plan), plan);
        }
    }
}

void add_in_flight(Suite& suite, const Where& where) {
  struct Row {
    std::size_t in_flight;
    double embedded, served;
  };
  for (const auto& row : {Row{256, 500'000, 80'000}, Row{1024, 700'000, 0}})
    for (const bool has_neighbour : {false, true}) {
      const Plan plan{.load = {.condition = Condition::kVersion, .in_flight = row.in_flight},
                      .time = 3 * kSecond,
                      .has_neighbour = has_neighbour};
      const double goal = where.is_embedded()                   ? row.embedded
                          : where.transport == Transport::kUnix ? row.served
                                                                : 0;
      add_throughput(suite, where,
                     "in_flight:" + std::to_string(row.in_flight) +
                         "/neighbour:" + (has_neighbour ? "1" : "0"),
                     plan, goal > 0 && !has_neighbour ? figure_of(goal) : Goal{});
    }
}

void add_connections(Suite& suite, const Where& where) {
  struct Row {
    std::size_t connections, events, in_flight;
    Condition condition;
    double goal;
  };
  for (const auto& row : {Row{1, 1, 1, Condition::kUnchanged, 0},
                          {4, 1, 1, Condition::kUnchanged, 0},
                          {16, 1, 1, Condition::kUnchanged, 0},
                          {64, 1, 1, Condition::kUnchanged, 35'000},
                          {64, 1, 1, Condition::kNone, 0},
                          {64, 1, 16, Condition::kVersion, 0},
                          {64, 512, 1, Condition::kVersion, 1'000'000}}) {
    const Plan plan{.load = {.shape = {.events = row.events},
                             .condition = row.condition,
                             .in_flight = row.in_flight},
                    .connections = row.connections,
                    .time = 3 * kSecond};
    add_throughput(
        suite, where, "connections:" + std::to_string(row.connections) + "/" + described(plan),
        plan, row.goal > 0 && where.transport == Transport::kUnix ? figure_of(row.goal) : Goal{});
  }
}

void add_bulk(Suite& suite, const Where& where) {
  for (const std::uint64_t streams : {1, 100'000}) {
    const Plan plan{.load = {.shape = {.events = 512, .streams = streams}, .in_flight = 16},
                    .time = 4 * kSecond};
    add_throughput(suite, where, "bulk/streams:" + std::to_string(streams), plan);
  }
}

}  // namespace esdb::bench
