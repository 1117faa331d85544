#include <sys/stat.h>
#include <unistd.h>

#include <sectile/data/list_file.h>
#include <sectile/error.h>

#include "support/scratch.h"
#include "support/test.h"

using namespace sectile;

namespace {

// "1: a|b" for line 1 with two words.
std::vector<std::string> lines(const std::string& text) {
  const test::Scratch scratch;
  std::vector<std::string> all;
  for (const auto& line : read_list(scratch.write("list.txt", text))) {
    std::string joined = std::to_string(line.number) + ":";
    for (const auto& word : line.words) joined += " " + word + "|";
    all.push_back(joined);
  }
  return all;
}
using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("words are parted by blanks, or by tabs alone") {
  CHECK(lines("a\n  b   c \nd") == Lines{"1: a|", "2: b| c|", "3: d|"});
  CHECK(lines("a b\tc d\n\te f \t\n") == Lines{"1: a b| c d|", "2: e f|"});
}

TEST_CASE("empty lines, comments, a byte order mark and carriage returns do not count") {
  CHECK(lines("\xef\xbb\xbf# one\r\n\r\na#b\r\n   # two\n \t \nc\r\n") == Lines{"3: a#b|", "6: c|"});
}

TEST_CASE("a line is kept whole too, for names with blanks") {
  const test::Scratch scratch;
  const auto all = read_list(scratch.write("list.txt", "\t a  b.png \t\r\n"));
  REQUIRE(all.size() == 1);
  CHECK(all[0].text == "a  b.png");
}

TEST_CASE("what is no list is refused by name") {
  const test::Scratch scratch;
  CHECK_THROWS_WITH_AS(lines(" \n# only this\n"), doctest::Contains("list.txt: is empty"), DataError);
  CHECK_THROWS_WITH_AS(lines(std::string("a\nb\0c\n", 6)), doctest::Contains("list.txt, line 2: contains a zero byte"),
                       DataError);
  CHECK_THROWS_WITH_AS(read_list(scratch.path()), doctest::Contains("is a folder"), DataError);
  CHECK_THROWS_WITH_AS(read_list(scratch.path() / "none.txt"), doctest::Contains("No such file"), DataError);
  REQUIRE(mkfifo((scratch / "pipe").c_str(), 0600) == 0);
  CHECK_THROWS_WITH_AS(read_list(scratch / "pipe"), doctest::Contains("is a named pipe"), DataError);
  CHECK_THROWS_WITH_AS(read_list("/dev/zero"), doctest::Contains("has more than 128 MB"), DataError);
}

TEST_CASE("the output of another command is read, as a shell passes it") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  REQUIRE(write(ends[1], "a\nb\n", 4) == 4);
  close(ends[1]);
  CHECK(read_list("/dev/fd/" + std::to_string(ends[0])).size() == 2);
  close(ends[0]);
}
