// Weights of classes in a loss, given or from the training data, and counts that are kept from one run to the next.
#include <cstdlib>
#include <fstream>

#include <ATen/ATen.h>

#include <sectile/data/image_io.h>
#include <sectile/data/label_files.h>
#include <sectile/dataset_view.h>
#include <sectile/loss.h>
#include <sectile/losses/class_weights.h>
#include <opencv2/core.hpp>

#include "ground/spec/pipeline_spec.h"
#include "support/component.h"
#include "support/scratch.h"
#include "support/test.h"
#include "upper/loading/class_counter.h"
#include "upper/network/open.h"

using namespace sectile;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kWeighedPixels = 100;  // of each image

// Three images of 100 labelled pixels, of which 50 of the first have class 1. No pixel has class 2.
struct WeighedFolder {
  test::Scratch scratch;
  fs::path cache = scratch.path() / "cache/class_counts";

  WeighedFolder() {
    for (const char* folder : {"images", "masks"}) fs::create_directories(scratch.path() / folder);
    for (const char* name : {"a.png", "b.png", "c.png"}) {
      write_png(scratch.path() / "images" / name, cv::Mat(11, 10, CV_8UC1, cv::Scalar(7)));
      write_mask(name, name[0] == 'a' ? 5 : 0);
    }
  }

  // As if it was written some time ago.
  void write_mask(const char* name, int rows_of_one) const {
    const auto file = scratch.path() / "masks" / name;
    cv::Mat mask(11, 10, CV_8UC1, cv::Scalar(0));
    mask.rowRange(0, rows_of_one).setTo(1);
    mask.row(10).setTo(255);
    write_png(file, mask);
    fs::resize_file(file, 500);  // of one size, whatever is in it: a PNG may be followed by other bytes
    age(file, 60);
  }
  static void age(const fs::path& file, int seconds) {
    fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::seconds(seconds));
  }

  Json spec() const {
    return {{"type", "image_folder"}, {"root", scratch.path()},
            {"images", "images"},     {"masks", "masks"},
            {"ignore", {255}},        {"classes", {{{"name", "x"}}, {{"name", "y"}}, {{"name", "z"}}}}};
  }
  std::shared_ptr<const Dataset> open() const { return test::make<Dataset>(spec().dump()); }
};

// Another dataset that says how often labels were read.
class ReadLabels : public Dataset {
 public:
  explicit ReadLabels(std::shared_ptr<const Dataset> inside) : inside_(std::move(inside)) {}
  mutable int reads = 0;

  std::size_t size() const override { return inside_->size(); }
  Sample read(std::size_t index, Parts wanted) const override {
    CHECK_FALSE(wanted.image);
    reads += wanted.labels;
    return inside_->read(index, wanted);
  }
  const LabelMap& labels() const override { return inside_->labels(); }

 protected:
  std::shared_ptr<const Dataset> inside_;
};

class ReadLabelFiles final : public ReadLabels, public LabelFiles {
 public:
  using ReadLabels::ReadLabels;
  std::optional<std::vector<fs::path>> label_files() const override { return label_files_of(*inside_); }
};

const std::vector<std::int64_t> kWeighedCounts{3 * kWeighedPixels - 50, 50, 0};

// Counts with a new counter, as another run does. Returns how often it read labels.
template <class Reader = ReadLabelFiles>
int reads_of_a_run(const WeighedFolder& folder, std::vector<std::int64_t> expected = kWeighedCounts,
                   const std::string& identity = "a", double least_seconds = 0) {
  const auto data = std::make_shared<Reader>(folder.open());
  const ClassCounter counter(data, false,
                             {.folder = folder.cache, .identity = identity, .least_seconds = least_seconds});
  CHECK(counter() == expected);
  CHECK(counter() == expected);  // counts no second time
  return data->reads;
}

fs::path only_count(const WeighedFolder& folder) {
  std::vector<fs::path> files;
  for (const auto& file : fs::directory_iterator(folder.cache)) files.push_back(file.path());
  REQUIRE(files.size() == 1);
  return files.front();
}

