// The commands that compute, as a user runs them: what they print, what they leave, and how they end.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include <sectile/data/image_io.h>
#include <opencv2/core.hpp>

#include "ground/spec/json_text.h"
#include "support/scratch.h"
#include "support/test.h"
#include "support/tiff_stack.h"

using namespace sectile;
namespace fs = std::filesystem;

namespace {

struct Ended {
  int code = -1;
  std::string text;  // both streams
  bool says(const std::string& part) const { return text.find(part) != std::string::npos; }
};

Ended sectile_program(const std::string& words) {
  Ended ended;
  std::FILE* out = popen((SECTILE_BUILD_DIR "/bin/sectile " + words + " 2>&1").c_str(), "r");
  REQUIRE(out != nullptr);
  std::array<char, 4096> buffer;
  while (const auto size = std::fread(buffer.data(), 1, buffer.size(), out)) ended.text.append(buffer.data(), size);
  ended.code = WEXITSTATUS(pclose(out));
  return ended;
}

// A run of a few steps, made once.
struct TrainedRun {
  fs::path folder = fs::temp_directory_path() / ("sectile_commands_" + std::to_string(getpid()));
  fs::path spec = folder / "spec.json";
  Ended training;

  TrainedRun() {
    fs::create_directories(folder);
    std::ofstream(spec) << R"({
      "data": {"train": {"type": "synthetic", "count": 8, "size": [48, 48], "seed": 1},
               "val": {"type": "synthetic", "count": 2, "size": [48, 48], "seed": 2}},
      "transforms": {"train": [{"type": "normalize"}], "val": [{"type": "normalize"}]},
      "model": {"type": "unet", "widths": [4, 8]},
      "loss": [{"type": "cross_entropy"}],
      "metrics": [{"type": "iou"}, {"type": "pixel_accuracy"}],
      "train": {"epochs": 2, "batch_size": 4},
      "output": "run"
    })";
    training = sectile_program("train " + spec.string());
  }
  ~TrainedRun() { fs::remove_all(folder); }
  std::string best() const { return (folder / "run/best.pth").string(); }
};

const TrainedRun& run() {
  static const TrainedRun made;
  return made;
}

fs::path image(const std::string& name, int height, int width, int type = CV_8UC3) {
  cv::Mat pixels(height, width, type);
  cv::randu(pixels, 0, 255);
  const auto file = run().folder / name;
  fs::create_directories(file.parent_path());
  write_png(file, pixels);
  return file;
}

using Names = std::vector<std::string>;

