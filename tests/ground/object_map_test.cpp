// Objects of a sample as one map of numbers.
#include <sectile/transforms/object_map.h>

#include <sectile/error.h>
#include <opencv2/core.hpp>

#include "support/component.h"
#include "support/test.h"

using namespace sectile;

namespace {

using Numbers = std::vector<int>;

Numbers numbers_of(const ObjectMap& objects) {
  CHECK(objects.numbers.type() == CV_32SC1);
  const auto* first = objects.numbers.ptr<std::int32_t>();
  return {first, first + objects.numbers.total()};
}

Sample row_of_objects(const std::vector<int>& labels) {
  Sample sample;
  sample.id = "row";
  sample.image = cv::Mat(1, static_cast<int>(labels.size()), CV_8U, cv::Scalar(0));
  sample.labels = cv::Mat(1, static_cast<int>(labels.size()), CV_16S);
  for (std::size_t i = 0; i < labels.size(); ++i)
    sample.labels.ptr<std::int16_t>()[i] = static_cast<std::int16_t>(labels[i]);
  return sample;
}

Instance painted(const Sample& sample, int from, int count, int category, bool crowd = false) {
  cv::Mat bitmap(sample.image.size(), CV_8U, cv::Scalar(0));
  bitmap.colRange(from, from + count).setTo(255);
  Instance instance;
  instance.category = category;
  instance.mask = Mask(bitmap);
  instance.crowd = crowd;
  return instance;
}

}  // namespace

TEST_CASE("components are connected pixels of one class, numbered in the order of their first pixels") {
  const auto row = row_of_objects({2, 2, 1, kIgnore, 1, 0, 1, 1});
  CHECK(numbers_of(object_map(row, ObjectSource::components, {1, 2})) == Numbers{1, 1, 2, -1, 3, 0, 4, 4});
  CHECK(numbers_of(object_map(row, ObjectSource::automatic, {1})) == Numbers{0, 0, 1, -1, 2, 0, 3, 3});

  Sample corner;
  corner.image = cv::Mat(3, 3, CV_8U, cv::Scalar(0));
  corner.labels = (cv::Mat_<std::int16_t>(3, 3) << 1, 0, 1, 0, 1, 0, 0, 0, 2);
  const auto objects = object_map(corner, ObjectSource::components, {1, 2});
  CHECK(numbers_of(objects) == Numbers{1, 0, 1, 0, 1, 0, 0, 0, 2});
  REQUIRE(objects.boxes.size() == 2);
  CHECK(objects.boxes[0].from == std::array<int, 3>{0, 0, 0});
  CHECK(objects.boxes[0].to == std::array<int, 3>{1, 2, 3});
  CHECK(objects.around(objects.numbers, 1, 0).size() == cv::Size(1, 1));
  CHECK(objects.around(objects.numbers, 1, 1).size() == cv::Size(2, 2));
  CHECK(objects.around(objects.numbers, 1, 1 << 30).size() == cv::Size(3, 3));
}

TEST_CASE("components of a volume are connected across slices") {
  Sample volume;
  const int sizes[] = {3, 2, 2};
  volume.image = cv::Mat(3, sizes, CV_8U, cv::Scalar(0)), volume.labels = cv::Mat(3, sizes, CV_16S, cv::Scalar(0));
  volume.labels.at<std::int16_t>(0, 0, 0) = volume.labels.at<std::int16_t>(1, 1, 1) = 1;
  volume.labels.at<std::int16_t>(2, 0, 0) = 1;
  auto objects = object_map(volume, ObjectSource::components, {1});
  CHECK(objects.boxes.size() == 1);
  CHECK(objects.boxes[0].to == std::array<int, 3>{3, 2, 2});
  volume.labels.at<std::int16_t>(1, 1, 1) = 0;
  objects = object_map(volume, ObjectSource::components, {1});
  CHECK(objects.boxes.size() == 2);
  CHECK(objects.around(objects.numbers, 1, 1).size[0] == 2);
}

TEST_CASE("components of overlapping classes have the later class on top") {
  auto row = row_of_objects({0, 0, 0, 0});
  row.labels = cv::Mat(1, 4, CV_32FC2);
  const float shares[] = {1, 0, 1, 0.5f, 0.4f, -1, -1, -1};
  std::copy(std::begin(shares), std::end(shares), row.labels.ptr<float>());
  CHECK(numbers_of(object_map(row, ObjectSource::components, {0, 1})) == Numbers{1, 2, 0, -1});
  CHECK(numbers_of(object_map(row, ObjectSource::components, {0})) == Numbers{1, 1, 0, -1});
}

TEST_CASE("instances are on top of those before them, crowds are neither, and hidden ones are gone") {
  auto row = row_of_objects({0, 0, kIgnore, 0, 0, 0});
  row.instances = {painted(row, 0, 2, 1), painted(row, 0, 2, 1), painted(row, 1, 2, 2), painted(row, 4, 2, 1, true),
                   painted(row, 5, 1, 2)};
  CHECK(numbers_of(object_map(row, ObjectSource::automatic, {1, 2})) == Numbers{1, 2, 2, 0, -1, 3});
  CHECK(numbers_of(object_map(row, ObjectSource::instances, {2})) == Numbers{0, 1, 1, 0, 0, 2});
}

TEST_CASE("without masks of instances, segments are the objects") {
  auto row = row_of_objects({0, 0, 0, 0, 0});
  row.labels = cv::Mat();
  row.segment_ids = (cv::Mat_<std::int32_t>(1, 5) << 900, 70, 70, 0, 31);
  row.segments = {{900, 1, false}, {70, 2, false}, {31, 1, true}};
  CHECK(numbers_of(object_map(row, ObjectSource::automatic, {1, 2})) == Numbers{1, 2, 2, 0, -1});
  CHECK(numbers_of(object_map(row, ObjectSource::instances, {2})) == Numbers{0, 1, 1, 0, 0});
}

TEST_CASE("a sample without annotation of the kind has no objects, which is not a map without objects") {
  auto row = row_of_objects({0, 1});
  CHECK(object_map(row, ObjectSource::instances, {1}).numbers.empty());
  CHECK(object_map(row, ObjectSource::components, {}).boxes.empty());
  CHECK(numbers_of(object_map(row, ObjectSource::components, {})) == Numbers{0, 0});
  row.labels = cv::Mat();
  CHECK(object_map(row, ObjectSource::automatic, {1}).numbers.empty());
  row.labels = cv::Mat(2, 2, CV_16S, cv::Scalar(0));
  CHECK_THROWS_WITH_AS(object_map(row, ObjectSource::automatic, {1}),
                       doctest::Contains("row: image and labels differ in size"), DataError);
}

TEST_CASE("objects are those of things, or of all classes but the background") {
  using Classes = std::vector<std::int64_t>;
  CHECK(classes_of_objects(*test::context(3).labels) == Classes{1, 2});
  CHECK(classes_of_objects(*test::context(1).labels) == Classes{0});
  CHECK(classes_of_objects(*test::context(2, 3, true).labels) == Classes{0, 1});
  LabelMap things;
  things.classes = {{.name = "car", .thing = true}, {.name = "road"}, {.name = "dog", .thing = true}};
  CHECK(classes_of_objects(things) == Classes{0, 2});
}