std::vector<double> balanced(const char* options) {
  const WeighedFolder folder;
  auto context = test::context(3);
  context.count_pixels = ClassCounter(folder.open(), false, {});
  struct Holder {
    ClassWeightOptions weights;
    void declare(Options& all) { weights.declare(all, "Weights."); }
  } holder;
  SpecFile file;
  file.json = Json::parse(options);
  SpecReader{test::plugins(), file}.read(&holder, kValueType<Holder>);
  const auto found = holder.weights.weights(context);
  CHECK((found.scalar_type() == at::kDouble));
  return {found.data_ptr<double>(), found.data_ptr<double>() + found.numel()};
}

void check_balanced(const char* options, const std::vector<double>& expected) {
  CAPTURE(options);
  const auto found = balanced(options);
  REQUIRE(found.size() == expected.size());
  for (std::size_t c = 0; c < found.size(); ++c) CHECK(found[c] == doctest::Approx(expected[c]).epsilon(1e-9));
}

}  // namespace

TEST_CASE("weights of classes from the training data, by hand") {
  // Shares of the pixels of images with the class: 250 / 300 and 50 / 100, of which the median is 2 / 3.
  check_balanced(R"({"class_balance": "median_frequency"})", {0.8, 4. / 3, 0});
  // 300 / 250 and 300 / 50, divided by their mean, 3.6.
  check_balanced(R"({"class_balance": "inverse"})", {1 / 3., 5 / 3., 0});
  // 1 / (1 - 0.5^3) and 1 / (1 - 0.5^1), that is 8 / 7 and 2, divided by their mean, 11 / 7.
  check_balanced(R"({"class_balance": "effective_number", "beta": 0.5})", {8 / 11., 14 / 11., 0});
  check_balanced(R"({"class_balance": "effective_number", "beta": 0})", {1, 1, 0});
  check_balanced(R"({"class_balance": "effective_number"})", {0.500375156273, 1.49962484373, 0});
  check_balanced(R"({"class_weights": [1, 2, 0.5]})", {1, 2, 0.5});
}

TEST_CASE("each loss with weights of classes computes them from the training data as if they were given") {
  const WeighedFolder folder;
  auto context = test::context(3);
  context.count_pixels = ClassCounter(folder.open(), false, {});
  const auto logits = at::randn({2, 3, 4, 5}, at::kDouble), labels = at::randint(0, 2, {2, 4, 5}, at::kLong);
  Outputs outputs;
  outputs.logits = logits;
  Batch batch;
  batch.labels = labels;
  for (const char* name : {"cross_entropy", "bce", "ohem_cross_entropy", "topk_cross_entropy"}) {
    CAPTURE(name);
    const auto value = [&](const char* options) {
      const auto json = std::string(R"({"type": ")").append(name).append("\"").append(options).append("}");
      return (*test::make<Loss>(json, context))(outputs, batch).front().value.item<double>();
    };
    const double found = value(R"(, "class_balance": "median_frequency")");
    CHECK(found == doctest::Approx(value(R"(, "class_weights": [0.8, 1.3333333333333333, 0])")).epsilon(1e-12));
    CHECK(std::abs(found - value("")) > 1e-6);
    CHECK(value(R"(, "class_balance": "none")") == value(""));
  }
}

TEST_CASE("weights of classes need training data with labels, and say so") {
  const test::Scratch scratch;
  fs::create_directories(scratch.path() / "images");
  write_png(scratch.path() / "images/a.png", cv::Mat(4, 4, CV_8UC1, cv::Scalar(7)));
  const auto unlabelled = test::make<Dataset>(Json{
      {"type", "image_folder"},
      {"root", scratch.path()},
      {"images", "images"},
      {"classes", {{{"name", "x"}}}}}.dump());
  auto context = test::context(1);
  const char* json = R"({"type": "bce", "class_balance": "inverse"})";
  CHECK_THROWS_WITH_AS(test::make<Loss>(json, context), doctest::Contains("needs training data"), SpecError);
  context.count_pixels = ClassCounter(unlabelled, false, {});
  CHECK_THROWS_WITH_AS(test::make<Loss>(json, context), doctest::Contains("finds no labelled pixel"), SpecError);
}

