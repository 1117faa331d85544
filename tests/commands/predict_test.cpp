// `sectile predict` as a user runs it: which images it takes, what it writes, and what it refuses.
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include <sectile/data/image_io.h>
#include <opencv2/core.hpp>

#include "commands/trained_run.h"
#include "support/test.h"
#include "support/tiff_stack.h"

using namespace sectile;
using sectile::test::image;
using sectile::test::Names;
using sectile::test::names_in;
using sectile::test::run;
using sectile::test::sectile_program;
namespace fs = std::filesystem;

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
  CHECK(
      again.says("note: of 1 skipped image, earlier predictions are still there, such as " + (out / "a.png").string()));
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