// Of all files below a folder, sorted.
Names names_in(const fs::path& folder) {
  Names names;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) names.push_back(entry.path().lexically_relative(folder).string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

TEST_CASE("training prints a table per class and leaves spec, log and checkpoints") {
  CAPTURE(run().training.text);
  CHECK(run().training.code == 0);
  CHECK(run().training.says("mIoU"));
  CHECK(run().training.says("background"));
  CHECK(run().training.text.find('\r') == std::string::npos);  // plain lines in a pipe
  for (const char* name : {"spec.json", "log.jsonl", "last.pth", "best.pth"})
    CHECK(fs::is_regular_file(run().folder / "run" / name));
}

TEST_CASE("an earlier run is not replaced unless that is asked for") {
  const auto refused = sectile_program("train " + run().spec.string());
  CHECK(refused.code == 2);
  CHECK(refused.says(
      "contains an earlier run; resume it with --resume, choose another folder with --output DIR, or replace it with "
      "--overwrite"));
  CHECK(sectile_program("train " + run().spec.string() + " --overwrite --quiet").code == 0);
}

TEST_CASE("a folder that cannot be made is refused before training") {
  const auto ended = sectile_program("train " + run().spec.string() + " -o " + (run().spec / "below_a_file").string());
  CHECK(ended.code == 2);
  CHECK(ended.says("cannot be made"));
  CHECK(ended.says("choose another folder"));
}

TEST_CASE("a folder that may not be written to or looked into is refused by name, with a way out") {
  if (geteuid() == 0) {
    MESSAGE("skipped: root may write everywhere");
    return;
  }
  const auto closed = run().folder / "closed";
  fs::create_directories(closed);
  for (const auto allowed : {fs::perms::none, fs::perms::owner_read | fs::perms::owner_exec}) {
    fs::permissions(closed, allowed);
    for (const auto& folder : {closed, closed / "below"}) {
      const auto ended = sectile_program("train " + run().spec.string() + " -o " + folder.string());
      CAPTURE(ended.text);
      CHECK(ended.code == 2);
      CHECK(ended.says(closed.string()));
      CHECK(ended.says("Permission denied"));
    }
  }
  fs::permissions(closed, fs::perms::owner_all);
  CHECK(fs::is_empty(closed));
}

TEST_CASE("a run's spec.json trains the same again and a checkpoint evaluates like its spec") {
  CHECK(sectile_program("check " + (run().folder / "run/spec.json").string()).code == 0);
  const auto by_spec = sectile_program("evaluate " + run().spec.string() + " --quiet");
  const auto by_checkpoint = sectile_program("evaluate " + run().best() + " --quiet");
  CHECK(by_spec.code == 0);
  CHECK(by_spec.text == by_checkpoint.text);
  fs::create_directories(run().folder / "only_last");
  fs::copy(run().folder / "run/last.pth", run().folder / "only_last/last.pth", fs::copy_options::overwrite_existing);
  const auto last =
      sectile_program("evaluate " + run().spec.string() + " --set /output=" + (run().folder / "only_last").string());
  CHECK(last.code == 0);
  CHECK(last.says("only_last has no best.pth: using last.pth"));
  const auto missing = sectile_program("evaluate " + run().best() + " --split test");
  CHECK(missing.code == 2);
  CHECK(missing.says("/data/test: is missing"));
}

TEST_CASE("an evaluation lists its worst images and writes all results as JSON, over no file of its own") {
  const auto report = run().folder / "report.json";
  const auto evaluate = "evaluate " + run().best() + " --quiet ";
  const auto ended = sectile_program(evaluate + "--worst 5 --report " + report.string());
  CAPTURE(ended.text);
  CHECK(ended.code == 0);
  CHECK(ended.says("worst images by mIoU:\n  0."));
  std::stringstream text;
  text << std::ifstream(report).rdbuf();
  const auto json = Json::parse(text.str());
  CHECK(json["images"] == 2);
  REQUIRE(json["per_image"].size() == 2);
  CHECK(json["per_class"]["class"].size() == 5);
  const auto& rows = json["tables"]["iou/confusion matrix (truth in rows)"]["rows"];
  REQUIRE(rows.size() == 5);
  double all = 0, right = 0, least = 1;
  std::size_t diagonal = 0;
  for (const auto& [name, row] : rows.items()) {
    for (const double count : row) all += count;
    right += row[diagonal++].get<double>();
  }
  CHECK(all == 2 * 48 * 48);
  CHECK(json["values"]["pixel_accuracy/pixel accuracy"].get<double>() == doctest::Approx(right / all));
  for (const auto& one : json["per_image"]) least = std::min(least, one["iou/mIoU"].get<double>());
  char worst[32];
  std::snprintf(worst, sizeof worst, "mIoU:\n  %.4f  ", least);
  CHECK(ended.says(worst));

  CHECK(sectile_program(evaluate + "--report " + report.string()).code == 0);  // which replaces the earlier one
  const auto refused = [&](const std::string& words, const std::string& reason) {
    const auto kept = fs::file_size(run().best());
    const auto answer = sectile_program(evaluate + words);
    CAPTURE(answer.text);
    CHECK(answer.code == 2);
    CHECK(answer.says(reason));
    CHECK(!answer.says("background"));  // before the evaluation
    CHECK(fs::file_size(run().best()) == kept);
  };
  refused("--worst 0", "--worst: 0 is not a number of images");
  refused("--worst -1", "--worst: -1 is not a number of images");
  refused("--report " + run().best(), "exists, and is not an earlier report");
  refused("--report " + run().spec.string(), "exists, and is not an earlier report");
  std::ofstream(run().folder / "instances.json") << R"({"images": [{"id": 1}], "annotations": []})";
  refused("--report " + (run().folder / "instances.json").string(), "exists, and is not an earlier report");
  refused("--report " + run().folder.string(), "exists, and is not an earlier report");
  refused("--report " + (run().folder / "nowhere/report.json").string(), "cannot be written: No such file");
  refused("--report ''", "--report: expected a file name");
  refused("--scales 0.01", "at scale 0.010000: ");

  const auto both = " --ensemble " + (run().folder / "run/last.pth").string() + " --set /evaluate_at=input";
  refused(both, "/evaluate_at: is input, which differs between the networks");
  const auto predicted = sectile_program("predict " + run().best() + " " + image("seen.png", 20, 20).string() + both +
                                         " -o " + (run().folder / "both").string());
  CHECK_MESSAGE(predicted.code == 0, predicted.text);
}

TEST_CASE("images of any size are predicted into palette masks of their own size, with overlays") {
  const auto color = image("color.png", 37, 61), grey = image("grey.png", 50, 20, CV_8UC1);
  const auto out = run().folder / "predictions";
  const auto ended =
      sectile_program("predict " + run().best() + " " + color.string() + " " + grey.string() + " -o " + out.string());
  CAPTURE(ended.text);
  CHECK(ended.code == 0);
  const auto mask = read_raw_image(out / "color.png");
  CHECK(mask.pixels.size() == cv::Size(61, 37));
  CHECK(!mask.palette.empty());
  CHECK(read_raw_image(out / "color_overlay.png").pixels.channels() == 3);
  CHECK(read_raw_image(out / "grey.png").pixels.size() == cv::Size(20, 50));
}

TEST_CASE("a damaged image is named, and nothing half-written is left") {
  const auto whole = image("whole.png", 40, 40);
  const auto cut = run().folder / "cut.png";
  fs::copy_file(whole, cut, fs::copy_options::overwrite_existing);
  fs::resize_file(cut, fs::file_size(cut) / 2);
  const auto out = run().folder / "damaged";
  const auto ended = sectile_program("predict " + run().best() + " " + cut.string() + " -o " + out.string());
  CHECK(ended.code == 2);
  CHECK(ended.says("cut.png"));
  CHECK(fs::is_empty(out));
  CHECK(sectile_program("predict " + run().best() + " " + (run().folder / "nowhere.png").string()).code == 2);
}

TEST_CASE("images whose predictions would overwrite each other or themselves are refused") {
  const auto first = image("same.png", 20, 20);
  fs::create_directories(run().folder / "other");
  fs::copy_file(first, run().folder / "other/same.png", fs::copy_options::overwrite_existing);
  const auto both =
      sectile_program("predict " + run().best() + " " + first.string() + " " +
                      (run().folder / "other/same.png").string() + " -o " + (run().folder / "clash").string());
  CHECK(both.code == 2);
  CHECK(both.says("would both be written to"));
  const auto itself =
      sectile_program("predict " + run().best() + " " + first.string() + " -o " + run().folder.string());
  CHECK(itself.code == 2);
  CHECK(itself.says("would be overwritten by its own prediction"));
  fs::copy_file(run().best(), run().folder / "network.png");
  fs::rename(image("net/network.png", 8, 8), run().folder / "net/network.bmp");
  const auto network =
      sectile_program("predict " + (run().folder / "network.png").string() + " " +
                      (run().folder / "net/network.bmp").string() + " --overwrite -o " + run().folder.string());
  CHECK(network.code == 2);
  CHECK(network.says("network.png: would be overwritten by the prediction of"));
  CHECK(fs::file_size(run().folder / "network.png") == fs::file_size(run().best()));
}

TEST_CASE("predictions replace no file unasked, such as the annotations beside the images") {
  const auto folder = run().folder / "mix";
  const auto file = image("mix/a.png", 20, 20);
  fs::rename(file, folder / "a.bmp");  // its bytes say what it is
  for (const char* name : {"a.png", "a_overlay.png"}) std::ofstream(folder / name) << "precious";
  const auto words = "predict " + run().best() + " '" + (folder / "*.bmp").string() + "' -o " + folder.string();
  const auto refused = sectile_program(words);
  CHECK(refused.code == 2);
  CHECK(refused.says("mix/a.png: exists already (and 1 more); choose another folder with --output DIR"));
  for (const char* name : {"a.png", "a_overlay.png"}) CHECK(fs::file_size(folder / name) == 8);
  CHECK(sectile_program(words + " --overwrite").code == 0);
  CHECK(read_info(folder / "a.png").size.height == 20);
}

TEST_CASE("folders are searched for images of every format, also below, and their folders are kept") {
  const auto in = run().folder / "tree";
  fs::create_directories(in / "town/old");
  const auto first = image("tree/b.PNG", 20, 20);
  fs::copy_file(first, in / "a.jpeg");  // its bytes say what it is
  fs::copy_file(first, in / "town/old/a.png");
  std::ofstream(in / "notes.txt") << "no image";
  fs::create_directory_symlink("..", in / "town/circle");
  const auto out = in / "answers";
  const auto flat = sectile_program("predict " + run().best() + " " + in.string() + " -o " + out.string());
  CAPTURE(flat.text);
  CHECK(flat.code == 0);
  CHECK(names_in(out) == Names{"a.png", "a_overlay.png", "b.png", "b_overlay.png"});
  const auto again = "predict " + run().best() + " " + in.string() + " -o " + out.string() + " --recursive --overwrite";
  for (int time = 0; time < 2; ++time) {  // the second time the predictions are there already, below the images
    const auto deep = sectile_program(again);
    CAPTURE(deep.text);
    CHECK(deep.code == 0);
    CHECK(deep.says("3 images predicted"));
  }
  CHECK(names_in(out) ==
        Names{"a.png", "a_overlay.png", "b.png", "b_overlay.png", "town/old/a.png", "town/old/a_overlay.png"});
  const auto none = sectile_program("predict " + run().best() + " " + (in / "town").string());
  CHECK(none.code == 2);
  CHECK(none.says("town: has no images (*.png, "));
  CHECK(none.says("--recursive"));
}

TEST_CASE("patterns that no shell has expanded and lists name images too") {
  const auto in = run().folder / "named [1]";
  fs::create_directories(in / "sub");
  const auto first = image("named [1]/one two.png", 20, 20);
  fs::copy_file(first, in / "sub/x1.png");
  fs::copy_file(first, in / "sub/x2.png");
  std::ofstream(in / "list.txt") << "# images\n\n  one two.png \r\nsub/x?.png\n";
  const auto predicted = [&](const std::string& inputs) {
    const auto out = run().folder / "by_name";
    fs::remove_all(out);
    auto ended =
        sectile_program("predict " + run().best() + " " + inputs + " --no-overlay --quiet -o '" + out.string() + "'");
    return std::pair(ended, fs::exists(out) ? names_in(out) : Names{});
  };
  const auto list = "--list '" + (in / "list.txt").string() + "'";
  CHECK(predicted("'" + (run().folder / "named*/sub/x*.png").string() + "'").second == Names{"x1.png", "x2.png"});
  CHECK(predicted(list).second == Names{"one two.png", "x1.png", "x2.png"});
  CHECK(predicted(list + " '" + first.string() + "'").second == Names{"one two.png", "x1.png", "x2.png"});
  const auto nothing = predicted("'" + (in / "*.jpg").string() + "'").first;
  CHECK(nothing.code == 2);
  CHECK(nothing.says("*.jpg: matches no file"));
  std::ofstream(in / "list.txt") << "one two.png\ngone.png\n";
  const auto gone = predicted(list).first;
  CHECK(gone.code == 2);
  CHECK(gone.says("list.txt, line 2: gone.png: is not there"));
  const auto unnamed = predicted("").first;
  CHECK(unnamed.code == 2);
  CHECK(unnamed.says("--list FILE"));
}

TEST_CASE("each page of a TIFF is predicted, and scores are written in the image's size") {
  const auto in = run().folder / "stack.tif", out = run().folder / "pages";
  cv::Mat first(21, 30, CV_8U), second(12, 17, CV_8U);
  cv::randu(first, 0, 255), cv::randu(second, 0, 255);
  test::write_stack(in, {first, second});
  const auto ended = sectile_program("predict " + run().best() + " " + in.string() + " --scores -o " + out.string());
  CAPTURE(ended.text);
  REQUIRE(ended.code == 0);
  CHECK(names_in(out) == Names{"stack_p0001.png", "stack_p0001_overlay.png", "stack_p0001_scores.tif",
                               "stack_p0002.png", "stack_p0002_overlay.png", "stack_p0002_scores.tif"});
  const auto mask = read_raw_image(out / "stack_p0002.png").pixels;
  const auto scores = read_raw_image(out / "stack_p0002_scores.tif").pixels;
  REQUIRE(scores.size() == cv::Size(17, 12));
  REQUIRE(scores.depth() == CV_32F);
  std::vector<cv::Mat> classes;
  cv::split(scores, classes);
  CHECK(classes.size() > 1);
  for (int y = 0; y < scores.rows; ++y)
    for (int x = 0; x < scores.cols; ++x) {
      double sum = 0;
      std::size_t best = 0;
      for (std::size_t c = 0; c < classes.size(); ++c) {
        sum += static_cast<double>(classes[c].at<float>(y, x));
        if (classes[c].at<float>(y, x) > classes[best].at<float>(y, x)) best = c;
      }
      CHECK(sum == doctest::Approx(1));
      CHECK(mask.at<std::uint8_t>(y, x) == best);
    }
  const auto page = image("stack_p0001.png", 20, 20);
  const auto clash = sectile_program("predict " + run().best() + " " + in.string() + " " + page.string() + " -o " +
                                     (run().folder / "clash").string());
  CHECK(clash.code == 2);
  CHECK(clash.says("stack.tif, page 1 would both be written to"));
  const auto over = sectile_program("predict " + run().best() + " " + in.string() + " " +
                                    image("stack_p0002_overlay.png", 20, 20).string() + " -o " + run().folder.string());
  CHECK(over.code == 2);
}

TEST_CASE("bad images are left out on demand, and named at the end") {
  const auto in = run().folder / "some_bad", out = run().folder / "skipped";
  fs::create_directories(in);
  for (const char* name : {"a.png", "c.png"}) image(std::string("some_bad/") + name, 20, 20);
  std::ofstream(in / "b.png") << "no image";
  write_tiff(in / "d.tif", cv::Mat(20, 20, CV_32FC(5), cv::Scalar::all(0)));
  write_tiff(in / "e.tif", cv::Mat(20, 20, CV_16S, cv::Scalar(-3)));
  const auto words = "predict " + run().best() + " " + in.string() + " -o " + out.string();
  const auto stopped = sectile_program(words);
  CHECK(stopped.code == 2);
  CHECK(stopped.says("b.png"));
  const auto ended = sectile_program(words + " --skip-bad --overwrite");
  CAPTURE(ended.text);
  CHECK(ended.code == 0);
  CHECK(ended.says("2 images predicted"));
  CHECK(ended.says("3 of 5 images could not be read, and were skipped:"));
  CHECK(ended.says("b.png"));
  CHECK(ended.says("d.tif: has 5 channels, and the network expects 3"));
  CHECK(ended.says("e.tif: is CV_16S"));
  CHECK(names_in(out) == Names{"a.png", "a_overlay.png", "c.png", "c_overlay.png"});
  CHECK(!ended.says("earlier predictions"));
  std::ofstream(in / "a.png") << "no image";
  const auto again = sectile_program(words + " --skip-bad --overwrite");
  CHECK(again.says("note: of 1 skipped images, earlier predictions are still there, such as " +
                   (out / "a.png").string()));
  const auto none = sectile_program("predict " + run().best() + " " + (in / "b.png").string() + " --skip-bad");
  CHECK(none.code == 2);
  CHECK(none.says("none of them"));
}

TEST_CASE("networks of other channels predict images of every depth, and overlays show them") {
  const auto in = run().folder / "deep";
  const std::pair<const char*, cv::Mat> kinds[] = {
      {"one", cv::Mat(24, 24, CV_16S)},     {"one", cv::Mat(24, 24, CV_32F)},     {"one", cv::Mat(24, 24, CV_16U)},
      {"six", cv::Mat(24, 24, CV_32FC(6))}, {"six", cv::Mat(24, 24, CV_16SC(6))}, {"six", cv::Mat(24, 24, CV_8UC(6))}};
  for (const char* channels : {"one", "six"}) {
    const auto folder = in / channels;
    for (const auto& [of, pixels] : kinds) {
      if (std::string(of) != channels) continue;
      cv::Mat filled = pixels;
      cv::randu(filled, 0, 100);
      fs::create_directories(folder / "images");
      write_tiff(folder / "images" / ("d" + std::to_string(filled.depth()) + ".tif"), filled);
    }
    for (const auto& entry : fs::directory_iterator(folder / "images")) {
      fs::create_directories(folder / "masks");
      cv::Mat mask = cv::Mat::zeros(24, 24, CV_8U);
      mask.rowRange(0, 12).setTo(1);
      write_png(folder / "masks" / (entry.path().stem().string() + ".png"), mask);
    }
    const std::string data = R"({"type": "image_folder", "root": ")" + folder.string() +
                             R"(", "masks": "masks", "limit": 1, "classes": [{"name": "a"}, {"name": "b"}]})";
    const std::string chain = R"([{"type": "normalize", "max_value": 100}])";
    std::ofstream(folder / "spec.json") << R"({"data": {"train": )" << data << R"(, "val": )" << data
                                        << R"(}, "transforms": {"train": )" << chain << R"(, "val": )" << chain
                                        << R"(}, "model": {"type": "unet", "widths": [4, 8]},
               "loss": [{"type": "cross_entropy"}], "metrics": [{"type": "iou"}],
               "train": {"epochs": 1, "batch_size": 1}, "output": "run"})";
    const auto trained = sectile_program("train " + (folder / "spec.json").string());
    CAPTURE(trained.text);
    REQUIRE(trained.code == 0);
    const auto ended = sectile_program("predict " + (folder / "run/last.pth").string() + " " +
                                       (folder / "images").string() + " -o " + (folder / "out").string());
    CAPTURE(ended.text);
    CHECK(ended.code == 0);
    CHECK(ended.says("3 images predicted"));
    const auto overlay = read_raw_image(folder / "out" / "d5_overlay.png").pixels;
    CHECK(overlay.type() == CV_8UC3);
  }
}

