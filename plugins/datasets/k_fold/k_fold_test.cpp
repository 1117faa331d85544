#include <fstream>
#include <set>

#include <sectile/data/image_io.h>
#include <sectile/dataset.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "support/component.h"
#include "support/scratch.h"
#include "support/test.h"

using nlohmann::json;
using namespace sectile;

namespace {

std::vector<std::string> names(json spec, const json& dataset) {
  spec["type"] = "k_fold";
  spec["dataset"] = dataset;
  const auto data = test::make<Dataset>(spec.dump());
  std::vector<std::string> all;
  for (std::size_t i = 0; i < data->size(); ++i) all.push_back(data->id_of(i));
  return all;
}
using Names = std::vector<std::string>;

json synthetic(int count) { return {{"type", "synthetic"}, {"count", count}, {"seed", 0}}; }

std::vector<int> numbers(const json& spec, int size) {
  std::vector<int> all;
  for (const auto& name : names(spec, synthetic(size))) all.push_back(std::stoi(name.substr(2)));
  return all;
}

// Both parts of every fold: each sample is held out once, and otherwise learnt from.
void check_division(json spec, int size) {
  std::set<int> held_out;
  for (int fold = 0; fold < spec["folds"].get<int>(); ++fold) {
    spec["fold"] = fold;
    spec["part"] = "train";
    const auto train = numbers(spec, size);
    spec["part"] = "val";
    const auto val = numbers(spec, size);
    CHECK(std::is_sorted(val.begin(), val.end()));
    CHECK(std::is_sorted(train.begin(), train.end()));
    std::set<int> all(train.begin(), train.end());
    for (const int one : val) CHECK(held_out.insert(one).second);
    all.insert(val.begin(), val.end());
    CHECK(all.size() == train.size() + val.size());
    CHECK(all.size() == static_cast<std::size_t>(size));
  }
  CHECK(held_out.size() == static_cast<std::size_t>(size));
}

class Slices {
 public:
  explicit Slices(const Names& names) {
    for (const auto& name : names) {
      const auto file = folder_.path() / "images" / (name + ".png");
      std::filesystem::create_directories(file.parent_path());
      write_png(file, cv::Mat(1, 1, CV_8U, 0.0));
    }
  }
  json spec() const { return {{"type", "image_folder"}, {"root", folder_.path().string()}}; }

 private:
  test::Scratch folder_;
};

}  // namespace

TEST_CASE("without a seed the folds are those of scikit-learn's KFold") {
  std::ifstream file(SECTILE_SOURCE_DIR "/plugins/datasets/k_fold/expected.json");
  const json cases = json::parse(file);
  CHECK(cases.size() == 6);
  for (const auto& one : cases)
    for (std::size_t fold = 0; fold < one["val"].size(); ++fold)
      CHECK(numbers({{"folds", one["folds"]}, {"fold", fold}, {"part", "val"}}, one["size"]) ==
            one["val"][fold].get<std::vector<int>>());
  check_division({{"folds", 4}}, 11);
}

TEST_CASE("a seed shuffles, and the folds still divide the dataset") {
  check_division({{"folds", 4}, {"seed", 7}}, 11);
  const json val = {{"folds", 2}, {"part", "val"}};
  json seven = val, eight = val;
  seven["seed"] = 7, eight["seed"] = 8;
  CHECK(numbers(seven, 20) == numbers(seven, 20));
  CHECK(numbers(seven, 20) != numbers(eight, 20));
  CHECK(numbers(seven, 20) != numbers(val, 20));
}

TEST_CASE("groups stay together") {
  const Slices slices({"pat1_a", "pat1_b", "pat2_a", "pat10_a", "pat10_b", "pat10_c"});
  const auto part = [&](int fold, const char* name, const json& more = json::object()) {
    json spec = {{"folds", 3}, {"fold", fold}, {"part", name}, {"group", "pat*_"}};
    spec.update(more);
    return names(spec, slices.spec());
  };
  CHECK(part(0, "val") == Names{"pat1_a", "pat1_b"});
  CHECK(part(1, "val") == Names{"pat2_a"});
  CHECK(part(2, "val") == Names{"pat10_a", "pat10_b", "pat10_c"});
  CHECK(part(1, "train") == Names{"pat1_a", "pat1_b", "pat10_a", "pat10_b", "pat10_c"});
  for (int seed = 0; seed < 5; ++seed) {
    std::set<std::string> seen;
    for (int fold = 0; fold < 3; ++fold) {
      std::set<std::string> patients;
      for (const auto& name : part(fold, "val", {{"seed", seed}})) patients.insert(name.substr(0, name.find('_')));
      CHECK(patients.size() == 1);
      CHECK(seen.insert(*patients.begin()).second);
    }
  }
  // A group may be all that follows, here every slice for itself; or what stands before a folder.
  CHECK(part(0, "val", {{"group", "pat*"}}) == Names{"pat1_a", "pat1_b"});
  const Slices folders({"p/1", "p/2", "q/1"});
  CHECK(names({{"folds", 2}, {"part", "val"}, {"group", "*/"}}, folders.spec()) == Names{"p/1", "p/2"});
}

TEST_CASE("folds that cannot be made are refused") {
  const auto pointers = [](const json& spec) {
    std::vector<std::string> found;
    try {
      names(spec, synthetic(4));
    } catch (const SpecError& error) {
      for (const auto& one : error.problems()) found.push_back(one.pointer);
    }
    return found;
  };
  CHECK(pointers({{"folds", 1}}) == Names{"/part/folds"});
  CHECK(pointers({{"folds", 3}, {"fold", 3}}) == Names{"/part/fold"});
  CHECK(pointers({{"fold", -1}}) == Names{"/part/fold"});
  CHECK(pointers({{"part", "test"}}) == Names{"/part/part"});
  CHECK(pointers({{"seed", -1}}) == Names{"/part/seed"});
  CHECK(pointers({{"group", "pat"}}) == Names{"/part/group"});
  CHECK(pointers({{"group", "*_*"}}) == Names{"/part/group"});
  CHECK_THROWS_WITH_AS(names({}, synthetic(4)),
                       doctest::Contains("/part/folds: 5 folds were requested, and the dataset has only 4 samples"),
                       SpecError);
  CHECK_THROWS_WITH_AS(names({{"folds", 2}, {"group", "*-"}}, synthetic(4)), doctest::Contains("has only 1 groups"),
                       SpecError);
  for (const char* group : {"pat*_", "*_", "0-1000*"})
    CHECK_THROWS_WITH_AS(names({{"folds", 2}, {"group", group}}, synthetic(4)),
                         doctest::Contains("/part/group: the sample \"0-0\" does not begin with "), SpecError);
}
