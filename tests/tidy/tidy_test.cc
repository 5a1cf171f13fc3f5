// The repository keeps its own rules, and each rule fires on what it forbids.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/tidy/functions.h"
#include "tests/tidy/rules.h"
#include "tests/tidy/source.h"

namespace esdb::tidy {
namespace {

const std::string kHeader = "// What belongs here.\n#pragma once\n";

// What the rules for one file say about it: "line rule" each.
std::vector<std::string> found(void (*rule)(const File&, Findings&), const std::string& path,
                               const std::string& text) {
  Findings findings;
  rule(make_file(path, text), findings);
  std::vector<std::string> said;
  for (const auto& finding : findings)
    said.push_back(std::to_string(finding.line) + " " + finding.rule);
  return said;
}

using Files = std::vector<std::pair<std::string, std::string>>;

// What a rule for the tree says: "path rule" each.
std::vector<std::string> found(void (*rule)(const std::vector<File>&, Findings&),
                               const Files& files) {
  std::vector<File> tree;
  for (const auto& [path, text] : files) tree.push_back(make_file(path, text));
  Findings findings;
  rule(tree, findings);
  std::vector<std::string> said;
  for (const auto& finding : findings) said.push_back(finding.path + " " + finding.rule);
  return said;
}

using Said = std::vector<std::string>;

std::string repeat(const std::string& text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) result += text;
  return result;
}

TEST(Tidy, TheRepositoryKeepsItsRules) {
  const auto tree = load_tree(ESDB_ROOT);
  ASSERT_GT(tree.size(), 50U) << "the tree was not found at " << ESDB_ROOT;
  std::string said;
  for (const auto& finding : check(tree)) said += to_string(finding) + "\n";
  EXPECT_TRUE(said.empty()) << said;
}

TEST(Tidy, AFindingSaysWhereAndWhatToDo) {
  EXPECT_EQ(to_string({"storage/log.cc", 7, "columns", "break the line"}),
            "storage/log.cc:7: columns: break the line");
}

TEST(Tidy, ALineOverAHundredColumnsIsFound) {
  EXPECT_EQ(found(check_lengths, "storage/log.cc", std::string(100, 'a') + "\n"), Said{});
  EXPECT_EQ(found(check_lengths, "storage/log.cc", "\n" + std::string(101, 'a') + "\n"),
            Said{"2 columns"});
  EXPECT_EQ(found(check_lengths, "storage/log.cc", "// " + repeat("\u00e9", 97) + "\n"), Said{});
}

TEST(Tidy, AFileOver500LinesIsFound) {
  EXPECT_EQ(found(check_lengths, "storage/log.cc", repeat("int a;\n", 500)), Said{});
  EXPECT_EQ(found(check_lengths, "storage/log.cc", repeat("int a;\n", 501)),
            Said{"501 file length"});
}

TEST(Tidy, AFunctionOver70LinesIsFound) {
  const auto body = [](int lines) { return "{\n" + repeat("  f();\n", lines - 2) + "}\n"; };
  for (const std::string head :
       {"void g() ", "template <class T = int>\nint A::g(T x) const noexcept ",
        "TEST(A, DoesThis) ", "bool operator==(A a, A b) ", "A::A() : a_{1}, b_(2) "}) {
    const int extra = head.contains('\n') ? 1 : 0;
    EXPECT_EQ(found(check_lengths, "storage/log.cc", "int a;\n" + head + body(70 - extra)), Said{})
        << head;
    EXPECT_EQ(found(check_lengths, "storage/log.cc", "int a;\n" + head + body(71 - extra)),
              Said{"2 function length"})
        << head;
  }
}

TEST(Tidy, ALongFunctionIsFoundInsideNamespacesAndClasses) {
  const std::string text = "namespace a {\nclass B final : public C {\n public:\n  void f() {\n" +
                           repeat("    if (x) { y(); }\n", 70) + "  }\n};\n}\n";
  EXPECT_EQ(found(check_lengths, "storage/log.h", text), Said{"4 function length"});
}

TEST(Tidy, ALongTableIsNotAFunction) {
  for (const std::string head : {"constexpr Row kRows[] = {\n", "enum class E : int {\n",
                                 "struct S {\n", "const std::vector<int> kRows{\n"})
    EXPECT_EQ(found(check_lengths, "storage/log.cc", head + repeat("  1,\n", 100) + "};\n"), Said{})
        << head;
}

TEST(Tidy, BracesInCommentsAndLiteralsAreNotCode) {
  const auto functions = functions_of(blank_comments_and_literals(
      "void f() {  // {\n  a = \"}\"; b = '}'; c = R\"x(}\")x\"; d = 1'000; /* } */\n}\nint e;\n"));
  ASSERT_EQ(functions.size(), 1U);
  EXPECT_EQ(functions[0].first_line, 1U);
  EXPECT_EQ(functions[0].last_line, 3U);
}

TEST(Tidy, AFileNamedByAnEmptyWordIsFound) {
  for (const std::string name :
       {"util.h", "log_helper.cc", "base_io.h", "io_impl.cc", "common.h", "segment_manager.cc"})
    EXPECT_EQ(found(check_name, "storage/" + name, ""), Said{"1 file name"}) << name;
  for (const std::string name : {"database.h", "utility_poles.cc", "typesetter.h"})
    EXPECT_EQ(found(check_name, "storage/" + name, ""), Said{}) << name;
}

TEST(Tidy, BannedTokensAreFoundInCode) {
  for (const std::string text :
       {"assert(a);", "throw a;", "auto f = [=] {};", "using namespace std;",
        "KJ_"
        "DBG(a);"})
    EXPECT_EQ(found(check_tokens, "storage/log.cc", "\n" + text + "\n").size(), 1U) << text;
}

TEST(Tidy, BannedTokensAreAllowedWhereTheyDoNoHarm) {
  for (const std::string text : {"static_assert(a);", "// we never throw\n", "auto s = \"throw\";",
                                 "auto f = [&] {};", "using namespace std::chrono_literals;"})
    EXPECT_EQ(found(check_tokens, "storage/log.cc", text), Said{}) << text;
  EXPECT_EQ(found(check_tokens, "tools/main.cc", "throw a;"), Said{});
}

TEST(Tidy, WorkLeftForLaterIsFoundInCommentsAndDocuments) {
  for (const std::string word : {"FIX"
                                 "ME",
                                 "TO"
                                 "DO"}) {
    EXPECT_EQ(found(check_tokens, "server/main.cc", "// " + word + ": later\n").size(), 1U);
    EXPECT_EQ(found(check_tokens, "docs/format.md", "# A\n" + word + "\n").size(), 1U);
  }
  EXPECT_EQ(found(check_tokens, "tests/a_test.cc",
                  "TEST(A, DISABLED"
                  "_B) {}")
                .size(),
            1U);
}

TEST(Tidy, ASecondInterfaceInsideTheEngineIsFound) {
  const std::string text = "\nstruct A {\n  virtual void f() = 0;\n};\n";
  EXPECT_EQ(found(check_seam, "storage/clock.h", text), Said{"3 interface"});
  EXPECT_EQ(found(check_seam, "storage/io.h", text), Said{});
  EXPECT_EQ(found(check_seam, "tools/command.h", text), Said{});
}

TEST(Tidy, AHeaderWithoutItsOpeningCommentIsFound) {
  EXPECT_EQ(found(check_header, "storage/log.h", kHeader), Said{});
  EXPECT_EQ(found(check_header, "storage/log.h", "\n#pragma once\n"), Said{"1 header comment"});
  EXPECT_EQ(found(check_header, "storage/log.h", "// Log.\n#ifndef A\n"), Said{"1 include guard"});
}

TEST(Tidy, AClassOfTheEngineThatIsSilentAboutThreadsIsFound) {
  EXPECT_EQ(found(check_header, "storage/log.h", kHeader + "class Log {\n};\n"), Said{"1 threads"});
  EXPECT_EQ(
      found(check_header, "storage/log.h", "// Threads: any.\n" + kHeader + "class Log {\n};\n"),
      Said{});
  EXPECT_EQ(found(check_header, "storage/log.h", kHeader + "class Log;\nenum class A { kB };\n"),
            Said{});
  EXPECT_EQ(found(check_header, "tools/table.h", kHeader + "class Table {\n};\n"), Said{});
}

TEST(Tidy, ADocumentHasOneTitleAndIsWrapped) {
  EXPECT_EQ(found(check_document, "docs/a.md", "# A\n## B\n```\n# comment\n```\n"), Said{});
  EXPECT_EQ(found(check_document, "docs/a.md", "# A\n# B\n"), Said{"2 title"});
  EXPECT_EQ(found(check_document, "docs/a.md", "text\n"), Said{"1 title"});
  const std::string wide(101, 'x');
  EXPECT_EQ(found(check_document, "docs/a.md", "# A\n" + wide + "\n"), Said{"2 columns"});
  for (const auto* kept : {"| ", "    "})
    EXPECT_EQ(found(check_document, "docs/a.md", "# A\n" + (kept + wide) + "\n"), Said{}) << kept;
  EXPECT_EQ(found(check_document, "docs/a.md", "# A\n```\n" + wide + "\n```\n"), Said{});
}

TEST(Tidy, AnIncludeAcrossLayersIsFound) {
  const Files forbidden = {
      {"include/esdb/event.h", "\"protocol/text.h\""}, {"include/esdb/event.h", "<kj/async.h>"},
      {"include/esdb/event.h", "<unistd.h>"},          {"protocol/text.h", "\"storage/log.h\""},
      {"storage/log.h", "\"protocol/text.h\""},        {"storage/log.h", "<capnp/message.h>"},
      {"server/session.cc", "\"storage/log.h\""},      {"server/main.cc", "\"client/open.h\""},
      {"client/remote.cc", "\"storage/log.h\""},       {"application/a.cc", "\"protocol/text.h\""},
      {"tools/append.cc", "\"storage/log.h\""},        {"examples/1_a.cc", "\"protocol/text.h\""},
      {"server/session.cc", "\"session.h\""},          {"server/session.cc", "\"../esdb/event.h\""},
  };
  for (const auto& [path, what] : forbidden)
    EXPECT_EQ(found(check_includes, path, "#include " + what + "\n"), Said{"1 include"})
        << path << " " << what;
}

TEST(Tidy, AnIncludeOfALayerBelowIsFine) {
  const Files allowed = {
      {"include/esdb/event.h", "<vector>"},
      {"protocol/text.h", "<capnp/message.h>"},
      {"storage/log.h", "\"esdb/event.h\""},
      {"server/session.h", "\"protocol/text.h\""},
      {"storage/log.h", "\"protocol/encoded_event.h\""},
      {"client/open.cc", "\"storage/engine.h\""},
      {"tools/inspect.cc", "\"storage/format.h\""},
      {"tests/a_test.cc", "\"storage/log.h\""},
  };
  for (const auto& [path, what] : allowed)
    EXPECT_EQ(found(check_includes, path, "#include " + what + "\n"), Said{})
        << path << " " << what;
}

TEST(Tidy, ALibraryThatSpreadsIsFound) {
  const std::string lmdb = "#include <lmdb.h>\n";
  EXPECT_EQ(found(check_scarce_includes,
                  Files{{"storage/a.cc", lmdb}, {"storage/b.cc", lmdb}, {"tests/c.cc", lmdb}}),
            Said{});
  EXPECT_EQ(found(check_scarce_includes,
                  Files{{"storage/a.cc", lmdb}, {"storage/b.cc", lmdb}, {"storage/c.cc", lmdb}}),
            Said{"storage/c.cc include"});
  EXPECT_EQ(found(check_scarce_includes, Files{{"server/a.cc", lmdb}}),
            Said{"server/a.cc include"});
}

TEST(Tidy, ASourceThatDoesNotIncludeItsHeaderFirstIsFound) {
  const std::string own = "#include \"storage/log.h\"\n";
  EXPECT_EQ(found(check_own_header_first,
                  Files{{"storage/log.cc", own + "#include <vector>\n"}, {"storage/log.h", ""}}),
            Said{});
  EXPECT_EQ(found(check_own_header_first,
                  Files{{"storage/log.cc", "#include <vector>\n" + own}, {"storage/log.h", ""}}),
            Said{"storage/log.cc own header"});
}

TEST(Tidy, AnEngineSourceWithoutATestIsFound) {
  const std::pair<std::string, std::string> log_test = {"tests/storage/log_test.cc", ""};
  EXPECT_EQ(found(check_storage_tests, Files{{"storage/log.cc", ""}}),
            Said{"storage/log.cc untested"});
  EXPECT_EQ(found(check_storage_tests, Files{{"storage/log.cc", ""}, log_test}), Said{});
  EXPECT_EQ(found(check_storage_tests, Files{{"storage/log_read.cc", ""}, log_test}), Said{});
  EXPECT_EQ(found(check_storage_tests, Files{{"storage/logic.cc", ""}, log_test}),
            Said{"storage/logic.cc untested"});
}

TEST(Tidy, ASourceThatNoBuildFileNamesIsFound) {
  const Files listed = {{"storage/log.cc", ""}, {"storage/CMakeLists.txt", "lib(log.cc)"}};
  EXPECT_EQ(found(check_listed_sources, listed), Said{});
  const Files elsewhere = {{"storage/log.cc", ""}, {"server/CMakeLists.txt", "lib(log.cc)"}};
  EXPECT_EQ(found(check_listed_sources, elsewhere), Said{"storage/log.cc unlisted"});
  const Files part_of_a_name = {{"storage/log.cc", ""}, {"storage/CMakeLists.txt", "old_log.cc"}};
  EXPECT_EQ(found(check_listed_sources, part_of_a_name), Said{"storage/log.cc unlisted"});
}

TEST(Tidy, AFileThatNothingMentionsIsFound) {
  const Files tree = {
      {"README.md", "see docs/format.md"},
      {"docs/format.md", ""},
      {"docs/old.md", ""},
      {"storage/log.h", ""},
      {"include/esdb/event.h", ""},
      {"storage/unused.h", ""},
      {"storage/log.cc", "#include \"storage/log.h\"\n#include \"esdb/event.h\"\n"}};
  EXPECT_EQ(found(check_references, tree),
            (Said{"docs/old.md unreferenced", "storage/unused.h unreferenced"}));
}

}  // namespace
}  // namespace esdb::tidy