TEST_CASE("a fourth channel is kept for a network that was trained with it, alpha or not") {
  const auto folder = run().folder / "rgb and near infrared";
  for (const char* part : {"images", "masks"}) fs::create_directories(folder / part);
  write_tiff(folder / "images/a.tif", cv::Mat(24, 24, CV_8UC4, cv::Scalar(1, 2, 3, 4)));  // the fourth is alpha
  write_png(folder / "masks/a.png", cv::Mat(24, 24, CV_8U, cv::Scalar(1)));
  std::ofstream(folder / "spec.json") << R"({"data": {"train": {"type": "repeat", "times": 1,
                                "dataset": {"type": "image_folder", "root": ".", "masks": "masks", "channels": 4,
                                            "classes": [{"name": "a"}, {"name": "b"}]}}},
             "model": {"type": "unet", "widths": [4, 8]}, "loss": [{"type": "cross_entropy"}],
             "metrics": [{"type": "iou"}], "train": {"epochs": 1, "batch_size": 1}, "output": "run"})";
  const auto in_quotes = [](const fs::path& file) { return "'" + file.string() + "' "; };
  const auto trained = sectile_program("train " + in_quotes(folder / "spec.json"));
  REQUIRE_MESSAGE(trained.code == 0, trained.text);
  CHECK(!trained.says("alpha"));
  const auto ended = sectile_program("predict " + in_quotes(folder / "run/last.pth") + in_quotes(folder / "images") +
                                     "-o " + in_quotes(folder / "out"));
  CHECK_MESSAGE(ended.code == 0, ended.text);
  fs::create_directories(folder / "later");
  fs::copy_file(folder / "images/a.tif", folder / "later/a.tif");
  const auto without = sectile_program("train " + in_quotes(folder / "spec.json") +
                                       "--overwrite --set /data/train/dataset/channels=null --set '/data/val={" +
                                       R"("type": "image_folder", "root": ".", "images": "later", "masks": "masks",
                                          "classes": [{"name": "a"}, {"name": "b"}]}')");
  for (const std::string images : {"images", "later"}) {
    const auto file = (folder / images / "a.tif").string();
    CHECK_MESSAGE(without.says("note: " + file + ": channel 4 is declared as alpha and left out"), without.text);
  }
}

