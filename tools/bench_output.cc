#include "tools/bench_output.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "tools/table.h"
#include "tools/times.h"

namespace esdb::tools {
namespace {

using Kind = BenchPlace::Kind;

constexpr double kMuchOfACpu = 0.05;

std::string three_digits(double number) {
  const int decimals = number < 10 ? 2 : number < 100 ? 1 : 0;
  return fmt::format("{:.{}f}", number, decimals);
}

struct Scale {
  double from, divisor;
  std::string_view unit;
};

std::string scaled(double number, std::span<const Scale> scales) {
  for (const auto& scale : scales)
    if (number >= scale.from) return three_digits(number / scale.divisor).append(scale.unit);
  return three_digits(number);
}

bool is_time(const BenchRow& row) { return row.unit == "us"; }

std::string amount_of(const BenchRow& row, double amount) {
  return is_time(row) ? human_time(amount) : human_number(amount);
}

std::string figure_of(const BenchRow& row) {
  const auto amount = amount_of(row, row.figure);
  return is_time(row) ? amount : amount + " " + row.unit;
}

std::string place_of(const BenchConditions& conditions) {
  const auto url = printable(conditions.place.url);
  switch (conditions.place.kind) {
    case Kind::kScratch:
      return fmt::format("in this process, a scratch store at {}, removed now", url);
    case Kind::kDirectory:
      return fmt::format("in this process, the store in {}", url);
    case Kind::kMemory:
      return fmt::format("in this process, the store {}", url);
    case Kind::kServer:
      return fmt::format("the server at {}", url);
  }
  return url;
}

std::string others_of(const BenchFigures& figures) {
  if (!figures.others) return "not known: the server may run here as well";
  const bool busy = *figures.others > kMuchOfACpu || figures.stolen > kMuchOfACpu;
  return fmt::format("other processes took {:.2f} of a CPU, the host {:.2f}{}", *figures.others,
                     figures.stolen,
                     busy ? ": the machine was busy, and would do better without them" : "");
}

void print_conditions(const BenchFigures& figures, const BenchConditions& conditions,
                      const Invocation& invocation) {
  const auto kind = conditions.place.kind;
  Table table({{""}, {""}});
  table.add({"data", fmt::format("{} bytes an event", conditions.data_bytes)});
  table.add({"where", place_of(conditions)});
  table.add({"durable", kind == Kind::kMemory
                            ? "no: in memory only"
                            : fmt::format("every append, before its answer (io: {})",
                                          printable(conditions.io))});
  table.add({"machine", others_of(figures)});
  table.add(
      {"written", fmt::format("{} events in streams {}N{}", grouped(figures.events_written),
                              conditions.streams, kind == Kind::kScratch ? "" : ": they stay")});
  table.add({"took", format_duration(
                         std::chrono::duration_cast<std::chrono::nanoseconds>(conditions.taken))});
  table.print(invocation.out(), {});
}

constexpr const char* kHowToRead =
    "p50, p99, p99.9: half, 99 and 99.9 of 100 calls took no longer. limit: what this machine "
    "does\n"
    "in the same run without a store (of append to delivery: the same appends' own answers). "
    "ratio:\nfigure to limit; 1 is as good as can be, below it for rates, above it for times.\n";

void print_for_people(const BenchFigures& figures, const BenchConditions& conditions,
                      const Invocation& invocation) {
  constexpr auto kRight = Table::Align::kRight;
  Table table({{"what"},
               {"figure", kRight},
               {"p50", kRight},
               {"p99", kRight},
               {"p99.9", kRight},
               {"limit", kRight},
               {"ratio", kRight}});
  for (const auto& row : figures.rows) {
    const auto time = [&row](double BenchRow::Times::*share) {
      return row.times ? human_time(*row.times.*share) : "-";
    };
    table.add({row.what, figure_of(row), time(&BenchRow::Times::p50), time(&BenchRow::Times::p99),
               time(&BenchRow::Times::p999), row.limit ? amount_of(row, *row.limit) : "-",
               row.limit ? fmt::format("{:.2f}", row.ratio()) : "-"});
  }
  table.print(invocation.out(), invocation.around.terminal);
  invocation.out() << '\n';
  print_conditions(figures, conditions, invocation);
  invocation.out() << '\n' << inked(Ink::kDim, kHowToRead, invocation.around.terminal);
}

void print_for_programs(const BenchFigures& figures, const BenchConditions& conditions,
                        const Invocation& invocation) {
  using Json = nlohmann::ordered_json;
  static constexpr std::array kKinds = {"scratch", "directory", "memory", "server"};
  const auto kind = conditions.place.kind;
  Json told{{"store", conditions.place.url},
            {"kind", kKinds[static_cast<std::size_t>(kind)]},
            {"durable", kind != Kind::kMemory},
            {"io", conditions.io},
            {"data_bytes", conditions.data_bytes},
            {"seconds", conditions.taken.count()},
            {"stream_prefix", conditions.streams},
            {"events_written", figures.events_written},
            {"others_cpu", figures.others ? Json(*figures.others) : Json()},
            {"stolen_cpu", figures.stolen},
            {"rows", Json::array()}};
  for (const auto& row : figures.rows) {
    Json one{{"name", row.name}, {"what", row.what}, {"figure", row.figure}, {"unit", row.unit}};
    if (row.times) {
      one["p50_us"] = row.times->p50;
      one["p99_us"] = row.times->p99;
      one["p999_us"] = row.times->p999;
    }
    if (row.limit) {
      one["limit"] = *row.limit;
      one["limit_is"] = row.limit_is;
      one["ratio"] = row.ratio();
    }
    told["rows"].push_back(std::move(one));
  }
  invocation.out() << told.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
}

}  // namespace

std::string human_number(double number) {
  constexpr std::array kScales = {Scale{1e9, 1e9, " G"}, Scale{1e6, 1e6, " M"},
                                  Scale{1e4, 1e3, " k"}};
  return scaled(number, kScales);
}

std::string human_time(double us) {
  constexpr std::array kScales = {Scale{1e6, 1e6, " s"}, Scale{1e3, 1e3, " ms"},
                                  Scale{0, 1, " us"}};
  return scaled(us, kScales);
}

void print_bench(const BenchFigures& figures, const BenchConditions& conditions,
                 const Invocation& invocation) {
  if (invocation.json())
    print_for_programs(figures, conditions, invocation);
  else
    print_for_people(figures, conditions, invocation);
  invocation.out().flush();
}

}  // namespace esdb::tools
