// Which plugins, files and variables a checkpoint leads to, when it is opened.
#include <sys/stat.h>

#include <cstdlib>

#include <ATen/ATen.h>

#include "ground/spec/pipeline_spec.h"
#include "support/component.h"
#include "support/scratch.h"
#include "support/test.h"
#include "upper/network/open.h"
#include "upper/training/trainer.h"

using namespace sectile;
namespace fs = std::filesystem;

namespace {

const fs::path kToys = SECTILE_BUILD_DIR "/tests/plugins";  // with the model "toy"

// A checkpoint of the model "toy", which is in none of the default plugin folders, and changes to it.
struct ToyCheckpoint {
  test::Scratch folder;
  const fs::path file = folder / "last.pth";

  ToyCheckpoint() {
    SpecFile text;
    text.json = Json::parse(R"({
      "data": {"train": {"type": "synthetic", "count": 4, "size": [16, 16], "seed": 1},
               "val": {"type": "synthetic", "count": 2, "size": [16, 16], "seed": 2}},
      "transforms": {"train": [{"type": "horizontal_flip"}, {"type": "normalize"}], "val": [{"type": "normalize"}]},
      "model": {"type": "toy"},
      "loss": [{"type": "cross_entropy"}],
      "metrics": [{"type": "iou"}],
      "train": {"epochs": 1, "workers": 0}
    })");
    text.json["plugin_path"] = {kToys.string()};
    const PluginIndex index({SECTILE_BUILD_DIR "/lib/sectile/plugins", kToys});
    auto pipeline = Pipeline::for_training(index, read_spec(index, text), at::kCPU);
    train(pipeline, folder.path(), {});
  }
  void change(const std::function<void(Checkpoint&, Json&)>& how) const {
    auto checkpoint = load_checkpoint(file);
    auto spec = Json::parse(checkpoint.spec);
    how(checkpoint, spec);
    checkpoint.spec = spec.dump();
    save_checkpoint(file, checkpoint);
  }
  // What is said when it is opened: notes and problems, without the folders that were searched.
  std::vector<std::string> opened(OpenOptions options) const {
    std::vector<std::string> lines;
    const auto note = [&](const std::string& text) { lines.push_back(text); };
    try {
      const auto network = open_network(file, options, note);
      if (!options.split.empty()) network.source(options.split);
    } catch (const SpecError& error) {
      for (const auto& [pointer, message] : error.problems())
        lines.push_back(pointer + ": " + message.substr(0, message.find('\n')));
    } catch (const DataError& error) {
      lines.push_back(error.what());
    }
    return lines;
  }
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a checkpoint's plugin_path is not searched, and a plugin that is missing is named with its version") {
  const ToyCheckpoint toy;
  const std::string said = "; name its folder with \"plugin_path\"";
  CHECK(toy.opened({}) == Lines{"/model/type: this checkpoint's model comes from plugin \"toy 0.1.0\"" + said});
  CHECK(toy.opened({.plugin_path = {kToys}}) == Lines{});
  CHECK(toy.opened({.changes = {"/plugin_path=[\"" + kToys.string() + "\"]"}}) == Lines{});
  CHECK(toy.opened({.changes = {"/model/type=unett"}}).back() ==
        "/model/type: unknown model \"unett\", did you mean \"unet\"?");
  toy.change([](Checkpoint& checkpoint, Json&) {
    for (auto& plugin : checkpoint.plugins)
      if (plugin.kind != "transform") plugin.version = "0.0.9";
  });
  CHECK(toy.opened({.plugin_path = {kToys}}) ==
        Lines{"/model/type: plugin \"toy\" has version 0.1.0, and the checkpoint was made with \"0.0.9\"",
              "/model/backbone/type: plugin \"toy_attention\" has version 0.1.0, and the checkpoint was made with "
              "\"0.0.9\""});
  toy.change([](Checkpoint& checkpoint, Json&) { checkpoint.plugins.clear(); });  // as older versions saved it
  CHECK(toy.opened({}) == Lines{"/model/type: this checkpoint's model comes from plugin \"toy\"" + said});
  CHECK(toy.opened({.plugin_path = {kToys}}) == Lines{});
}

