// Networks in folders of Hugging Face: they predict what transformers predicts (tests/parity/huggingface_folder.py).
#include <sys/stat.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>

#include <opencv2/core.hpp>

#include <sectile/data/image_io.h>
#include <sectile/error.h>

#include "support/scratch.h"
#include "support/test.h"

#include "parity/compare.h"
#include "upper/network/open.h"
#include "upper/weights/files/safetensors.h"
#include "upper/weights/weights.h"

using namespace sectile;
using namespace sectile::test;
namespace fs = std::filesystem;

namespace {

Ran hub_program(const std::string& words) { return sectile::test::sectile(words); }

// uint8, as formula_image of the script
cv::Mat hub_image(int height, int width) {
  cv::Mat image(height, width, CV_8UC3);
  auto* value = image.ptr<std::uint8_t>();
  for (std::size_t i = 0; i < image.total() * 3; ++i)
    value[i] = static_cast<std::uint8_t>(std::floor(127.5 * (std::sin(0.05 * static_cast<double>(i)) + 1)));
  return image;
}

// A folder as save_pretrained makes it, with weights by formula.
struct HubNetwork {
  Json wanted = expected("huggingface_folder");
  Scratch folder{};
  fs::path path = folder / "net", image = folder / "image.png";
  int height = wanted["size"][0], width = wanted["size"][1];

  HubNetwork() {
    const auto& config = wanted["config.json"];
    const auto model = make<Model>(R"({"type": "segformer"})", context(static_cast<int>(config["id2label"].size())));
    fill_by_name(model->module());
    folder.write("net/config.json", config.dump());
    use(wanted["cases"][0]);
    std::map<std::string, at::Tensor> tensors;
    for (const auto& [name, tensor] : state_dict(model->module())) tensors.emplace(name, tensor);
    write_safetensors(path / "model.safetensors", tensors);
    write_png(image, hub_image(height, width));
  }
  void use(const Json& entry) const {
    folder.write("net/preprocessor_config.json", entry["preprocessor_config.json"].dump());
  }
  // float [1, C, H, W]
  at::Tensor logits_of(const fs::path& network) const {
    const auto out = folder / "out";
    const auto ran = hub_program(std::string("predict ").append(network.string()) + " " + image.string() +
                                 " --raw --no-overlay --overwrite -o " + out.string());
    REQUIRE_MESSAGE(ran.code == 0, ran.output);
    const auto pixels = read_raw_image(out / "image_logits.tif").pixels;
    REQUIRE(pixels.depth() == CV_32F);
    return at::from_blob(pixels.data, {pixels.rows, pixels.cols, pixels.channels()})
        .permute({2, 0, 1})
        .unsqueeze(0)
        .clone();
  }
  std::string refusal() const {
    try {
      open_network(path, {.plugin_path = {SECTILE_BUILD_DIR "/lib/sectile/plugins"}}, [](const std::string&) {});
    } catch (const std::exception& error) {
      return error.what();
    }
    return "";
  }
};

}  // namespace

TEST_CASE("a SegFormer in a folder of Hugging Face gives transformers' logits, with each preprocessing") {
  const HubNetwork hub;
  for (const auto& entry : hub.wanted["cases"]) {
    CAPTURE(entry["preprocessor_config.json"].dump());
    hub.use(entry);
    const auto logits = hub.logits_of(hub.path);
    CHECK(distance(logits, entry["logits"]) < 1e-4);
    const auto labels = read_raw_image(hub.folder / "out/image.png").pixels;
    for (std::size_t i = 0; i < entry["counts"].size(); ++i)
      CHECK(std::abs(cv::countNonZero(labels == static_cast<int>(i)) - entry["counts"][i].get<int>()) <= 5);
  }
}

TEST_CASE("a folder of Hugging Face becomes a checkpoint, and takes changes to its spec") {
  const HubNetwork hub;
  const auto& entry = hub.wanted["cases"][0];
  const auto checkpoint = hub.folder / "net.pth";
  const auto converted = hub_program(std::string("weights convert ").append(hub.path.string()) + " --spec " +
                                     hub.path.string() + " -o " + checkpoint.string());
  REQUIRE_MESSAGE(converted.code == 0, converted.output);
  CHECK(distance(hub.logits_of(checkpoint), entry["logits"]) < 1e-4);
  fs::remove(hub.path / "preprocessor_config.json");  // the default size is 512x512
  const auto ran = hub_program(std::string("predict ").append(hub.path.string()) + " " + hub.image.string() +
                               " --set '/transforms/val/0/size=[96, 128]' --raw --no-overlay --overwrite -o " +
                               (hub.folder / "out").string());
  CHECK(ran.code == 0);
  CHECK_MESSAGE(
      ran.output.find(std::string("note: ").append(hub.path.string()) + " has no preprocessor_config.json") == 0,
      ran.output);
}

