// `sectile predict --split`: the samples of a dataset instead of image files; and `--raw`, the logits.
#include <cmath>
#include <filesystem>
#include <fstream>

#include <sectile/data/image_io.h>
#include <sectile/dataset.h>
#include <opencv2/core.hpp>

#include "commands/trained_run.h"
#include "support/component.h"
#include "support/test.h"

using namespace sectile;
using sectile::test::Ended;
using sectile::test::image;
using sectile::test::Names;
using sectile::test::names_in;
using sectile::test::run;
using sectile::test::sectile_program;
namespace fs = std::filesystem;

namespace {

// A network that predicts several classes.
std::string varied() {
  static const auto ended =
      sectile_program("train " + run().spec.string() + " --set /output=varied --set /train/epochs=20 " +
                      R"(--set '/optimizer={"type": "adamw", "lr": 0.03}' --set '/loss=[{"type": "dice"}]')");
  REQUIRE_MESSAGE(ended.code == 0, ended.text);
  return (run().folder / "varied/last.pth").string();
}

// Of a dataset of one's own as the test split, whose samples have these ids, and no classes and labels.
std::string records(const std::string& ids) {
  return " --plugin-path " SECTILE_BUILD_DIR "/tests/toys --set '/data/test={\"type\": \"toy_records\", \"ids\": [" +
         ids + "]}' ";
}

struct Predicted {
  Ended ended;
  Names names;
};
Predicted predicted(const std::string& words, const std::string& network = run().best()) {
  const auto out = run().folder / "of_split";
  fs::remove_all(out);
  const auto ended = sectile_program("predict " + network + " " + words + " -o " + out.string());
  return {ended, fs::exists(out) ? names_in(out) : Names{}};
}

}  // namespace

TEST_CASE("the labels that are written of a split are those that an evaluation counts") {
  const auto out = run().folder / "counted", report = run().folder / "counted.json";
  const std::string how =
      " --split val --set '/data/val/count=3' "
      "--set '/transforms/val=[{\"type\": \"resize\", \"size\": [40, 24]}, {\"type\": \"normalize\"}]' ";
  for (const auto& joined : {std::string(), "--flip --scales 1,1.5 --ensemble " + varied()}) {
    fs::remove_all(out);
    const auto ended = sectile_program("predict " + varied() + how + joined + " --scores -o " + out.string());
    REQUIRE_MESSAGE(ended.code == 0, ended.text);
    CHECK(ended.says("3 images predicted"));
    const auto measured = sectile_program("evaluate " + varied() + how + joined + " --report " + report.string());
    REQUIRE_MESSAGE(measured.code == 0, measured.text);
    const auto data = test::make<Dataset>(R"({"type": "synthetic", "count": 3, "size": [48, 48], "seed": 2})");
    cv::Mat counts = cv::Mat::zeros(5, 5, CV_64F);
    for (std::size_t i = 0; i < 3; ++i) {
      const auto truth = data->read(i).labels;
      const auto mask = read_raw_image(out / (data->id_of(i) + ".png")).pixels;
      REQUIRE(mask.size() == truth.size());
      CHECK(read_raw_image(out / (data->id_of(i) + "_overlay.png")).pixels.size() == truth.size());
      for (int y = 0; y < mask.rows; ++y)
        for (int x = 0; x < mask.cols; ++x)
          if (truth.at<std::int16_t>(y, x) >= 0)
            ++counts.at<double>(truth.at<std::int16_t>(y, x), mask.at<std::uint8_t>(y, x));
    }
    cv::Mat of_class;
    cv::reduce(counts, of_class, 0, cv::REDUCE_SUM);
    CHECK(cv::countNonZero(of_class) > 1);
    const auto json = Json::parse(test::contents(report));
    int row = 0;
    for (const auto& [name, cells] : json["tables"]["iou/confusion matrix (truth in rows)"]["rows"].items()) {
      for (int column = 0; column < 5; ++column)
        CHECK(cells[static_cast<std::size_t>(column)].get<double>() == counts.at<double>(row, column));
      ++row;
    }
    CHECK(row == 5);
  }
}

