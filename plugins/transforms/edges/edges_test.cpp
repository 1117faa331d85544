
#include <sectile/error.h>
#include <nlohmann/json.hpp>

#include "support/annotated.h"
#include "support/component.h"
#include "support/transforms.h"

using sectile::kIgnore;
using sectile::Sample;
using sectile::Transform;
using sectile::test::applied;
using sectile::test::make;

namespace {

Sample labelled_for_edges(int rows, int columns, const std::vector<int>& values) {
  return sectile::test::labelled(rows, columns, values, CV_8UC3, 7);
}

std::vector<int> edges_of(const Sample& sample, const std::string& options = "",
                          const sectile::BuildContext& context = {}) {
  const auto json = std::string(R"({"type": "edges")").append(options).append("}");
  const auto map = applied(*make<Transform>(json, context), sample).targets.at("edges");
  CHECK(map.type() == CV_16SC1);
  CHECK(sectile::extent(map) == sectile::extent(sample.image));
  return {map.ptr<std::int16_t>(), map.ptr<std::int16_t>() + map.total()};
}

}  // namespace

TEST_CASE("edges are those of mmsegmentation's GenerateEdge, and ignored where labels are") {
  const auto& expected = sectile::test::expected_of_transform("edges");
  REQUIRE(expected.size() == 7);
  int marked = 0;
  for (const auto& one : expected) {
    CAPTURE(one.dump());
    const auto labels = one["labels"].get<std::vector<int>>();
    auto edges = one["edges"].get<std::vector<int>>();
    for (std::size_t i = 0; i < labels.size(); ++i) {
      marked += edges[i];
      if (labels[i] == kIgnore) edges[i] = kIgnore;
    }
    const auto size = one["size"].get<std::vector<int>>();
    const auto sample = labelled_for_edges(size[0], size[1], labels);
    CHECK(edges_of(sample, std::string(R"(, "width": )").append(one["width"].dump())) == edges);
  }
  CHECK(marked > 50);
}

TEST_CASE("edges of chosen classes are towards all others, and not between these") {
  const auto sample = labelled_for_edges(1, 6, {0, 1, 1, 2, 2, 3});
  const auto context = sectile::test::context(4);
  CHECK(edges_of(sample, R"(, "width": 1)", context) == std::vector<int>{1, 0, 1, 0, 1, 0});
  CHECK(edges_of(sample, R"(, "width": 1, "include": ["1"])", context) == std::vector<int>{1, 0, 1, 0, 0, 0});
  CHECK(edges_of(sample, R"(, "width": 1, "include": ["0", "3"])", context) == std::vector<int>{1, 0, 0, 0, 1, 0});
}

TEST_CASE("edges of overlapping classes are where any of them begins or ends") {
  auto sample = labelled_for_edges(1, 5, {0, 0, 0, 0, 0});
  sample.labels = cv::Mat(1, 5, CV_32FC2);
  const float shares[] = {1, 0, 1, 0.6f, 0.4f, 1, -1, 1, -1, -1};
  std::copy(std::begin(shares), std::end(shares), sample.labels.ptr<float>());
  const auto context = sectile::test::context(2, 3, true);
  CHECK(edges_of(sample, R"(, "width": 1)", context) == std::vector<int>{1, 1, 0, 0, kIgnore});
  CHECK(edges_of(sample, R"(, "width": 1, "include": ["0"])", context) == std::vector<int>{0, 1, 0, kIgnore, kIgnore});
}