TEST_CASE("hidden files are no inputs, other formats are counted, and what is no file or no numbers is skipped") {
  const auto in = run().folder / "odd", out = run().folder / "odd answers";
  image("odd/.hidden/a.png", 20, 20);
  image("odd/._b.png", 20, 20);
  image("odd/b.png", 20, 20);
  std::ofstream(in / "notes.txt") << "no image";
  auto jpeg = test::contents(SECTILE_SOURCE_DIR "/tests/ground/formats/ycbcr_420.jpg");
  std::ofstream(in / "cut.jpg") << jpeg.substr(0, jpeg.size() - 2);
  std::ofstream(in / "stray.jpg") << jpeg.insert(jpeg.size() - 2, std::string(600, 'x'));
  write_tiff(in / "nan.tif", cv::Mat(20, 20, CV_32FC3, cv::Scalar::all(std::nan(""))));
  fs::create_symlink("circle.png", in / "circle.png");
  REQUIRE(mkfifo((in / "pipe.png").c_str(), 0600) == 0);
  const auto ended = sectile_program("predict " + run().best() + " " + in.string() + " -o '" + out.string() +
                                     "' --no-overlay --recursive --skip-bad");
  CAPTURE(ended.text);
  CHECK(ended.code == 0);
  CHECK(ended.says("odd: files of formats that cannot be read are left out: 1 of \".txt\""));
  CHECK(ended.says("3 of 6 images could not be read"));
  CHECK(ended.says("note: " + (in / "cut.jpg").string() + ": has no end marker"));
  CHECK(ended.says("note: " + (in / "stray.jpg").string() + ": has bytes that belong to none of its parts"));
  CHECK(ended.says("circle.png: cannot be opened: Too many levels of symbolic links"));
  CHECK(ended.says("nan.tif: pixel (0, 0) is nan"));
  CHECK(ended.says("pipe.png: is not a regular file"));
  CHECK(names_in(out) == Names{"b.png", "cut.png", "stray.png"});
}