TEST_CASE("samples that are in no image file, with neither classes nor labels, are predicted under their ids") {
  const auto [ended, names] = predicted("--split test" + records(R"("town/a.PNG", "./scan.v1.npy", "b")"));
  CAPTURE(ended.text);
  CHECK(ended.code == 0);
  CHECK(names == Names{"b.png", "b_overlay.png", "scan.v1.npy.png", "scan.v1.npy_overlay.png", "town/a.png",
                       "town/a_overlay.png"});
  CHECK(read_info(run().folder / "of_split/b.png").size.height == 22);
  const auto again = sectile_program("predict " + run().best() + " --split test" + records(R"("b")") + "-o " +
                                     (run().folder / "of_split").string());
  CHECK(again.code == 2);
  CHECK(again.says("b.png: exists already (and 1 more)"));
}

TEST_CASE("a split is predicted without its metrics, from a checkpoint or a spec") {
  const std::string words = "--split test --no-overlay" + records(R"("a")") + " --set '/metrics=[{\"type\": ";
  CHECK(predicted(words + "\"absent\"}]'").names == Names{"a.png"});
  const auto evaluated = sectile_program("evaluate " + run().spec.string() + " --split test" + records(R"("a")") +
                                         "--set '/metrics=[{\"type\": \"toy_recall\"}]'");
  CHECK(evaluated.says("\"toy_recall\" needs instances"));
  const auto [ended, names] = predicted(words + "\"toy_recall\"}]'", run().spec.string());
  CHECK_MESSAGE(ended.code == 0, ended.text);
  CHECK(names == Names{"a.png"});
}

TEST_CASE("a split that cannot be predicted is refused") {
  const auto refused = [](const std::string& words, const std::string& message) {
    const auto [ended, names] = predicted(words);
    CHECK(ended.code == 2);
    CHECK_MESSAGE(ended.says(message), ended.text);
    CHECK(names.empty());
  };
  refused("--split valid", "unknown split \"valid\"; known: train, val, test");
  refused("--split ''", "unknown split \"\"");
  refused("--split test", "/data/test: is missing: the spec has no such split");
  const std::string beside = "--split: cannot be combined with inputs, --list or --recursive";
  refused("--split val photo.png", beside);
  refused("--split val --list names.txt", beside);
  refused("--split val --recursive", beside);
  refused("", "a dataset of the spec with --split NAME");
  const std::string ids = "--split test";
  refused(ids + records(R"("a.png", "a.jpg")"), "a.jpg: and a.png would both be written to");
  refused(ids + records(R"("a.png", "a.jpg")"), "samples need distinct ids");
  refused(ids + records(R"("a", "./a")"), "would both be written to");
  for (const char* id : {"../a", "a/../../b", "..", "/tmp/a.png"})
    refused(ids + records("\"" + std::string(id) + "\""),
            std::string(id) + ": is the id of a sample, and would name a prediction outside the output folder");
  for (const char* id : {"", ".", "a/", "a/.", "a\\u0000b"})
    refused(ids + records(R"("b", ")" + std::string(id) + "\""), "sample 1: has the id \"");
  refused(ids + records(R"("damaged")"), "damaged: is damaged");
  refused(ids + " --skip-bad" + records(R"("damaged", "../a")"), "none of them can be read; the first error: ../a");
}

TEST_CASE("bad samples are left out on demand, and named at the end") {
  const auto [ended, names] =
      predicted("--split test --no-overlay --skip-bad" + records(R"("a", "damaged", "../b", "c")"));
  CHECK(ended.code == 0);
  CHECK(names == Names{"a.png", "c.png"});
  CHECK(ended.says("2 of 4 images could not be read, and were skipped:"));
  CHECK(ended.says("  damaged: is damaged"));
  CHECK(ended.says("  ../b: is the id of a sample"));
}

