// The pages of a TIFF as samples.
#include <sectile/error.h>

#include "image_folder_test.h"
#include "support/test.h"
#include "support/tiff_stack.h"

using namespace sectile::image_folder_tests;
using sectile::DataError;

TEST_CASE("each page of a TIFF is a sample, with its own page of the mask") {
  const Folder folder;
  const auto stack = [](std::initializer_list<double> levels) {
    std::vector<cv::Mat> pages;
    for (const double level : levels) pages.emplace_back(2, 3, CV_8U, cv::Scalar(level));
    return pages;
  };
  sectile::test::write_stack(folder.path() / "images/cell.TIF", stack({10, 11, 12}));
  sectile::test::write_stack(folder.path() / "masks/cell.tiff", stack({0, 1, 0}));
  folder.pair("alone", mask({0, 1, 1, 0}));
  const Names all{"alone", "cell#0001", "cell#0002", "cell#0003"};
  CHECK(ids(folder.spec()) == all);
  const auto dataset = open(folder.spec());
  for (std::size_t i = 0; i < 3; ++i) {
    const auto sample = dataset->read(i + 1);
    CHECK(sample.id == all[i + 1]);
    CHECK(sample.image.at<std::uint8_t>(1, 2) == 10 + i);
    CHECK(labels(sample) == std::vector<int>(6, i == 1));
    CHECK(dataset->classes_of(i + 1) == std::vector<int>{i == 1});
    CHECK(dataset->extent_of(i + 1) == sectile::Extent{1, 2, 3});
  }
  CHECK(ids(folder.spec({{"skip", 2}, {"limit", 1}})) == Names{"cell#0002"});
  CHECK(ids(folder.spec({{"images", "images/*"}, {"masks", "masks/*"}, {"skip", 1}, {"limit", 2}})) ==
        Names{"cell#0001", "cell#0002"});
  folder.text("list.txt", "cell\nalone\n");
  CHECK(ids(folder.spec({{"list", (folder.path() / "list.txt").string()}, {"skip", 2}})) ==
        Names{"cell#0003", "alone"});

  sectile::test::write_stack(folder.path() / "masks/cell.tiff", stack({0, 9, 0}));
  CHECK_THROWS_WITH_AS(open(folder.spec())->read(2), doctest::Contains("cell.tiff, page 2: pixel (0, 0) has value 9"),
                       DataError);
  sectile::test::write_stack(folder.path() / "masks/cell.tiff", stack({0, 1}));
  CHECK(has(problem(folder.spec()), "masks/cell.tiff: has 2 pages, and its image "));
  CHECK(has(problem(folder.spec()), "images/cell.TIF has 3 pages: a mask needs a page for each page"));
  CHECK(ids(folder.spec({{"limit", 1}})) == Names{"alone"});
  fs::remove(folder.path() / "masks/cell.tiff");
  folder.image("masks/cell.png", mask({0, 1, 1, 0}));
  CHECK(has(problem(folder.spec()), "masks/cell.png: has 1 page, and its image "));
}

TEST_CASE("the pages of a TIFF may differ in size, and each has its own") {
  const Folder folder;
  sectile::test::write_stack(folder.path() / "images/cell.tif",
                             {cv::Mat(2, 3, CV_8U, 1.0), cv::Mat(5, 4, CV_8U, 1.0), cv::Mat(1, 7, CV_8U, 1.0)});
  const auto dataset = open({{"type", "image_folder"}, {"root", folder.path().string()}});
  REQUIRE(dataset->size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(dataset->extent_of(i) == dataset->Dataset::extent_of(i));
  CHECK(dataset->extent_of(1) == sectile::Extent{1, 5, 4});
  CHECK_THROWS_WITH_AS(sectile::read_info(folder.path() / "images/cell.tif", {.page = 3}),
                       doctest::Contains("has no page 3"), DataError);
}

TEST_CASE("a damaged TIFF is a bad sample, and does not keep the others from being read") {
  const Folder folder;
  folder.pair("a", mask({0, 1, 1, 0}));
  folder.pair("b", mask({0, 1, 1, 0}));
  fs::remove(folder.path() / "images/b.png");
  folder.text("images/b.tif", std::string("II\x2a\0\xff\xff\0\0", 8));
  const auto dataset = open(folder.spec());
  CHECK(dataset->size() == 2);
  CHECK(dataset->read(0).id == "a");
  CHECK_THROWS_WITH_AS(dataset->read(1), doctest::Contains("b.tif"), DataError);
}
