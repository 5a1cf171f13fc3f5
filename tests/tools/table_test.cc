#include "tools/table.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tools/progress.h"

namespace esdb::tools {
namespace {

TEST(Table, AlignsColumnsByWhatStandsInThem) {
  Table table({{"N", Table::Align::kRight}, {"NAME"}, {"LAST"}});
  table.add({"1", "é", "x"});
  table.add({"1000", "long", "y"});
  std::ostringstream pipe, terminal;
  table.print(pipe, {});
  EXPECT_EQ(pipe.str(), "   1  é     x\n1000  long  y\n");
  table.print(terminal, {.out = true});
  EXPECT_EQ(terminal.str(), "   N  NAME  LAST\n   1  é     x\n1000  long  y\n");
}

TEST(Table, GroupsDigits) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(18446744073709551615u), "18,446,744,073,709,551,615");
}

TEST(Progress, IsShownOnlyOnATerminal) {
  std::ostringstream pipe, terminal;
  {
    Progress hidden(pipe, {}), shown(terminal, {.err = true});
    hidden.show({.events = 5, .share = 0.5});
    shown.show({.events = 5, .share = 0.5});
  }
  EXPECT_EQ(pipe.str(), "");
  EXPECT_NE(terminal.str().find("[############............]  50 %  5 events"), std::string::npos)
      << terminal.str();
  EXPECT_TRUE(terminal.str().ends_with("\r\x1b[K"));
}

}  // namespace
}  // namespace esdb::tools