TEST_CASE("files of the dataset are never replaced") {
  const auto folder = run().folder / "with truth";
  image("with truth/images/a.png", 20, 20);
  const auto truth = image("with truth/masks/a.png", 20, 20, CV_8UC1);
  const auto before = test::contents(truth);
  const auto words = "predict " + run().best() +
                     " --split test --no-overlay --set '/data/test=" + R"({"type": "image_folder", "root": ")" +
                     folder.string() + R"(", "images": "images"}' -o ')";
  const auto refused = sectile_program(words + (folder / "masks").string() + "'");
  CHECK(refused.code == 2);
  CHECK_MESSAGE(refused.says("masks/a.png: exists already; choose another folder with --output DIR"), refused.text);
  CHECK(test::contents(truth) == before);
  const auto forced = sectile_program(words + (folder / "masks").string() + "' --overwrite");
  CHECK(forced.code == 2);
  CHECK_MESSAGE(forced.says("--split: cannot be combined with --overwrite"), forced.text);
  CHECK(test::contents(truth) == before);
  const auto elsewhere = sectile_program(words + (folder / "predictions").string() + "'");
  CHECK_MESSAGE(elsewhere.code == 0, elsewhere.text);
}

TEST_CASE("raw scores are the logits whose arg max is the mask and whose softmax are the scores") {
  const std::string crop = R"([{"type": "random_crop", "size": [32, 32]}, {"type": "normalize"}])";
  for (const auto& how :
       {std::string(), std::string("--set '/inference/window=[32, 32]' "), "--set '/transforms/val=" + crop + "'"}) {
    const auto [ended, names] = predicted("--split val --raw --scores --no-overlay " + how, varied());
    REQUIRE_MESSAGE(ended.code == 0, ended.text);
    REQUIRE(names ==
            Names{"2-0.png", "2-0_logits.tif", "2-0_scores.tif", "2-1.png", "2-1_logits.tif", "2-1_scores.tif"});
    const auto read = [](const std::string& ending) {
      return read_raw_image(run().folder / ("of_split/2-1" + ending)).pixels;
    };
    const auto mask = read(".png"), logits = read("_logits.tif"), scores = read("_scores.tif");
    REQUIRE(logits.type() == CV_32FC(5));
    REQUIRE(logits.size() == mask.size());
    int cut_off = 0;
    double difference = 0;
    for (int y = 0; y < mask.rows; ++y)
      for (int x = 0; x < mask.cols; ++x) {
        const auto* raw = logits.ptr<float>(y, x);
        if (mask.at<std::uint8_t>(y, x) == 255) {
          CHECK(std::all_of(raw, raw + 5, [](float value) { return std::isnan(value); }));
          ++cut_off;
          continue;
        }
        CHECK(std::max_element(raw, raw + 5) - raw == mask.at<std::uint8_t>(y, x));
        double sum = 0;
        for (int c = 0; c < 5; ++c) sum += std::exp(static_cast<double>(raw[c]));
        for (int c = 0; c < 5; ++c)
          difference = std::max(difference, std::abs(std::exp(static_cast<double>(raw[c])) / sum -
                                                     static_cast<double>(scores.ptr<float>(y, x)[c])));
      }
    CHECK(difference < 1e-6);
    CHECK(cut_off == (how.find("random_crop") == std::string::npos ? 0 : 48 * 48 - 32 * 32));
  }
}

TEST_CASE("raw scores of joined predictions are refused") {
  for (const auto& joined : {"ensemble " + run().best(), std::string("flip"), std::string("scales 0.5,1")}) {
    const auto [ended, names] = predicted("--split val --raw --" + joined);
    CHECK(ended.code == 2);
    CHECK_MESSAGE(ended.says("--raw: cannot be combined with --" + joined.substr(0, joined.find(' '))), ended.text);
    CHECK(names.empty());
  }
}
