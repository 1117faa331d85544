// Folders of datasets: what is found in them, and what is said where nothing is.
#include <sectile/data/folders.h>
#include <sectile/error.h>

#include "support/scratch.h"
#include "support/test.h"

using namespace sectile;

namespace {
using Names = std::vector<std::string>;
}

TEST_CASE("files and folders are listed by name, without hidden ones, and a link to nowhere is a file") {
  const test::Scratch scratch;
  for (const char* name : {"b.PNG", "a.jpg", ".hidden.jpg", "c.txt", "sub/x.png", ".git/y.png"})
    scratch.write(name, "");
  std::filesystem::create_symlink("nowhere", scratch / "broken.png");
  CHECK(files_in(scratch.path()) == Names{"a.jpg", "b.PNG", "broken.png", "c.txt"});
  CHECK(folders_in(scratch.path()) == Names{"sub"});
  CHECK(files_in(scratch / "none").empty());
  CHECK(files_in(scratch / "a.jpg").empty());
  CHECK(joined(files_in(scratch.path())) == "a.jpg, b.PNG, broken.png, c.txt");
  CHECK(joined({}) == "none");
  CHECK(is_file(scratch / "a.jpg"));
  CHECK_FALSE(is_file(scratch / "sub"));
  CHECK_FALSE(is_folder(scratch / "a.jpg"));
}

TEST_CASE("files are found by their names without suffix, which is of any case, and two of one name are refused") {
  const test::Scratch scratch;
  for (const char* name : {"b.x.PNG", "a.jpg", "c.txt"}) scratch.write(name, "");
  const auto files = files_by_stem(scratch.path(), {".jpg", ".png"});
  REQUIRE(files.size() == 2);
  CHECK(files.at("a") == scratch / "a.jpg");
  CHECK(files.at("b.x") == scratch / "b.x.PNG");
  CHECK(lower_suffix("x/A.B.TIFF") == ".tiff");
  CHECK(lower_suffix("x").empty());
  scratch.write("a.png", "");
  CHECK_THROWS_WITH_AS(files_by_stem(scratch.path(), {".jpg", ".png"}),
                       doctest::Contains(": has two files of one name, a.jpg and a.png: remove one"), DataError);
  CHECK(files_by_stem(scratch.path(), {".png"}).size() == 2);
}

TEST_CASE("a path is what the option names, or the first that is there") {
  const test::Scratch scratch;
  scratch.write("b/x.json", "");
  const auto root = scratch.path();
  const auto find = [&](PathKind kind, const std::optional<std::filesystem::path>& named, const Names& candidates) {
    std::vector<std::filesystem::path> paths;
    for (const auto& name : candidates) paths.push_back(root / name);
    try {
      return test::replaced(find_path(kind, "images", named, paths, "the images").string(), root.string(), "ROOT");
    } catch (const OptionError& error) {
      return test::replaced(error.what(), root.string(), "ROOT");
    }
  };
  CHECK(find(PathKind::folder, {}, {"a", "./b", "c"}) == "ROOT/b");
  CHECK(find(PathKind::file, {}, {"b", "b/x.json"}) == "ROOT/b/x.json");
  CHECK(find(PathKind::folder, root / "b", {"a"}) == "ROOT/b");
  CHECK(find(PathKind::folder, {}, {"a", "c"}) ==
        "images: is missing, and there is neither ROOT/a nor ROOT/c, which should be the images");
  CHECK(find(PathKind::folder, {}, {"a"}) == "images: is missing, and there is no ROOT/a, which should be the images");
  CHECK(find(PathKind::folder, root / "b/x.json", {}) == "images: ROOT/b/x.json is not a folder");
  CHECK(find(PathKind::file, root / "b", {}) == "images: ROOT/b is not a file");
}
