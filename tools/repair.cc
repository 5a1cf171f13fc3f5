// esctl repair: makes a store that is refused openable again, and says what that loses.
#include "storage/repair.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "tools/commands.h"
#include "tools/directory.h"

namespace esdb::tools {
namespace {

using Json = nlohmann::ordered_json;

struct RepairArguments {
  std::string directory{};
  bool accept_loss = false, yes = false;
};

constexpr const char* kExamples =
    "  esctl repair ./data                        what would be lost; changes nothing\n"
    "  esctl repair ./data --accept-loss          asks, then does it\n"
    "  esctl repair ./data --accept-loss --yes    from a script\n\n"
    "For a store that is refused because acknowledged data is damaged or missing, and of which "
    "there\n"
    "is no backup. What is damaged inside the log answers `corrupt` from then on, everything "
    "behind\n"
    "it is served; what is damaged at its end is cut. All that is cut or replaced is kept in\n"
    "DIR/damaged-TIME, with a description. A store that opens is left alone, and so is damage in\n"
    "sealed segments, which is served around (esctl verify tells it).\n"
    "Exit codes: 0 nothing is to be repaired, or it is; 65 it would lose what is shown, or cannot "
    "be\n"
    "repaired.";

Json to_json(const storage::RepairItem& item) {
  using Kind = storage::RepairItem::Kind;
  Json told{{"how", item.kind == Kind::kCut       ? "cut"
                    : item.kind == Kind::kCorrupt ? "corrupt"
                                                  : "mended"},
            {"segment", item.segment},
            {"file", item.file},
            {"offset", item.offset},
            {"what", item.what}};
  if (item.kind == Kind::kHeader) return told;
  told["first_frame"] = item.first_frame;
  if (item.last_frame != 0) told["last_frame"] = item.last_frame;
  if (item.first) told["first"] = item.first.value;
  if (item.last) told["last"] = item.last.value;
  told["readable"] = item.readable;
  told["streams"] = item.streams;
  return told;
}

void print_json(const Json& line, const Invocation& invocation) {
  invocation.out() << line.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
}

// `aside`: empty where nothing was done yet.
void print(const storage::RepairSurvey& survey, const std::string& aside,
           const Invocation& invocation) {
  auto& out = invocation.out();
  if (invocation.json()) {
    for (const auto& item : survey.plan.items) print_json({{"item", to_json(item)}}, invocation);
    Json line{{"repaired", survey.opens || !aside.empty()},
              {"store_id", survey.store_id},
              {"refusal", survey.refusal},
              {"last", survey.plan.last.value},
              {"segments_kept", survey.plan.segments_kept},
              {"new_epoch", survey.plan.begins_epoch},
              {"reads_by_position_only", survey.plan.reads_by_position_only}};
    if (!aside.empty()) line["aside"] = aside;
    print_json(line, invocation);
    return;
  }
  if (survey.opens) {
    out << "nothing is to be repaired: the store opens\n";
    return;
  }
  if (!aside.empty()) {
    out << fmt::format("repaired; what was cut or replaced is in {}\n", printable(aside));
    return;
  }
  out << fmt::format("store {}\n{}\n\n", survey.store_id, printable(survey.refusal));
  for (const auto& line : storage::lines_of(survey.plan)) out << printable(line) << '\n';
}

// Whether whoever sits there means it.
Result<bool> is_wanted(const storage::RepairSurvey& survey, const RepairArguments& arguments,
                       const Invocation& invocation) {
  if (arguments.yes) return true;
  if (!invocation.around.terminal.in)
    return usage("nobody is there to be asked: give --yes to repair without a question");
  invocation.out().flush();
  invocation.err() << "\nType yes, or the store's id, to repair it: " << std::flush;
  std::string answer;
  std::getline(invocation.around.in, answer);
  return answer == "yes" || answer == survey.store_id;
}

Result<ExitCode> repair(const RepairArguments& arguments, const Invocation& invocation) {
  if (arguments.yes && !arguments.accept_loss)
    return usage("--yes answers what --accept-loss asks: give both, or neither");
  if (auto there = check_directory(arguments.directory, Purpose::kRead); !there)
    return std::unexpected(there.error());
  const auto survey = storage::survey_repair(arguments.directory);
  if (!survey) return std::unexpected(survey.error());
  if (survey->opens || !arguments.accept_loss) {
    print(*survey, {}, invocation);
    if (!survey->opens && !invocation.json())
      invocation.out() << "\nnothing was changed; a backup is better. To go on without what is "
                          "lost: --accept-loss\n";
    return survey->opens ? ExitCode::kOk : ExitCode::kDamaged;
  }
  if (auto usable = check_directory(arguments.directory, Purpose::kWrite); !usable)
    return std::unexpected(usable.error());
  if (!invocation.json()) print(*survey, {}, invocation);
  const auto wanted = is_wanted(*survey, arguments, invocation);
  if (!wanted) return std::unexpected(wanted.error());
  if (!*wanted) return failed("not repaired: nothing was changed");
  const auto done = storage::repair(arguments.directory, {});
  if (!done) return std::unexpected(done.error());
  print(done->survey, done->aside, invocation);
  return ExitCode::kOk;
}

}  // namespace

void add_repair(Commands& commands) {
  const auto arguments = std::make_shared<RepairArguments>();
  auto& command = commands.add(
      {.name = "repair",
       .about = "Make a store that is refused openable again, and say what that loses",
       .examples = kExamples},
      [arguments](const Invocation& invocation) { return repair(*arguments, invocation); });
  command.add_option("DIR", arguments->directory, "The store's directory")->required();
  command.add_flag("--accept-loss", arguments->accept_loss, "Do it, without what cannot be kept");
  command.add_flag("--yes", arguments->yes, "Do not ask");
}

}  // namespace esdb::tools
