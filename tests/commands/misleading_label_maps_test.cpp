// Label maps of which numbers alone would tell something else than what they show.
#include <fstream>

#include "commands/compared_folders.h"

using sectile::test::ComparedFolders;
namespace fs = std::filesystem;

TEST_CASE("label maps whose numbers would mislead are told of or refused") {
  ComparedFolders folders;
  SUBCASE("masks of 0 and 255, of which 255 is ignored unless it is named") {
    cv::Mat truth = cv::Mat::zeros(10, 10, CV_8U);
    truth.rowRange(0, 2) = 255;
    for (const char* name : {"a", "b", "deep/c"}) folders.write("truth", name, truth);
    for (const char* name : {"a", "b", "deep/c"}) folders.write("found", name, cv::Mat::zeros(10, 10, CV_8U));
    const auto ended = folders.evaluate("--classes 2");
    CHECK(ended.says("20.0 % of the pixels are ignored"));
    CHECK(ended.says("1 of the classes is in no label map (1). If 255 is a class"));
    CHECK(!folders.evaluate("--classes 2 --ignore 255").says("If 255 is a class"));
    const auto table = folders.scratch.write(
        "classes.json", R"({"classes": [{"name": "ground", "value": 0}, {"name": "object", "value": 255}]})");
    CHECK(folders.evaluate("--classes " + table.string()).says("mIoU 0.4000"));
  }
  SUBCASE("a file of classes that ignores nothing") {
    const auto table = folders.scratch.write(
        "classes.json", R"({"classes": [{"name": "a"}, {"name": "b"}, {"name": "c"}], "ignore": []})");
    CHECK(folders.evaluate("--classes " + table.string()).says("values that no class has: 255"));
  }
  SUBCASE("a link to nowhere in both folders") {
    for (const char* side : {"truth", "found"}) fs::create_symlink("nowhere", folders.scratch.path() / side / "d.png");
    CHECK(folders.evaluate().says("d.png: is a link to a file that does not exist"));
  }
  SUBCASE("a JPEG") {
    const auto file = folders.scratch.path() / "found" / "a.png";
    std::ofstream(file, std::ios::binary) << "\xff\xd8\xff";
    CHECK(folders.evaluate().says("is a JPEG, whose compression changes values"));
  }
  SUBCASE("no folder") {
    fs::remove_all(folders.scratch.path() / "truth");
    CHECK(folders.evaluate().says("ROOT/truth: does not exist; expected a folder of label maps or a JSON file"));
  }
  SUBCASE("two metrics of one type: the report says whose rules each follows") {
    const auto report =
        folders.report(R"(--classes 3 --metric iou --metric '{"type": "iou", "preset": "torchvision"}')");
    CHECK(report["conventions"]["iou"].get<std::string>().find("mmsegmentation") != std::string::npos);
    CHECK(report["conventions"]["iou_2"].get<std::string>().find("torchvision") != std::string::npos);
  }
}