TEST_CASE("pixels of classes are counted once: the next run reads no label") {
  const WeighedFolder folder;
  CHECK(reads_of_a_run(folder) == 3);
  CHECK(only_count(folder).extension() == ".txt");  // nothing else was left beside it
  CHECK(reads_of_a_run(folder) == 0);
  CHECK(reads_of_a_run(folder, kWeighedCounts, "b") == 3);  // a dataset of other options
  CHECK(reads_of_a_run(folder) == 0);
}

TEST_CASE("counts of a dataset that changed are never used") {
  const WeighedFolder folder;
  const auto masks = folder.scratch.path() / "masks";
  CHECK(reads_of_a_run(folder) == 3);
  WeighedFolder::age(masks / "b.png", 30);  // touched
  CHECK(reads_of_a_run(folder) == 3);
  CHECK(reads_of_a_run(folder) == 0);

  // Another mask of the same size and time, as some programs that copy files leave it.
  const auto time = fs::last_write_time(masks / "b.png");
  folder.write_mask("b.png", 3);
  fs::last_write_time(masks / "b.png", time);
  CHECK(reads_of_a_run(folder, {3 * kWeighedPixels - 80, 80, 0}) == 3);
  CHECK(reads_of_a_run(folder, {3 * kWeighedPixels - 80, 80, 0}) == 0);

  fs::remove(folder.scratch.path() / "images/c.png");
  fs::remove(masks / "c.png");
  CHECK(reads_of_a_run(folder, {2 * kWeighedPixels - 80, 80, 0}) == 2);
}

TEST_CASE("counts of some samples are not used for others of the same files") {
  const WeighedFolder folder;
  const auto count = [&](std::vector<std::size_t> indices) {
    const auto view = std::make_shared<DatasetView>(folder.open(), std::move(indices));
    return ClassCounter(view, false, {.folder = folder.cache, .identity = "a", .least_seconds = 0})();
  };
  CHECK(count({0, 1}) == std::vector<std::int64_t>{2 * kWeighedPixels - 50, 50, 0});
  CHECK(count({1, 2}) == std::vector<std::int64_t>{2 * kWeighedPixels, 0, 0});
}

TEST_CASE("labels that changed just now may change again: their counts are not kept") {
  const WeighedFolder folder;
  WeighedFolder::age(folder.scratch.path() / "masks/b.png", 0);
  CHECK(reads_of_a_run(folder) == 3);
  CHECK_FALSE(fs::exists(folder.cache));
}

TEST_CASE("a broken file of counts is counted anew and replaced") {
  const WeighedFolder folder;
  CHECK(reads_of_a_run(folder) == 3);
  const auto file = only_count(folder);
  std::ifstream in(file);
  const std::string whole{std::istreambuf_iterator<char>(in), {}};
  auto other = whole;
  other[whole.find("250")] = '3';
  for (const auto& broken : {std::string(), std::string("{}"), whole.substr(0, whole.size() / 2), other, whole + "1"}) {
    CAPTURE(broken);
    std::ofstream(file) << broken;
    CHECK(reads_of_a_run(folder) == 3);
    CHECK(reads_of_a_run(folder) == 0);
  }
  fs::remove(file);
  fs::create_directories(file);  // nothing can be kept there
  CHECK(reads_of_a_run(folder) == 3);
  CHECK(reads_of_a_run(folder) == 3);
}

TEST_CASE("counts are not kept without names of files, without a folder, or where counting takes no time") {
  const WeighedFolder folder;
  CHECK(reads_of_a_run<ReadLabels>(folder) == 3);
  CHECK(reads_of_a_run(folder, kWeighedCounts, "a", 60) == 3);
  CHECK_FALSE(fs::exists(folder.cache));
  folder.scratch.write("cache", "a file where the folder belongs");
  CHECK(reads_of_a_run(folder) == 3);
}

