#include <sectile/data/image_io.h>
#include <sectile/dataset.h>
#include <sectile/notes.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "support/component.h"
#include "support/scratch.h"
#include "support/test.h"

using nlohmann::json;
using namespace sectile;

namespace {

std::shared_ptr<Dataset> concat(const json& datasets) {
  return test::make<Dataset>(json{{"type", "concat"}, {"datasets", datasets}}.dump());
}
json synthetic(int count, int seed) { return {{"type", "synthetic"}, {"count", count}, {"seed", seed}}; }

}  // namespace

TEST_CASE("concat puts datasets one after the other") {
  const auto data = concat({synthetic(2, 1), synthetic(1, 2), synthetic(3, 3)});
  REQUIRE(data->size() == 6);
  const char* names[] = {"1-0", "1-1", "2-0", "3-0", "3-1", "3-2"};
  for (std::size_t i = 0; i < 6; ++i) {
    CHECK(data->id_of(i) == names[i]);
    CHECK(data->read(i).id == names[i]);
    CHECK(data->classes_of(i) == data->Dataset::classes_of(i));
  }
  CHECK_THROWS(data->read(6));
  CHECK(concat({synthetic(2, 1), synthetic(1, 1)})->id_of(2) == "1-0");  // names are left as they are
}

TEST_CASE("concat tells where a class has another number in files, and keeps the first") {
  const test::Scratch folder;
  std::filesystem::create_directories(folder.path() / "images");
  write_png(folder.path() / "images/a.png", cv::Mat(1, 1, CV_8U, 0.0));
  const auto valued = [&](int road, int car) {
    json spec = {{"type", "image_folder"}, {"root", folder.path().string()}};
    spec["classes"] = {{{"name", "road"}, {"value", road}}, {{"name", "car"}, {"value", car}}};
    return spec;
  };
  const auto data = concat({valued(3, 7), valued(3, 7), valued(5, 9), valued(3, 8)});
  CHECK(data->labels().classes[1].category_id == 7);
  CHECK(dynamic_cast<const Notes&>(*data).notes() ==
        std::vector<std::string>{
            "datasets/2 of a concat has other numbers of classes in its files than datasets/0, whose numbers files of "
            "predictions have: \"road\" has 5, and not 3, \"car\" has 9, and not 7",
            "datasets/3 of a concat has other numbers of classes in its files than datasets/0, whose numbers files of "
            "predictions have: \"car\" has 8, and not 7"});
}

TEST_CASE("concat refuses other classes and names the first difference") {
  const test::Scratch folder;
  std::filesystem::create_directories(folder.path() / "images");
  write_png(folder.path() / "images/a.png", cv::Mat(1, 1, CV_8U, 0.0));
  const auto classes = [&](const std::vector<std::string>& names) {
    json spec = {{"type", "image_folder"}, {"root", folder.path().string()}, {"classes", json::array()}};
    for (const auto& name : names) spec["classes"].push_back({{"name", name}});
    return spec;
  };
  const auto problem = [&](const json& second) -> std::string {
    try {
      concat({classes({"a", "b"}), second});
    } catch (const SpecError& error) {
      return error.what();
    }
    return "";
  };
  CHECK(problem(classes({"a", "b"})) == "");
  CHECK(problem(classes({"a", "c"})) ==
        "/part/datasets/1: differs from datasets/0: its class 1 is \"c\", and not \"b\"; concat joins datasets of the "
        "same "
        "classes");
  CHECK(problem(classes({"a"})).find("it has 1 classes, and not 2") != std::string::npos);
  CHECK(problem(classes({"b", "a", "c"})).find("its class 0 is \"b\"") != std::string::npos);
  // The same names, but things: synthetic's.
  const json synthetics = {synthetic(1, 1), classes({"background", "circle", "square", "triangle", "star"})};
  CHECK_THROWS_WITH_AS(concat(synthetics), doctest::Contains("its class 1 is \"circle\" as stuff"), SpecError);
  CHECK_THROWS_WITH_AS(concat(json::array()), doctest::Contains("/part/datasets: must not be empty"), SpecError);
}