TEST_CASE("names that are not UTF-8 are trained on, evaluated, predicted and reported") {
  const auto folder = run().folder / "latin1\xff";
  const std::string name = "caf\xe9";
  image("latin1\xff/images/" + name + ".png", 24, 24);
  write_png((fs::create_directories(folder / "masks"), folder / "masks" / (name + ".png")),
            cv::Mat(24, 24, CV_8U, cv::Scalar(1)));
  for (const char* part : {"images", "masks"})
    fs::copy_file(folder / part / (name + ".png"), folder / part / "z\xe8.png");
  std::ofstream(folder / "images/z\xe8.png") << "no image";
  const std::string data =
      R"({"type": "image_folder", "root": ".", "masks": "masks", "classes": [{"name": "a"}, {"name": "b"}]})";
  std::ofstream(folder / "spec.json") << R"({"data": {"train": )" << data << R"(, "val": )" << data
                                      << R"(, "on_bad_sample": "skip"},
             "model": {"type": "unet", "widths": [4, 8]}, "loss": [{"type": "cross_entropy"}],
             "metrics": [{"type": "iou"}], "train": {"epochs": 1, "batch_size": 2}, "output": "run"})";
  const auto out = folder / "run";
  const auto trained = sectile_program("train " + (folder / "spec.json").string());
  REQUIRE_MESSAGE(trained.code == 0, trained.text);
  std::ifstream log(out / "log.jsonl");
  std::string all;
  for (std::string line; std::getline(log, line); all += line) CHECK(Json::accept(line));
  CHECK(all.find("z\\\\xe8.png: is not an image") != std::string::npos);
  const auto report = folder / "report.json";
  const auto evaluated =
      sectile_program("evaluate " + (folder / "spec.json").string() + " --worst 1 --report " + report.string());
  CHECK_MESSAGE(evaluated.code == 0, evaluated.text);
  std::stringstream text;
  text << std::ifstream(report).rdbuf();
  CHECK(Json::parse(text.str())["per_image"][0]["id"] == "caf\\xe9");
  const auto predicted =
      sectile_program("predict " + (out / "best.pth").string() + " " + (folder / "images" / (name + ".png")).string() +
                      " -o " + (folder / "out").string());
  CHECK_MESSAGE(predicted.code == 0, predicted.text);
  CHECK(fs::exists(folder / "out" / (name + ".png")));
}