TEST_CASE("edges of a volume are also between its slices") {
  Sample volume;
  const int sizes[] = {3, 2, 3};
  volume.image = cv::Mat(3, sizes, CV_8U, cv::Scalar(1));
  volume.labels = cv::Mat(3, sizes, CV_16S, cv::Scalar(0));
  volume.labels.at<std::int16_t>(2, 0, 0) = 1;
  // Of the slice before, all pixels that touch it; in its own, those that mark towards it: below is on the pixel that
  // lies lower, beside on the one at the left, and diagonally on the upper one.
  CHECK(edges_of(volume, R"(, "width": 1)") == std::vector<int>{0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 0});
  CHECK(edges_of(volume, R"(, "width": 3)") == std::vector<int>{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1});

  const auto flat = labelled_for_edges(3, 4, {0, 0, 1, 1, 2, 2, 1, 1, 2, 2, 2, 0});
  auto deep = flat;
  const int one_slice[] = {1, 3, 4};
  deep.image = cv::Mat(3, one_slice, CV_8U, cv::Scalar(1)), deep.labels = cv::Mat(3, one_slice, CV_16S);
  std::copy_n(flat.labels.ptr<std::int16_t>(), 12, deep.labels.ptr<std::int16_t>());
  for (const char* options : {R"(, "width": 1)", R"(, "width": 2)", R"(, "width": 3)"})
    CHECK(edges_of(deep, options) == edges_of(flat, options));
}

TEST_CASE("edges have the name that is asked for, move with the image, and change nothing else") {
  const auto before = sectile::test::annotated();
  auto after = applied(*make<Transform>(R"({"type": "edges", "name": "rims"})"), before);
  CHECK(after.targets.size() == before.targets.size() + 1);
  CHECK(after.labels.data == before.labels.data);
  CHECK(after.image.data == before.image.data);
  const auto rims = after.targets.at("rims").clone();
  after = applied(*make<Transform>(R"({"type": "horizontal_flip", "probability": 1})"), after);
  cv::Mat mirrored;
  cv::flip(rims, mirrored, 1);
  CHECK(cv::norm(after.targets.at("rims"), mirrored, cv::NORM_INF) == 0);
}

TEST_CASE("edges are refused where their name is taken, and not made where there are no labels") {
  const auto edges = make<Transform>(R"({"type": "edges", "name": "linear"})");
  CHECK_THROWS_WITH_AS(applied(*edges, sectile::test::annotated()),
                       doctest::Contains("annotated: has a target \"linear\" already"), sectile::DataError);
  auto unlabelled = sectile::test::annotated();
  unlabelled.labels = cv::Mat(), unlabelled.targets.clear();
  CHECK(applied(*edges, unlabelled).targets.empty());
}

TEST_CASE("edges refuse wrong options and say what they expected") {
  const auto refuses = [](const char* options, const char* message) {
    CAPTURE(options);
    const auto json = std::string(R"({"type": "edges", )").append(options).append("}");
    CHECK_THROWS_WITH_AS(make<Transform>(json, sectile::test::context(2)), doctest::Contains(message),
                         sectile::SpecError);
  };
  refuses(R"("width": 0)", "/part/width");
  refuses(R"("name": "")", "/part/name");
  refuses(R"("include": ["road"])", "/part/include/0: names the class \"road\"");
  refuses(R"("include": ["1", "1"])", "/part/include/1: names the class \"1\" again");
}

TEST_CASE("edges of a volume are as wide across its slices as those of an image across its columns") {
  const auto row = labelled_for_edges(1, 9, {0, 0, 0, 0, 1, 1, 1, 1, 1});
  Sample column;
  const int sizes[] = {9, 1, 1};
  column.image = cv::Mat(3, sizes, CV_8U, cv::Scalar(1));
  column.labels = cv::Mat(3, sizes, CV_16S);
  std::copy_n(row.labels.ptr<std::int16_t>(), 9, column.labels.ptr<std::int16_t>());
  for (const char* width : {"1", "2", "3", "4", "5"}) {
    const auto options = std::string(R"(, "width": )").append(width);
    CHECK(edges_of(column, options) == edges_of(row, options));
  }
}

TEST_CASE("edges by themselves are three pixels wide, as in mmsegmentation") {
  const auto row = labelled_for_edges(1, 9, {0, 0, 0, 0, 1, 1, 1, 1, 1});
  CHECK(edges_of(row) == std::vector<int>{0, 0, 1, 1, 1, 0, 0, 0, 0});
}