TEST_CASE("a folder of Hugging Face without weights, or with those of another network, is an error") {
  const HubNetwork hub;
  auto config = hub.wanted["config.json"];
  config["hidden_sizes"] = {64, 128, 320, 512};
  hub.folder.write("net/config.json", config.dump());
  CHECK_MESSAGE(hub.refusal().find("does not fit model \"segformer\"") != std::string::npos, hub.refusal());
  config = hub.wanted["config.json"];
  config["id2label"].erase("4");
  hub.folder.write("net/config.json", config.dump());
  CHECK_MESSAGE(hub.refusal().find("classes") != std::string::npos, hub.refusal());
  config["id2label"]["4"] = 1;
  config["id2label"].erase("0");
  hub.folder.write("net/config.json", config.dump());
  CHECK(hub.refusal().starts_with((hub.path / "config.json").string() + ": /id2label: has 4 classes, and none of the "
                                                                        "number 0"));
  hub.folder.write("net/config.json", hub.wanted["config.json"].dump());
  fs::remove(hub.path / "model.safetensors");
  CHECK_MESSAGE(hub.refusal().find("without model.safetensors or pytorch_model.bin") != std::string::npos,
                hub.refusal());
  fs::remove(hub.path / "config.json");
  CHECK(hub.refusal() == hub.path.string() +
                             ": is a folder: name the checkpoint in it, such as best.pth; a folder of Hugging Face's "
                             "transformers has a config.json");
}

TEST_CASE("a SegFormer that Python trained and saved predicts the same masks here") {
  const char* named = std::getenv("SECTILE_HF_FOLDER");
  if (!named) {
    MESSAGE("skipped: SECTILE_HF_FOLDER names no folder that tests/parity/huggingface_folder.py made");
    return;
  }
  const Scratch out;
  const fs::path hub = named;
  const auto ran = hub_program(std::string("predict ").append(hub.string()) + " " + (hub / "images").string() +
                               " --no-overlay -o " + out.path().string());
  REQUIRE_MESSAGE(ran.code == 0, ran.output);
  constexpr int kUndecided = 255;
  std::size_t compared = 0;
  for (const auto& file : fs::directory_iterator(hub / "expected")) {
    const auto name = file.path().filename().string();
    CAPTURE(name);
    const auto expected_mask = read_raw_image(file.path()).pixels, mask = read_raw_image(out / name).pixels;
    REQUIRE(mask.size() == expected_mask.size());
    const int differ = cv::countNonZero((mask != expected_mask) & (expected_mask != kUndecided));
    const double share = differ / static_cast<double>(mask.total());
    MESSAGE(name << ": " << differ << " of " << mask.total() << " pixels differ");
    // Of images of another size the logits are resized twice here: to the network's size, then to the image's.
    if (name.find("exact") != std::string::npos)
      CHECK(differ == 0);
    else
      CHECK(share < 0.005);
    ++compared;
  }
  CHECK(compared >= 4);
}

TEST_CASE("a folder whose files are named pipes or links to nowhere is refused, and its probabilities do not matter") {
  const HubNetwork hub;
  const auto problem = [&] {
    const auto out = (hub.folder / "o").string();
    return hub_program("predict " + hub.path.string() + " " + hub.image.string() + " --overwrite -o " + out + " 2>&1")
        .output;
  };
  auto config = hub.wanted["config.json"];
  config["drop_path_rate"] = 1.0, config["classifier_dropout_prob"] = 1.0;
  hub.folder.write("net/config.json", config.dump());
  CHECK(problem().find("error") == std::string::npos);
  fs::remove(hub.path / "preprocessor_config.json");
  fs::create_symlink("nowhere.json", hub.path / "preprocessor_config.json");
  CHECK(problem().find("preprocessor_config.json") != std::string::npos);
  fs::remove(hub.path / "preprocessor_config.json");
  fs::remove(hub.path / "model.safetensors");
  REQUIRE(mkfifo((hub.path / "model.safetensors").c_str(), 0600) == 0);
  CHECK(problem().find("is a folder without model.safetensors") != std::string::npos);
}
