// For which datasets counts of classes are kept: of the same options, plugins and files.
#include <cstdlib>
#include <cstring>
#include <fstream>

#include <sectile/data/image_io.h>
#include <sectile/data/label_files.h>
#include <opencv2/core.hpp>

#include "ground/plugins/stamp_reader.h"
#include "ground/spec/dataset_identity.h"
#include "support/component.h"
#include "support/scratch.h"
#include "support/test.h"
#include "upper/loading/class_counter.h"

using namespace sectile;
namespace fs = std::filesystem;

namespace {

std::string identity_in_spec(const Json& dataset, Task task = Task::semantic,
                             const PluginIndex& plugins = test::plugins()) {
  struct Holder {
    Ref<Dataset> part;
    void declare(Options& options) { options.add("part", &part, "The dataset."); }
  } holder;
  SpecFile file;
  file.json["part"] = dataset;
  SpecReader{plugins, file}.read(&holder, kValueType<Holder>);
  return identity_of(task, holder.part);
}

const Json kFolderToCount{{"type", "image_folder"}, {"root", "/data"}, {"classes", {{{"name", "x"}}}}};
const Json kPartToCount{{"type", "subset"}, {"dataset", kFolderToCount}, {"count", 1}};

// Copies of the two plugins with another version in their stamps, or of another time.
struct CopiedPlugins {
  test::Scratch scratch;

  fs::path copy(const std::string& name, const std::string& version) const {
    const auto from = test::plugins().entry("dataset", name).file;
    std::ifstream in(from, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(in), {}};
    std::size_t stamps = 0;
    const std::string magic(kStampMagic, sizeof(kStampMagic));
    for (auto at = bytes.find(magic); at != std::string::npos; at = bytes.find(magic, at + 1), ++stamps)
      bytes.replace(at + offsetof(Stamp, version), version.size() + 1, version.c_str(), version.size() + 1);
    REQUIRE(stamps > 0);
    const auto to = scratch.path() / from.filename();
    std::ofstream(to, std::ios::binary) << bytes;
    fs::last_write_time(to, fs::last_write_time(from));
    return to;
  }
  std::string identity(const Json& dataset) const {
    return identity_in_spec(dataset, Task::semantic, PluginIndex({scratch.path()}));
  }
};

std::string identity_with(const char* folder_version, const char* subset_version) {
  const CopiedPlugins plugins;
  plugins.copy("image_folder", folder_version), plugins.copy("subset", subset_version);
  CHECK(PluginIndex({plugins.scratch.path()}).entry("dataset", "image_folder").version == folder_version);
  return plugins.identity(kPartToCount);
}

}  // namespace

TEST_CASE("counts are kept in the user's cache, by all options of the dataset and the task") {
  const char* before = std::getenv("SECTILE_CACHE");
  const std::string kept = before ? before : "";
  setenv("SECTILE_CACHE", "/some/cache", 1);
  CHECK(CountCache::of_user("x").folder == "/some/cache/class_counts");
  before ? setenv("SECTILE_CACHE", kept.c_str(), 1) : unsetenv("SECTILE_CACHE");

  CHECK(identity_in_spec(kPartToCount) == identity_in_spec(kPartToCount));
  CHECK(identity_in_spec(kPartToCount) != identity_in_spec(kPartToCount, Task::panoptic));
  auto other = kPartToCount;
  other["dataset"]["ignore"] = {254};
  CHECK(identity_in_spec(kPartToCount) != identity_in_spec(other));
  other = kPartToCount;
  other["dataset"]["unknown"] = "error";  // the default
  CHECK(identity_in_spec(kPartToCount) == identity_in_spec(other));
}

TEST_CASE("counts belong to one version and one build of the dataset's plugin, and of those inside it") {
  const auto ours = identity_with("1.0.0", "1.0.0");
  CHECK(ours == identity_in_spec(kPartToCount));  // the same plugins elsewhere
  CHECK(ours != identity_with("1.0.1", "1.0.0"));
  CHECK(ours != identity_with("1.0.0", "1.0.1"));

  const CopiedPlugins rebuilt;
  const auto file = rebuilt.copy("image_folder", "1.0.0");
  CHECK(rebuilt.identity(kFolderToCount) == identity_in_spec(kFolderToCount));
  fs::last_write_time(file, fs::last_write_time(file) + std::chrono::seconds(1));
  CHECK(rebuilt.identity(kFolderToCount) != identity_in_spec(kFolderToCount));
}

// The list of 2017 names the class of object 2, whose number is that of its pixels in the mask of the other split.
TEST_CASE("classes of the full ADE20K of 2017 are counted anew when any text or mask of either split changes") {
  const test::Scratch tree;
  const auto add = [&](const std::string& name, const cv::Vec3b& pixel, const std::string& text) {
    fs::create_directories((tree.path() / name).parent_path());
    write_png(tree.path() / (name + ".jpg"), cv::Mat(2, 2, CV_8UC3, cv::Scalar(3, 2, 1)));
    write_png(tree.path() / (name + "_seg.png"), cv::Mat(2, 2, CV_8UC3, cv::Scalar(pixel[0], pixel[1], pixel[2])));
    write_png(tree.path() / (name + "_parts_1.png"), cv::Mat(2, 2, CV_8UC3, cv::Scalar(0, 0, 0)));
    if (!text.empty()) tree.write(name + "_atr.txt", "001 # 0 # 0 # " + text + " # x # \"\"\n");
  };
  add("images/training/1", {20, 7, 1}, "sky");
  add("images/training/2", {30, 7, 1}, "");
  add("images/validation/3", {30, 7, 1}, "dog");
  const auto now = fs::file_time_type::clock::now();
  for (const auto& entry : fs::recursive_directory_iterator(tree.path()))
    if (entry.is_regular_file()) fs::last_write_time(entry.path(), now - std::chrono::seconds(60));

  const test::Scratch cache;
  const auto open = [&] { return test::make<Dataset>(Json{{"type", "ade20k_full"}, {"root", tree.path()}}.dump()); };
  const auto count = [&] {
    return ClassCounter(open(), false, {.folder = cache.path(), .identity = "a", .least_seconds = 0})();
  };
  const auto kept = [&] {
    std::ifstream in(fs::directory_iterator(cache.path())->path());
    return std::string{std::istreambuf_iterator<char>(in), {}};
  };
  const std::vector<std::int64_t> each{4, 4};
  CHECK(count() == each);
  const auto files = label_files_of(*open());
  REQUIRE(files);
  const auto images = tree.path() / "images";
  CHECK(*files == std::vector<fs::path>{images / "training/1_seg.png", images / "training/2_seg.png",
                                        images / "training/1_atr.txt", images / "training/1_seg.png",
                                        images / "validation/3_atr.txt", images / "validation/3_seg.png"});
  for (const auto& file : *files) {
    CAPTURE(file);
    const auto before = kept();
    CHECK(count() == each);
    CHECK(kept() == before);
    fs::last_write_time(file, fs::last_write_time(file) + std::chrono::seconds(1));
    CHECK(count() == each);
    CHECK(kept() != before);
  }
  write_png(images / "validation/3_seg.png", cv::Mat(2, 2, CV_8UC3, cv::Scalar(40, 7, 1)));
  CHECK(count() == std::vector<std::int64_t>{4, 0});  // the same names, and the dog has another number
}
