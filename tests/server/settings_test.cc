#include "server/settings.h"

#include <gtest/gtest.h>

#include <fstream>

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
  tests::ScratchDirectory scratch_;
};

TEST_F(ConfigurationFile, SaysEverySetting) {
  ASSERT_EQ(refusal("data = \"/var/lib/esdb\"\n"
                    "listen = [\"unix:/run/esdb/esdb.sock\", \"tcp:127.0.0.1:3732\"]\n"
                    "memory = \"256MiB\"\nsegment_bytes = 1048576\nwrite_unit = 512\n"
                    "event_bytes_max = \"2M\"\nappend_bytes_max = \"8M\"\nlog_level = \"debug\"\n"),
            "");
  const auto settings = settle({}, read_configuration(path()).value(), kUser).value();
  EXPECT_EQ(settings.data, "/var/lib/esdb");
  EXPECT_EQ(settings.listen.size(), 2u);
  EXPECT_EQ(settings.memory, std::size_t{256} << 20);
  EXPECT_EQ(settings.segment_bytes, std::size_t{1} << 20);
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

TEST_F(ConfigurationFile, ThatIsHugeOrMissingIsRefused) {
  EXPECT_NE(refusal(std::string(1 << 20, '#')), "");
  EXPECT_FALSE(read_configuration(scratch_.path() + "/missing.toml"));
  EXPECT_FALSE(read_configuration(scratch_.path()));
}

TEST(Settings, TheCommandLineIsStrongerThanTheFile) {
  const Said line{.data = "line", .listen = {"unix:/tmp/line"}, .memory = std::size_t{64} << 20};
  const Said file{.data = "file", .listen = {"unix:/tmp/file"}, .memory = std::size_t{128} << 20};
  const auto settings = settle(line, file, kUser).value();
  EXPECT_EQ(settings.data, "line");
  EXPECT_EQ(settings.listen.front().path, "/tmp/line");
  EXPECT_EQ(settings.memory, std::size_t{64} << 20);
}

TEST(Settings, OutOfRangeAreRefused) {
  EXPECT_FALSE(settle({}, {}, kUser)) << "no data";
  EXPECT_FALSE(settle({.data = "x", .memory = 1}, {}, kUser));
  EXPECT_FALSE(settle({.data = "x", .memory = std::size_t{1} << 50}, {}, kUser));
  EXPECT_FALSE(settle({.data = "x", .segment_bytes = 3'000'000}, {}, kUser));
  EXPECT_FALSE(settle({.data = "x", .append_bytes_max = kAppendBytesCap + 1}, {}, kUser));
  EXPECT_FALSE(settle({.data = "x", .event_bytes_max = kAppendBytesDefault + 1}, {}, kUser));
  EXPECT_FALSE(settle({.data = "x", .listen = {"tcp:0.0.0.0:3732"}}, {}, kUser));
}

TEST(Settings, TheSocketLiesByDefaultWhereClientsLook) {
  EXPECT_EQ(default_socket(kUser).value(), "/run/user/1000/esdb.sock");
  EXPECT_EQ(default_socket({.is_root = true}).value(), "/run/esdb/esdb.sock");
  EXPECT_EQ(
      default_socket({.xdg_runtime_dir = "/x", .runtime_directory = "/run/esdb:/run/y"}).value(),
      "/run/esdb/esdb.sock");
  EXPECT_FALSE(default_socket({}));
}

TEST(Settings, SizesAreBytesOrHaveAUnit) {
  EXPECT_EQ(parse_size("1024").value(), 1024u);
  EXPECT_EQ(parse_size("64k").value(), 65536u);
  EXPECT_EQ(parse_size("48MiB").value(), std::size_t{48} << 20);
  EXPECT_EQ(parse_size("2G").value(), std::size_t{2} << 30);
  for (const auto* wrong : {"", "-1", "1.5M", "M", "5TB", "99999999999999999999", "17179869184G"})
    EXPECT_FALSE(parse_size(wrong)) << wrong;
}

}  // namespace
}  // namespace esdb::server
