// The classes of each training sample, which samplers need: found once, and kept like counts of pixels.
#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>

#include <sectile/data/image_io.h>
#include <sectile/data/label_files.h>
#include <opencv2/core.hpp>

#include "ground/file_notes.h"
#include "support/component.h"
#include "support/scratch.h"
#include "support/test.h"
#include "upper/loading/class_counter.h"

using namespace sectile;
namespace fs = std::filesystem;

namespace {

// Three samples with the classes {0}, {0, 1} and none, in files that were written some time ago.
struct ClassesFolder {
  test::Scratch scratch;
  fs::path cache = scratch.path() / "cache";

  ClassesFolder() {
    for (const char* folder : {"images", "masks"}) fs::create_directories(scratch.path() / folder);
    write_mask("a.png", 0, 0);
    write_mask("b.png", 0, 1);
    write_mask("c.png", 255, 255);
  }
  void write_mask(const char* name, int left, int right) const {
    cv::Mat mask(4, 6, CV_8UC1, cv::Scalar(left));
    mask.colRange(3, 6).setTo(right);
    write_png(scratch.path() / "images" / name, cv::Mat(4, 6, CV_8UC1, cv::Scalar(7)));
    write_png(scratch.path() / "masks" / name, mask);
    fs::last_write_time(scratch.path() / "masks" / name, fs::file_time_type::clock::now() - std::chrono::seconds(60));
  }
  std::shared_ptr<const Dataset> open() const {
    return test::make<Dataset>(Json{{"type", "image_folder"},
                                    {"root", scratch.path()},
                                    {"images", "images"},
                                    {"masks", "masks"},
                                    {"ignore", {255}},
                                    {"classes", {{{"name", "x"}}, {{"name", "y"}}, {{"name", "z"}}}}}
                                   .dump());
  }
};

// Another dataset that says how often its classes were asked for.
class AskedForClasses final : public Dataset, public LabelFiles {
 public:
  explicit AskedForClasses(std::shared_ptr<const Dataset> inside) : inside_(std::move(inside)) {}
  mutable int asked = 0;
  int wrong = -1;  // the sample whose class does not exist

  std::size_t size() const override { return inside_->size(); }
  using Dataset::read;
  Sample read(std::size_t index, Parts wanted) const override {
    CHECK_FALSE(wanted.image);
    return inside_->read(index, wanted);
  }
  const LabelMap& labels() const override { return inside_->labels(); }
  std::vector<int> classes_of(std::size_t index) const override {
    ++asked;
    if (static_cast<int>(index) == wrong) return {3};
    return inside_->classes_of(index);
  }
  std::optional<std::vector<fs::path>> label_files() const override { return label_files_of(*inside_); }

 private:
  std::shared_ptr<const Dataset> inside_;
};

const ClassesOfSamples kClassesOfSamples{{0}, {0, 1}, {}};

// How often a new counter, as another run has, asks for the classes of a sample.
int asked_in_a_run(const ClassesFolder& folder, const ClassesOfSamples& expected = kClassesOfSamples,
                   double least_seconds = 0) {
  const auto data = std::make_shared<AskedForClasses>(folder.open());
  const ClassCounter counter(data, false, {.folder = folder.cache, .identity = "a", .least_seconds = least_seconds});
  CHECK(counter.classes_of_samples() == expected);
  CHECK(counter.classes_of_samples() == expected);
  return data->asked;
}

}  // namespace

TEST_CASE("the classes of samples are found once: the next run asks for none, until a file changes") {
  const ClassesFolder folder;
  CHECK(asked_in_a_run(folder) == 3);
  CHECK(asked_in_a_run(folder) == 0);
  folder.write_mask("c.png", 2, 255);
  CHECK(asked_in_a_run(folder, {{0}, {0, 1}, {2}}) == 3);
  CHECK(asked_in_a_run(folder, {{0}, {0, 1}, {2}}) == 0);
}

TEST_CASE("classes of samples and counts of pixels are kept in files of their own") {
  const ClassesFolder folder;
  const auto pixels = [&] {
    return ClassCounter(folder.open(), false, {.folder = folder.cache, .identity = "a", .least_seconds = 0})();
  };
  CHECK(asked_in_a_run(folder) == 3);
  CHECK(pixels() == std::vector<std::int64_t>{36, 12, 0});
  CHECK(std::distance(fs::directory_iterator(folder.cache), fs::directory_iterator()) == 2);
  CHECK(asked_in_a_run(folder) == 0);
  CHECK(pixels() == std::vector<std::int64_t>{36, 12, 0});
}

TEST_CASE("a broken file of classes of samples is replaced, and none is written where finding them takes no time") {
  const ClassesFolder folder;
  CHECK(asked_in_a_run(folder, kClassesOfSamples, 60) == 3);
  CHECK_FALSE(fs::exists(folder.cache));
  CHECK(asked_in_a_run(folder) == 3);
  const auto file = fs::directory_iterator(folder.cache)->path();
  const auto whole = test::contents(file);
  auto other = whole;
  other[whole.find("2 0 1") + 4] = '2';
  for (const auto& broken : {std::string(), whole.substr(0, whole.size() / 2), other, whole + "1"}) {
    CAPTURE(broken);
    std::ofstream(file) << broken;
    CHECK(asked_in_a_run(folder) == 3);
    CHECK(asked_in_a_run(folder) == 0);
  }
}

TEST_CASE("a sample with a class that does not exist is an error, or has no classes where bad samples are skipped") {
  const ClassesFolder folder;
  const auto data = std::make_shared<AskedForClasses>(folder.open());
  data->wrong = 1;
  CHECK_THROWS_WITH_AS(ClassCounter(data, false, {}).classes_of_samples(),
                       doctest::Contains("sample 1: has the class number 3, and there are 3 classes: expected 0 to 2"),
                       DataError);
  CHECK(ClassCounter(data, true, {}).classes_of_samples() == ClassesOfSamples{{0}, {}, {}});
  // It is told in every run, so that what was found is not kept.
  const CountCache cache{.folder = folder.cache, .identity = "a", .least_seconds = 0};
  data->asked = 0;
  for (int run = 0; run < 2; ++run) ClassCounter(data, true, cache).classes_of_samples();
  CHECK(data->asked == 6);
  const auto notes = take_file_notes();
  CHECK(std::any_of(notes.begin(), notes.end(), [](const std::string& note) {
    return note.find("/data/train: a sample counts for no class: sample 1: has the class number 3") == 0;
  }));
}