TEST_CASE("a checkpoint needs the plugins of its model and of the transforms for evaluation, and no others") {
  const ToyCheckpoint toy;
  toy.change([](Checkpoint& checkpoint, Json& spec) {
    CHECK(checkpoint.plugins.size() == 3);  // a model, its backbone, a transform
    const Json absent = {{"type", "of_a_plugin_that_is_absent"}, {"option", 1}};
    for (const char* part : {"optimizer", "schedule", "sampler"}) spec[part] = absent;
    for (const char* part : {"loss", "metrics"}) spec[part] = {absent};
    for (const char* split : {"train", "val", "test"}) spec["data"][split] = absent;
    spec["transforms"]["train"] = {absent};
  });
  CHECK(toy.opened({.plugin_path = {kToys}}) == Lines{});
  const std::string missing = " comes from plugin \"of_a_plugin_that_is_absent\"; name its folder with \"plugin_path\"";
  CHECK(toy.opened({.plugin_path = {kToys}, .split = "val"}) ==
        Lines{"/data/val/type: this checkpoint's dataset" + missing,
              "/metrics/0/type: this checkpoint's metric" + missing});
  CHECK(toy.opened({.plugin_path = {kToys}, .split = "val", .metrics = false}) ==
        Lines{"/data/val/type: this checkpoint's dataset" + missing});
  toy.change([](Checkpoint&, Json& spec) { spec["transforms"]["val"] = {{{"type", "absent"}}}; });
  CHECK(toy.opened({.plugin_path = {kToys}}) ==
        Lines{"/transforms/val/0/type: this checkpoint's transform comes from plugin \"absent\"; name its folder with "
              "\"plugin_path\""});
}

TEST_CASE("a checkpoint's spec reads no other file and no environment variable") {
  const ToyCheckpoint toy;
  const auto secret = toy.folder.write("secret.json", R"({"task": "semantic", "secret": 1})");
  toy.change([&](Checkpoint&, Json& spec) { spec["extends"] = secret.string(); });
  CHECK(toy.opened({.plugin_path = {kToys}}).front().find("/extends: unknown option") == 0);
  setenv("SECTILE_TEST_SECRET", "/revealed", 1);
  toy.change([](Checkpoint&, Json& spec) {
    spec.erase("extends");
    spec["data"]["val"] = {{"type", "voc"}, {"root", "${SECTILE_TEST_SECRET}/voc"}, {"split", "val"}};
  });
  CHECK(toy.opened({.plugin_path = {kToys}}) == Lines{});
  const auto said = toy.opened({.plugin_path = {kToys}, .split = "val"});
  REQUIRE(said.size() == 1);
  CAPTURE(said.front());
  CHECK(said.front().find("revealed") == std::string::npos);
  CHECK(said.front().find("${SECTILE_TEST_SECRET}") != std::string::npos);
  unsetenv("SECTILE_TEST_SECRET");
}

TEST_CASE("a file that is neither a checkpoint nor a spec is called that, and a spec may have any suffix") {
  const ToyCheckpoint toy;
  REQUIRE(mkfifo((toy.folder / "pipe").c_str(), 0600) == 0);
  CHECK_THROWS_WITH_AS(open_network(toy.folder / "pipe", {}, [](const std::string&) {}),
                       doctest::Contains("pipe: is a named pipe; expected a file"), DataError);
  const auto said = [](const fs::path& file) -> std::string {
    try {
      open_network(file, {.plugin_path = {kToys}}, [](const std::string&) {});
    } catch (const DataError& error) {
      return std::string(error.what()).substr(file.string().size() + 2);
    } catch (const SpecError& error) {
      return error.what();
    }
    return "opened";
  };
  auto spec = Json::parse(load_checkpoint(toy.file).spec);
  spec["output"] = toy.folder.path().string();
  CHECK(said(toy.folder.write("conf", "\n " + spec.dump(1))) == "opened");
  CHECK(said(toy.folder.write("conf", "learning_rate: 0.1\n")) ==
        "is neither a file of weights (torch.save, safetensors) nor a JSON file");
  CHECK(said(toy.folder.write("conf.json", "learning_rate: 0.1\n")).find("is not valid JSON") != std::string::npos);
}
