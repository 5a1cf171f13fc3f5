#include "tests/simulation/crash_run.h"

#include <algorithm>
#include <filesystem>
#include <utility>

namespace esdb::simulation {
namespace {

constexpr int kDepthMax = 2;
constexpr std::size_t kNestedStates = 3;  // of each crash point of a recovery

constexpr const char* kStepNames[] = {"append",     "batch",      "pipeline", "roll",
                                      "background", "power loss", "close",    "index"};

// Of the index of one state: gone when it has been looked at.
struct Removed {
  explicit Removed(std::string directory) : path(std::move(directory)) {}
  ~Removed() {
    if (!path.empty()) std::filesystem::remove_all(path);
  }
  Removed(const Removed&) = delete;
  Removed& operator=(const Removed&) = delete;
  const std::string path;
};

}  // namespace

std::string to_string(const std::vector<Step>& workload) {
  std::string text;
  for (const auto step : workload)
    text += (text.empty() ? "" : ", ") + std::string(kStepNames[static_cast<std::size_t>(step)]);
  return text;
}

Figures& Figures::operator+=(const Figures& other) {
  crash_points += other.crash_points;
  states += other.states;
  nested_states += other.nested_states;
  return *this;
}

CrashRun::CrashRun(const Options& options, std::uint64_t seed)
    : options_(options),
      random_(seed),
      machine_(std::make_unique<SimulatedIo>(options.disk, random_())) {
  if (!options.scratch.empty()) recording_ = std::make_unique<IndexRecording>(new_directory());
}

CrashRun::~CrashRun() {
  machine_->at_crash_points({});
  if (recording_) recording_->at_crash_points({});
  store_.reset();
}

std::string CrashRun::run(const std::vector<Step>& workload) {
  auto why = start();
  for (std::size_t i = 0; i < workload.size() && why.empty(); ++i) {
    why = take(workload[i]);
    if (!why.empty()) why = "step " + std::to_string(i + 1) + ": " + why;
  }
  if (why.empty()) look();
  if (why.empty()) why = machine_->violation();
  return found_.empty() ? why : found_;
}

std::string CrashRun::start() {
  machine_->at_crash_points([this] { look(); });
  if (recording_) recording_->at_crash_points([this] { look(); });
  store_ = std::make_unique<SimulatedStore>(*machine_,
                                            store_in(recording_ ? recording_->directory() : ""));
  return store_->open();
}

std::string CrashRun::take(Step step) {
  switch (step) {
    case Step::kAppend:
      return append(1, 100);
    case Step::kBatch:
      return append(3, 400);
    case Step::kPipeline:
      return pipeline();
    case Step::kRoll:
      return roll();
    case Step::kBackground:
      return store_->background();
    case Step::kPowerLoss:
      return lose_power();
    case Step::kClose: {
      if (auto why = store_->close(); !why.empty()) return why;
      shown_ = ledger_.acknowledged();
      return store_->open();
    }
    case Step::kIndex:
      return index();
  }
  return "no such step";
}

// A commit while a frame is under way, which it may not hold yet, and one of everything.
std::string CrashRun::index() {
  store_->put(ledger_.ask(1, 60));
  store_->advance();
  if (auto why = store_->index(); !why.empty()) return why;
  if (auto why = store_->settle(); !why.empty()) return why;
  return store_->index();
}

std::string CrashRun::append(std::size_t events, std::size_t bytes) {
  store_->put(ledger_.ask(events, bytes));
  return store_->settle();
}

// The first is laid out by itself, so that each has a frame of its own.
std::string CrashRun::pipeline() {
  for (std::size_t i = 0; i < 4; ++i) {
    store_->put(ledger_.ask(1 + i % 2, 40));
    store_->advance();
  }
  return store_->settle();
}

std::string CrashRun::roll() {
  const auto segments = store_->log().segments();
  while (store_->log().segments() == segments)
    if (auto why = append(1, options_.store.segment_bytes / 8); !why.empty()) return why;
  return "";
}

std::string CrashRun::lose_power() {
  // A few appends are under way.
  for (int i = 0; i < 3; ++i) {
    store_->put(ledger_.ask(1, 60));
    store_->advance();
  }
  if (one_in(2)) store_->finish_one();
  if (!machine_->violation().empty()) return machine_->violation();
  auto after = machine_->after_power_loss(by_chance(machine_->undecided()), random_());
  const auto directory = left_by_power_loss();
  shown_ = std::max(store_->shown(), ledger_.acknowledged());
  machine_->at_crash_points({});
  if (recording_) recording_->at_crash_points({});
  store_.reset();
  machine_ = std::move(after);
  if (recording_) {
    const Removed before(recording_->directory());
    recording_.reset();
    recording_ = std::make_unique<IndexRecording>(directory);
  }
  if (auto why = start(); !why.empty()) return why;
  if (store_->shown() < shown_) return "what was shown is gone";
  if (auto why = ledger_.cut(store_->shown()); !why.empty()) return why;
  return store_->compare(ledger_);
}

// ---- the states of a power loss

void CrashRun::look() {
  if (!found_.empty() || !one_in(options_.look_one_in)) return;
  ++figures_.crash_points;
  const auto shown = std::max(shown_, store_->shown());
  for (auto& fates : choose(*machine_)) {
    const Removed directory(left_by_power_loss());
    auto why =
        check(machine_->after_power_loss(fates, random_()), directory.path, ledger_, shown, 1);
    if (why.empty()) continue;
    found_ = "at crash point " + std::to_string(figures_.crash_points) + ", state " +
             std::to_string(figures_.states) + ": " + why;
    return;
  }
}

std::vector<Fate> CrashRun::by_chance(const SimulatedIo::Undecided& undecided) {
  static constexpr Fate kAny[] = {Fate::kOld, Fate::kOld,  Fate::kNew,  Fate::kNew,
                                  Fate::kNew, Fate::kZero, Fate::kTorn, Fate::kGarbage};
  std::vector<Fate> fates(undecided.all);
  const bool whole = one_in(2);  // sectors are old or new
  for (std::size_t i = 0; i < fates.size(); ++i) {
    fates[i] = kAny[random_() % std::size(kAny)];
    if (fates[i] > Fate::kNew && (whole || i >= undecided.sectors)) fates[i] = Fate::kNew;
  }
  return fates;
}

std::vector<Fate> CrashRun::of_the_index() {
  std::vector<Fate> fates(recording_->undecided());
  static constexpr Fate kAny[] = {Fate::kOld, Fate::kNew, Fate::kNew, Fate::kZero};
  const auto kind = random_() % 4;
  for (auto& fate : fates)
    fate = kind == 0   ? Fate::kOld
           : kind == 1 ? Fate::kNew
                       : kAny[random_() % (kind == 2 ? 3 : std::size(kAny))];
  return fates;
}

std::string CrashRun::new_directory() {
  const auto directory = options_.scratch + "/" + std::to_string(++directories_);
  std::filesystem::create_directory(directory);
  return directory;
}

std::string CrashRun::left_by_power_loss() {
  if (!recording_) return "";
  auto directory = new_directory();
  recording_->leave(directory, of_the_index());
  return directory;
}

std::string CrashRun::copied(const std::string& directory) {
  if (directory.empty()) return "";
  auto copy = new_directory();
  copy_directory(directory, copy);
  return copy;
}

SimulatedStore::Options CrashRun::store_in(const std::string& directory) const {
  auto options = options_.store;
  options.directory = directory;
  return options;
}

std::vector<std::vector<Fate>> CrashRun::choose(const SimulatedIo& machine) {
  const auto undecided = machine.undecided();
  const auto count = undecided.all;
  std::vector<std::vector<Fate>> states;
  if (count <= options_.exhaustive) {
    for (std::size_t mask = 0; mask < std::size_t{1} << count; ++mask) {
      auto& fates = states.emplace_back(count, Fate::kOld);
      for (std::size_t i = 0; i < count; ++i)
        if ((mask >> i & 1) != 0) fates[i] = Fate::kNew;
    }
  } else {
    for (std::size_t i = 0; i <= count; ++i) {  // so many from the front
      auto& fates = states.emplace_back(count, Fate::kOld);
      std::fill_n(fates.begin(), i, Fate::kNew);
    }
    for (std::size_t i = 0; i < count; ++i) {  // one missing, one alone
      states.emplace_back(count, Fate::kNew)[i] = Fate::kOld;
      states.emplace_back(count, Fate::kOld)[i] = Fate::kNew;
    }
  }
  const auto regular = states.size();
  const auto samples = undecided.sectors == 0 ? 0 : std::min(options_.samples, regular);
  for (std::size_t i = 0; i < samples; ++i) states.push_back(by_chance(undecided));
  return states;
}

std::string CrashRun::check(std::unique_ptr<SimulatedIo> machine, const std::string& directory,
                            Ledger ledger, Position shown, int depth) {
  ++figures_.states;
  if (depth > 1) ++figures_.nested_states;
  SimulatedStore store(*machine, store_in(directory));
  std::string nested;
  if (depth < kDepthMax && one_in(options_.nest_one_in))
    machine->at_crash_points([&] {
      for (std::size_t i = 0; i < kNestedStates && nested.empty(); ++i) {
        auto again = machine->after_power_loss(by_chance(machine->undecided()), random_());
        const Removed copy(copied(directory));
        nested = check(std::move(again), copy.path, ledger, shown, depth + 1);
      }
    });
  auto why = store.open();
  machine->at_crash_points({});
  if (!nested.empty()) return "in a recovery, " + nested;
  if (!machine->violation().empty()) return "in a recovery, " + machine->violation();
  if (!why.empty()) return "a legitimate state was refused: " + why;
  if (store.shown() < shown)
    return "shown up to " + to_string(shown) + ", there up to " + to_string(store.shown());
  if (why = ledger.cut(store.shown()); !why.empty()) return why;
  if (why = store.compare(ledger); !why.empty()) return why;
  return one_in(4) ? goes_on(*machine, store, directory, ledger) : "";
}

std::string CrashRun::goes_on(SimulatedIo& machine, SimulatedStore& store,
                              const std::string& directory, Ledger& ledger) {
  store.drop();
  const auto bytes = machine.fingerprint();
  if (auto why = store.open(); !why.empty()) return "opened once more: " + why;
  if (machine.fingerprint() != bytes) return "opening it once more changed it";
  if (auto why = store.compare(ledger); !why.empty()) return "opened once more: " + why;
  auto& asked = ledger.ask(2, 200);
  store.put(asked);
  if (auto why = store.settle(); !why.empty()) return "the next append: " + why;
  if (!asked.acknowledged) return "the next append was not acknowledged";
  auto after = machine.after_power_loss(by_chance(machine.undecided()), random_());
  const Removed copy(copied(directory));
  SimulatedStore again(*after, store_in(copy.path));
  if (auto why = again.open(); !why.empty()) return "after the next append: " + why;
  if (auto why = again.compare(ledger); !why.empty()) return "after the next append: " + why;
  return "";
}

}  // namespace esdb::simulation