TEST_CASE("datasets inside others name their files of labels, and a file of classes is one") {
  const WeighedFolder folder;
  const auto masks = folder.scratch.path() / "masks";
  const std::vector<fs::path> all{masks / "a.png", masks / "b.png", masks / "c.png"};
  const auto files = [&](const Json& json) { return label_files_of(*test::make<Dataset>(json.dump())); };
  CHECK(files(folder.spec()) == all);
  CHECK(files({{"type", "subset"}, {"dataset", folder.spec()}, {"count", 1}}) == all);
  CHECK(files({{"type", "k_fold"}, {"dataset", folder.spec()}, {"folds", 2}}) == all);
  CHECK(files({{"type", "repeat"}, {"dataset", folder.spec()}, {"times", 2}}) == all);
  auto twice = all;
  twice.insert(twice.end(), all.begin(), all.end());
  CHECK(files({{"type", "concat"}, {"datasets", {folder.spec(), folder.spec()}}}) == twice);

  auto with_classes = all;
  with_classes.push_back(folder.scratch.write("classes.json", R"({"classes": [{"name": "w", "from": ["x", "y"]}]})"));
  CHECK(files({{"type", "remap"}, {"dataset", folder.spec()}, {"classes_file", with_classes.back()}}) == with_classes);
  with_classes.back() = folder.scratch.write("own.json", R"({"classes": [{"name": "x"}, {"name": "y"}]})");
  auto own = folder.spec();
  own.erase("classes"), own.erase("ignore"), own["classes_file"] = with_classes.back();
  CHECK(files(own) == with_classes);

  const Json drawn{{"type", "synthetic"}, {"count", 2}};  // has no files
  CHECK_FALSE(files(drawn));
  CHECK_FALSE(files({{"type", "repeat"}, {"dataset", drawn}, {"times", 2}}));
  CHECK_FALSE(files({{"type", "concat"}, {"datasets", {drawn, drawn}}}));
}

TEST_CASE("datasets of real formats name their files of labels, and are counted once") {
  const char* data = std::getenv("SECTILE_DATA");
  if (!data) {
    MESSAGE("skipped: SECTILE_DATA names no folder of data");
    return;
  }
  const fs::path root = data, coco = root / "coco-panoptic-mini";
  const std::vector<std::pair<Json, std::string>> sets{
      {{{"type", "voc"}, {"root", root / "voc-mini/VOC2012"}, {"split", "val"}}, ".png"},
      {{{"type", "cityscapes"}, {"root", root / "cityscapes-mini"}, {"split", "val"}}, ".png"},
      {{{"type", "ade20k"}, {"root", root / "ade20k-mini"}, {"split", "validation"}}, ".png"},
      {{{"type", "ade20k_full"}, {"root", root / "format-fixtures/ade20k2020_dataset/dataset"}}, ".png"},
      {{{"type", "coco_panoptic"}, {"annotations", coco / "panoptic_examples.json"}, {"images", coco / "input_images"}},
       ".json"},
      {{{"type", "coco_instances"}, {"root", root / "nuclei-coco"}, {"split", "val"}}, ".json"}};
  for (const auto& [spec, suffix] : sets) {
    CAPTURE(spec.dump());
    const test::Scratch cache;
    const auto run = [&, &part = spec] {
      const Json first{{"type", "subset"}, {"count", 2}, {"dataset", part}};
      const auto counted = std::make_shared<ReadLabelFiles>(test::make<Dataset>(first.dump()));
      const auto files = label_files_of(*counted);
      REQUIRE(files);
      REQUIRE(!files->empty());
      CHECK(files->front().extension() == suffix);
      for (const auto& file : *files) CHECK(fs::exists(file));
      const auto counts = ClassCounter(counted, false, {.folder = cache.path(), .least_seconds = 0})();
      CHECK(*std::max_element(counts.begin(), counts.end()) > 0);
      return std::pair{counted->reads, counts};
    };
    const auto counted = run(), kept = run();
    CHECK(counted.first > 0);
    CHECK(kept.first == 0);
    CHECK(kept.second == counted.second);
  }
}