TEST_CASE("what cannot be printed is an error, of both programs") {
  for (const std::string words : {"list", "--help", "train --help"}) {
    const auto full = test::run(SECTILE_BUILD_DIR "/bin/sectile " + words + " 2>&1 >/dev/full");
    CHECK(full.code == 1);
    CHECK(full.output == "error: standard output cannot be written: No space left on device\n");
  }
}

TEST_CASE("what is no checkpoint is refused by name") {
  const auto ended = sectile_program("predict " + run().spec.string() + ".txt " + run().spec.string());
  CHECK(ended.code == 2);
  CHECK(ended.says("spec.json.txt: is not a file"));
  const auto folder = sectile_program("predict " + (run().folder / "run").string() + " " + run().spec.string());
  CHECK(folder.code == 2);
  CHECK(folder.says("run: is a folder: name the checkpoint in it"));
}

TEST_CASE("another model is swapped in on the command line, and what was dropped is said") {
  const auto ended = sectile_program("train " + run().spec.string() + " -o " + (run().folder / "swapped").string() +
                                     " --set '/model={\"type\": \"fast_scnn\"}' --set /train/epochs=1");
  CAPTURE(ended.text);
  CHECK(ended.code == 0);
  CHECK(ended.says("/model/widths"));
  CHECK(ended.says("training fast_scnn"));
  const auto refused = sectile_program("evaluate " + run().spec.string() + " --set /model/type=fast_scnn");
  CHECK(refused.code == 2);
  CHECK(refused.says("contains a trained \"unet\", and the spec names the model \"fast_scnn\""));
}

