// Label maps of which numbers alone would tell something else than what they show.
#include <fstream>

#include "commands/compared_folders.h"
#include "support/oriented_png.h"

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
  SUBCASE("an editor's hidden lock, a link to nowhere, is no label map") {
    fs::create_symlink("nowhere", folders.scratch.path() / "found/.#a.png");
    CHECK(folders.evaluate().code == 0);
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
  SUBCASE("an EXIF orientation, which turns a label map as it turns a mask of a dataset") {
    const auto file = folders.scratch.path() / "found" / "a.png";
    for (const char* name : {"a", "b", "deep/c"}) {
      const auto truth = sectile::read_raw_image(folders.scratch.path() / "truth" / (std::string(name) + ".png"));
      folders.write("found", name, truth.pixels);
    }
    cv::Mat turned;
    cv::rotate(sectile::read_raw_image(file).pixels, turned, cv::ROTATE_180);
    folders.write("found", "a", turned);
    CHECK(!folders.evaluate().says("mIoU 1"));
    sectile::test::state_orientation(file, 3);
    const auto ended = folders.evaluate();
    CHECK_MESSAGE(ended.says("mIoU 1.0000"), ended.text);
    CHECK(ended.says(
        "note: 1 label map has an EXIF orientation and is turned as it says, as datasets do: ROOT/found/a.png"));
    CHECK(!folders.evaluate("--classes 3 --quiet").says("EXIF"));
  }
  SUBCASE("files of formats that are not read") {
    for (const char* side : {"truth/", "found/"})
      for (const char* name : {"x.npy", "y.gif", "deep/z.GIF", "plain"})
        folders.scratch.write(std::string(side) + name, "x");
    auto ended = folders.evaluate();
    for (const char* side : {"ROOT/truth", "ROOT/found"})
      CHECK_MESSAGE(
          ended.says(std::string("note: ").append(side).append(": files of formats that are not read are passed "
                                                               "over: 1 without suffix, 2 of \".gif\", 1 of \".npy\"")),
          ended.text);
    CHECK(ended.code == 0);
    for (const char* name : {"a.png", "b.png", "deep/c.png"}) fs::remove(folders.scratch.path() / "found" / name);
    ended = folders.evaluate();
    CHECK(ended.code == 2);
    CHECK_MESSAGE(
        ended.says("ROOT/found: has no image; expected a folder of label maps; there are files of formats that "
                   "are not read: 1 without suffix, 2 of \".gif\", 1 of \".npy\""),
        ended.text);
  }
}

TEST_CASE("label maps: an infinite value is not an undefined one, in reports and tables") {
  const ComparedFolders folders;
  cv::Mat truth = cv::Mat::zeros(20, 30, CV_8U);
  truth(cv::Rect(3, 3, 5, 5)) = 1;
  folders.write("truth", "a", truth);
  folders.write("found", "a", cv::Mat::zeros(20, 30, CV_8U));
  for (const char* side : {"truth", "found"})
    for (const char* name : {"b", "deep/c"}) folders.write(side, name, truth);
  const auto report = folders.report("--classes 3 --metric hausdorff95 --metric assd");
  for (const char* name : {"hausdorff95/HD95", "assd/ASSD"}) {
    CHECK(report["values"][name] == "Infinity");
    CHECK(report["per_class"][std::string(name) + " found"][1] == 0);
    CHECK(report["per_class"][name][0].is_number());
    CHECK(report["per_class"][name][1] == "Infinity");
    CHECK(report["per_class"][name][2].is_null());
    CHECK(report["per_image"][0][name] == "Infinity");
  }
  const auto ended = folders.evaluate("--classes 3 --metric hausdorff95 --per-class");
  CHECK_MESSAGE(ended.says("HD95 inf"), ended.text);
}

TEST_CASE("label maps: more classes than a confusion matrix can have are refused before it is made") {
  const ComparedFolders folders;
  const auto ended = folders.evaluate("--classes 32767");
  CHECK(ended.code == 2);
  CHECK_MESSAGE(ended.says("/metrics/0: iou: counts pixels in a matrix of classes x classes, and the data has 32767 "
                           "classes, for which it would take 8.6 GB; expected at most 8192"),
                ended.text);
  CHECK(folders.evaluate("--classes 32767 --metric assd").code == 0);
  CHECK(folders.evaluate("--classes 2000 --threads 3").code == 0);
}

TEST_CASE("label maps: progress is no part of the results, and a report that cannot be written leaves no file") {
  const ComparedFolders folders;
  const auto root = folders.scratch.path().string();
  const auto command = std::string(SECTILE_BUILD_DIR "/bin/sectile evaluate --classes 3 --truth ")
                           .append(root + "/truth --predictions " + root + "/found");
  CHECK(folders.evaluate().says("evaluating 1/3"));
  const auto ran = sectile::test::run(command + " 2>/dev/null");
  CHECK(ran.code == 0);
  CHECK_MESSAGE(ran.output.find("evaluating") == std::string::npos, ran.output);

  const auto file = root + "/report.json";
  folders.report();  // which is larger than 512 bytes
  const auto before = sectile::test::contents(file);
  const auto limited = sectile::test::run("ulimit -f 1; " + command + " --report " + file + " 2>&1");
  CHECK(limited.code == 2);
  CHECK_MESSAGE(
      limited.output.find("report.json: cannot be written: File too large; what it held before is untouched") !=
          std::string::npos,
      limited.output);
  CHECK(sectile::test::contents(file) == before);
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(root)) files += entry.is_regular_file();
  CHECK(files == 1);
}
