#include "server/settings.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <random>
#include <sstream>
#include <string_view>

#include "tests/fixtures/scratch_directory.h"
#include "tests/fixtures/test_run.h"
#include "tests/server/running_server.h"

namespace esdb::server {
namespace {

const Surroundings kUser{.xdg_runtime_dir = "/run/user/1000"};

class ConfigurationFile : public testing::Test {
 protected:
  // The error that a file of this text is answered with; empty where it is taken.
  std::string refusal(const std::string& text) {
    std::ofstream(path(), std::ios::binary) << text;
    const auto read = read_configuration(path());
    return read ? "" : read.error().message;
  }
  std::string path() const { return scratch_.path() + "/c.toml"; }
  fixtures::ScratchDirectory scratch_;
};

TEST_F(ConfigurationFile, SaysEverySetting) {
  ASSERT_EQ(refusal("data = \"/var/lib/esdb\"\n"
                    "listen = [\"unix:/run/esdb/esdb.sock\", \"tcp:127.0.0.1:3732\"]\n"
                    "memory = \"256MiB\"\nsegment_bytes = 33554432\nwrite_unit = 512\n"
                    "event_bytes_max = \"2M\"\nappend_bytes_max = \"8M\"\nlog_level = \"debug\"\n"),
            "");
  const auto settings = settle({}, read_configuration(path()).value(), kUser).value();
  EXPECT_EQ(settings.data, "/var/lib/esdb");
  EXPECT_EQ(settings.listen.size(), 2u);
  EXPECT_EQ(settings.memory, std::size_t{256} << 20);
  EXPECT_EQ(settings.segment_bytes, std::size_t{32} << 20);
  EXPECT_EQ(settings.write_unit, 512u);
  EXPECT_EQ(settings.event_bytes_max, std::size_t{2} << 20);
  EXPECT_EQ(settings.append_bytes_max, std::size_t{8} << 20);
  EXPECT_EQ(settings.log_level, LogLevel::kDebug);
}

TEST_F(ConfigurationFile, IsRefusedWithTheLineOfWhatIsWrong) {
  const auto refused_at = [&](const std::string& text, const std::string& line) {
    const auto message = refusal(text);
    EXPECT_TRUE(message.starts_with(path() + ":" + line + ":")) << text << "\n" << message;
  };
  refused_at("data = \"x\"\nbogus = 1\n", "2");
  refused_at("data = 3\n", "1");
  refused_at("\n\nmemory = -5\n", "3");
  refused_at("memory = 99999999999999999999999\n", "1");
  refused_at("memory = true\n", "1");
  refused_at("memory = \"many\"\n", "1");
  refused_at("data = \"x\"\nlisten = \"http://x\"\n", "2");
  refused_at("data = \"x\"\nlog_level = \"loud\"\n", "2");
  refused_at("data = \"x\"\n= 3\n", "2");
  refused_at(std::string("data = \"x\"\nmem\0ory = 5\n", 24), "2");
}

TEST_F(ConfigurationFile, ThatIsNoTomlIsToldInOneLineWithWhatToDo) {
  const auto refused = [&](const std::string& text, const std::string& line,
                           const std::string& what) {
    const auto message = refusal(text);
    EXPECT_TRUE(message.starts_with(path() + ":" + line + ": ")) << text << "\n" << message;
    EXPECT_NE(message.find(what), std::string::npos) << text << "\n" << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_EQ(message.find("toml::"), std::string::npos) << message;
  };
  refused("data = \"x\"\nmemory = 5 6\n", "2", "KEY = VALUE");
  refused("data = \"x\"\nmemory = 512MiB\n", "2", "in quotes");
  refused("data = x\n", "1", "in quotes");
  refused("data = \"x\n", "1", "quotes");
  refused("data = 'x\n", "1", "quotes");
  refused("data = \"\\q\"\n", "1", "quotes");
  refused("= 3\n", "1", "KEY = VALUE");
  refused("memory\n", "1", "KEY = VALUE");
  refused("data = \"x\"\n\ndata = \"y\"\n", "3", "\"data\" is set a second time");
  refused("listen = [\"unix:/a\", 3\n", "2", "comma");
  refused("listen = [\"unix:/a\"\n", "2", "]");
  refused("data = \"x\"\n'\xa9' = 1\n", "2", "UTF-8");
}

TEST_F(ConfigurationFile, ThatIsAnyBytesIsRefusedInOneLineOrTaken) {
  const auto seed = fixtures::seed();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  const std::string_view letters = "dat\"'=[]{}.,#\\\n x0_-+eTZ:\t\xc3\xa9";
  for (int i = 0; i < 300; ++i) {
    std::string text(random() % 30, ' ');
    for (auto& letter : text) letter = letters[random() % letters.size()];
    const auto message = refusal(text);
    EXPECT_EQ(message.find('\n'), std::string::npos) << text << "\n" << message;
    EXPECT_EQ(message.find("toml::"), std::string::npos) << text << "\n" << message;
    EXPECT_TRUE(message.empty() || message.starts_with(path() + ":")) << text << "\n" << message;
  }
}

TEST_F(ConfigurationFile, ASettingThatDoesNotExistIsToldWithTheNearestOneThatDoes) {
  EXPECT_NE(refusal("memorry = 3\n").find(":1: memorry: "), std::string::npos);
  EXPECT_NE(refusal("memorry = 3\n").find("nearest is memory"), std::string::npos);
  EXPECT_NE(refusal("append_byte_max = 3\n").find("nearest is append_bytes_max"),
            std::string::npos);
  EXPECT_EQ(refusal("\"a\\nb\" = 3\n").find('\n'), std::string::npos);
  EXPECT_NE(refusal("[server]\nmemory = 3\n").find("section"), std::string::npos);
}

TEST_F(ConfigurationFile, ThatIsHugeOrMissingIsRefused) {
  EXPECT_NE(refusal(std::string(1 << 20, '#')), "");
  EXPECT_FALSE(read_configuration(scratch_.path() + "/missing.toml"));
  EXPECT_FALSE(read_configuration(scratch_.path()));
}

TEST_F(ConfigurationFile, AValueThatStartingWouldRefuseIsToldWithItsLineItsKeyAndWhatIsAccepted) {
  const auto refused = [&](const std::string& line, const std::string& key,
                           const std::string& accepted) {
    ASSERT_EQ(refusal("data = \"x\"\n" + line + "\n"), "") << line;
    const auto settings = settle({}, read_configuration(path()).value(), kUser);
    ASSERT_FALSE(settings) << line;
    const auto& message = settings.error().message;
    EXPECT_TRUE(message.starts_with(path() + ":2: " + key + ": ")) << line << "\n" << message;
    EXPECT_NE(message.find(accepted), std::string::npos) << line << "\n" << message;
  };
  refused("write_unit = 777", "write_unit", "power of two from 512 to 64KiB");
  refused("write_unit = 256", "write_unit", "power of two from 512 to 64KiB");
  refused("write_unit = 131072", "write_unit", "power of two from 512 to 64KiB");
  refused("memory = 1", "memory", "48MiB");
  refused("memory = \"2000GiB\"", "memory", "1TiB");
  refused("segment_bytes = 3000000", "segment_bytes", "power of two from 1MiB to 1GiB");
  refused("segment_bytes = \"2GiB\"", "segment_bytes", "power of two from 1MiB to 1GiB");
  refused("append_bytes_max = 0", "append_bytes_max", "16MiB");
  refused("append_bytes_max = \"17MiB\"", "append_bytes_max", "16MiB");
  refused("append_bytes_max = 1000", "append_bytes_max", "event_bytes_max");
  refused("append_bytes_max = \"5MiB\"\nsegment_bytes = \"16MiB\"", "append_bytes_max",
          "a quarter of segment_bytes, which is 4MiB");
  refused("segment_bytes = \"1MiB\"", "segment_bytes", "four times append_bytes_max");
  refused("event_bytes_max = \"5MiB\"", "event_bytes_max", "append_bytes_max, which is 4MiB");
  refused("listen = \"tcp:0.0.0.0:1\"", "listen", "loopback");
  refused("listen = [\"unix:/a\", \"unix:/a\"]", "listen", "twice");
}

TEST_F(ConfigurationFile, ANameThatIsNoDirectoryIsRefusedAsData) {
  for (const auto* name : {"esdb://localhost:1", "unix:/a", "tcp:127.0.0.1:1", "http://x",
                           "memory:shared", "a\\u0000"}) {
    ASSERT_EQ(refusal("data = \"" + std::string(name) + "\"\n"), "") << name;
    const auto settings = settle({}, read_configuration(path()).value(), kUser);
    ASSERT_FALSE(settings) << name;
    EXPECT_TRUE(settings.error().message.starts_with(path() + ":1: data: "))
        << settings.error().message;
  }
  EXPECT_TRUE(settle({.data = Said::Text{.value = "memory:"}}, {}, kUser));
}

TEST(Settings, TheCommandLineIsStrongerThanTheFile) {
  const Said line{.data = Said::Text{"line"},
                  .listen = {{"unix:/tmp/line"}},
                  .numbers = {{"memory", {.value = 64 << 20}}}};
  const Said file{.data = Said::Text{"file"},
                  .listen = {{"unix:/tmp/file"}},
                  .numbers = {{"memory", {.value = 128 << 20}}, {"write_unit", {.value = 512}}}};
  const auto settings = settle(line, file, kUser).value();
  EXPECT_EQ(settings.data, "line");
  EXPECT_EQ(settings.listen.front().path, "/tmp/line");
  EXPECT_EQ(settings.memory, std::size_t{64} << 20);
  EXPECT_EQ(settings.write_unit, 512u);
}

TEST(Settings, EveryNumberIsAcceptedAtItsLimitsAndRefusedBeyond) {
  const auto with = [](const Number& number, std::uint64_t value) {
    Said said{.data = Said::Text{"x"}};
    said.numbers[std::string(number.key)] = {.value = value, .where = "--it"};
    // What one number demands of another is not what is tested here.
    if (number.value == &Settings::segment_bytes || number.value == &Settings::append_bytes_max) {
      said.numbers["event_bytes_max"] = {.value = 1};
      said.numbers.try_emplace("append_bytes_max", Said::Amount{.value = 1});
    }
    if (number.value == &Settings::event_bytes_max)
      said.numbers["append_bytes_max"] = {.value = kAppendBytesCap};
    return settle(said, {}, kUser);
  };
  for (const auto& number : numbers()) {
    EXPECT_TRUE(with(number, number.least)) << number.key;
    EXPECT_TRUE(with(number, number.most)) << number.key;
    const auto above = with(number, number.most + 1);
    ASSERT_FALSE(above) << number.key;
    EXPECT_TRUE(above.error().message.starts_with("--it: ")) << above.error().message;
    if (number.least > 1) {
      EXPECT_FALSE(with(number, number.least - 1)) << number.key;
    }
  }
}

TEST(Settings, TheDirectoryMustBeSaid) { EXPECT_FALSE(settle({}, {}, kUser)); }

// The text of docs/operations.md between two marks.
std::string documented(std::string_view begin, std::string_view end) {
  std::ifstream file(ESDB_ROOT "/docs/operations.md");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto from = text.find(begin);
  if (from == text.npos) return {};
  const auto to = text.find(end, from + begin.size());
  return text.substr(from + begin.size(), to - from - begin.size());
}

TEST(Settings, AreAllInTheTableOfTheDocumentationWithDefaultAndLimits) {
  std::map<std::string, std::vector<std::string>> rows;
  std::istringstream table(documented("| key |", "\n\n"));
  for (std::string line; std::getline(table, line);) {
    if (!line.starts_with("| `")) continue;
    std::vector<std::string> cells;
    for (std::size_t at = 2, bar; (bar = line.find(" | ", at)) != line.npos; at = bar + 3)
      cells.push_back(line.substr(at, bar - at));
    cells.push_back(line.substr(line.rfind(" | ") + 3));
    ASSERT_EQ(cells.size(), 5u) << line;
    rows[cells[0]] = cells;
  }
  EXPECT_EQ(rows.size(), setting_keys().size()) << "a row of a setting that there is not";
  for (const auto key : setting_keys())
    EXPECT_TRUE(rows.contains("`" + std::string(key) + "`")) << key;
  const Settings defaults;
  for (const auto& number : numbers()) {
    const auto& cells = rows["`" + std::string(number.key) + "`"];
    ASSERT_EQ(cells.size(), 5u) << number.key;
    EXPECT_EQ(cells[3], number.in_words(defaults.*number.value)) << number.key;
    EXPECT_TRUE(cells[4].starts_with(number.accepted())) << number.key << ": " << cells[4];
  }
}

TEST_F(ConfigurationFile, OfTheDocumentationIsSound) {
  const auto text = documented("```toml\n", "```");
  ASSERT_FALSE(text.empty());
  ASSERT_EQ(refusal(text), "");
  EXPECT_TRUE(settle({}, read_configuration(path()).value(), kUser));
}

TEST(Settings, TheSocketLiesByDefaultWhereClientsLook) {
  EXPECT_EQ(default_socket(kUser).value(), "/run/user/1000/esdb.sock");
  EXPECT_EQ(default_socket({.is_root = true}).value(), "/run/esdb/esdb.sock");
  EXPECT_EQ(
      default_socket({.xdg_runtime_dir = "/x", .runtime_directory = "/run/esdb:/run/y"}).value(),
      "/run/esdb/esdb.sock");
  EXPECT_FALSE(default_socket({}));
}

TEST(Settings, TimesHaveAUnit) {
  EXPECT_EQ(parse_time("250ms").value(), std::chrono::milliseconds(250));
  EXPECT_EQ(parse_time("5s").value(), std::chrono::seconds(5));
  EXPECT_EQ(parse_time("2min").value(), std::chrono::minutes(2));
  for (const auto* wrong : {"", "5", "-1s", "1.5s", "s", "5 s", "99999999999999999999s"})
    EXPECT_FALSE(parse_time(wrong)) << wrong;
}

TEST(Settings, SizesAreBytesOrHaveAUnit) {
  EXPECT_EQ(parse_size("1024").value(), 1024u);
  EXPECT_EQ(parse_size("64k").value(), 65536u);
  EXPECT_EQ(parse_size("48MiB").value(), std::size_t{48} << 20);
  EXPECT_EQ(parse_size("2G").value(), std::size_t{2} << 30);
  for (const auto* wrong :
       {"", "-1", "1.5M", "M", "5TB", "16777216T", "99999999999999999999", "17179869184G"})
    EXPECT_FALSE(parse_size(wrong)) << wrong;
}

}  // namespace
}  // namespace esdb::server