TEST_CASE("every spec that comes along passes all checks") {
  setenv("SECTILE_DATA", "/nowhere", 0);  // checking opens no data
  int specs = 0;
  for (const auto& entry : fs::directory_iterator(SECTILE_SOURCE_DIR "/specs")) {
    if (entry.path().extension() != ".json" || entry.path().stem().string().ends_with("_classes")) continue;
    CAPTURE(entry.path().string());
    const auto ended = sectile_program("check " + entry.path().string());
    CAPTURE(ended.text);
    CHECK(ended.code == 0);
    ++specs;
  }
  CHECK(specs >= 5);
}

TEST_CASE("the quick spec trains as it stands") {
  const auto ended =
      sectile_program("train " SECTILE_SOURCE_DIR "/specs/shapes_quick.json -o " + (run().folder / "quick").string());
  CAPTURE(ended.text);
  CHECK(ended.code == 0);
  CHECK(ended.says("after the last evaluation"));
}

TEST_CASE("the doctor finds LibTorch's own matrix product and one OpenMP runtime") {
  const auto ended = sectile_program("doctor");
  CAPTURE(ended.text);
  CHECK(ended.code == 0);
  CHECK(ended.says("libtorch_cpu.so"));
}

TEST_CASE("a library with another BLAS in front stops every computing command") {
#ifdef __SANITIZE_ADDRESS__
  MESSAGE("skipped: the address sanitizer allows no library in front of its own");
  return;
#endif
  const char* other = "/usr/lib/x86_64-linux-gnu/blas/libblas.so.3";
  if (!fs::exists(other)) {
    MESSAGE("skipped: " << other << " is not here");
    return;
  }
  setenv("LD_PRELOAD", other, 1);
  const auto stopped = sectile_program("train " + run().spec.string());
  unsetenv("LD_PRELOAD");
  CHECK(stopped.code == 2);
  CHECK(stopped.says("its matrix product comes before LibTorch's own"));
}
