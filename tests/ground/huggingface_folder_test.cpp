// The spec that is made of a folder of Hugging Face, and what is wrong with one.
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include <sectile/error.h>

#include "ground/spec/spec_file.h"
#include "ground/weights/huggingface_folder.h"
#include "support/scratch.h"
#include "support/test.h"
#include "support/text_mutator.h"

using namespace sectile;
using namespace sectile::test;
namespace fs = std::filesystem;

namespace {

// As transformers 5.23 writes them.
const std::string kConfig = contents(SECTILE_SOURCE_DIR "/tests/fuzz/config.json");
const std::string kProcessor = contents(SECTILE_SOURCE_DIR "/tests/fuzz/preprocessor_config.json");

struct HubFolder {
  Scratch folder{};

  HubFolder() {
    folder.write("config.json", kConfig);
    folder.write("preprocessor_config.json", kProcessor);
  }
  // The value of a member, or null to leave it out.
  void change(const std::string& file, const std::string& key, const Json& value) const {
    auto json = Json::parse(contents(folder / file));
    if (value.is_null())
      json.erase(key);
    else
      json[key] = value;
    folder.write(file, json.dump());
  }
  Json spec() const { return Json::parse(huggingface_spec(folder.path()).text); }
  Json val() const { return spec()["transforms"]["val"]; }
  std::string problem() const {
    try {
      huggingface_spec(folder.path());
    } catch (const DataError& error) {
      const std::string what = error.what(), place = folder.path().string() + "/";
      return what.starts_with(place) ? what.substr(place.size()) : "elsewhere: " + what;
    }
    return "";
  }
};

std::string config_problem(const std::string& key, const Json& value) {
  const HubFolder hub;
  hub.change("config.json", key, value);
  return hub.problem();
}

std::string processor_problem(const std::string& key, const Json& value) {
  const HubFolder hub;
  hub.change("preprocessor_config.json", key, value);
  return hub.problem();
}

Json resize_with(const Json& size) {
  const HubFolder hub;
  hub.change("preprocessor_config.json", "size", size);
  auto resize = hub.val()[0];
  resize.erase("type");
  resize.erase("interpolation");
  return resize;
}

Json normalize_with(const std::vector<std::pair<std::string, Json>>& changes) {
  const HubFolder hub;
  for (const auto& [key, value] : changes) hub.change("preprocessor_config.json", key, value);
  return hub.val().back();
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a folder of Hugging Face is one with a config.json") {
  const Scratch folder;
  CHECK(!is_huggingface_folder(folder.path()));
  CHECK(!is_huggingface_folder(folder / "absent"));
  const auto file = folder.write("config.json", "{}");
  CHECK(is_huggingface_folder(folder.path()));
  CHECK(!is_huggingface_folder(file));
}

TEST_CASE("the spec of a folder has its model, classes and preprocessing, and the folder as weights") {
  const HubFolder hub;
  const auto made = huggingface_spec(hub.folder.path());
  CHECK(made.notes.empty());
  const auto expected = Json::parse(R"({
    "model": {"type": "segformer", "backbone": {"type": "mit_b0", "drop_path_rate": 0.1}, "decoder_hidden_size": 256,
              "dropout": 0.1, "weights": ""},
    "task": "semantic",
    "data": {"classes": [{"name": "background"}, {"name": "disc"}, {"name": "box"}, {"name": "stripe"}], "channels": 3},
    "transforms": {"val": [
      {"type": "resize", "interpolation": "bilinear", "size": [512, 512]},
      {"type": "normalize", "mean": [0.485, 0.456, 0.406], "deviation": [0.229, 0.224, 0.225]}]}})");
  auto spec = Json::parse(made.text);
  CHECK(spec["model"]["weights"] == hub.folder.path().string());
  spec["model"]["weights"] = "";
  CHECK(nlohmann::json(spec) == nlohmann::json(expected));
}

TEST_CASE("a relative folder becomes an absolute path of weights") {
  const HubFolder hub;
  const auto made = huggingface_spec(fs::relative(hub.folder.path()));
  CHECK(fs::canonical(Json::parse(made.text)["model"]["weights"].get<std::string>()) == hub.folder.path());
  CHECK(Json::parse(made.text)["model"]["weights"].get<std::string>().starts_with('/'));
}

TEST_CASE("the feature extractors that NVIDIA published are read") {
  const HubFolder hub;
  hub.folder.write("config.json", R"({
    "architectures": ["SegformerForSemanticSegmentation"], "attention_probs_dropout_prob": 0.0,
    "classifier_dropout_prob": 0.2, "decoder_hidden_size": 768, "depths": [3, 6, 40, 3],
    "downsampling_rates": [1, 4, 8, 16], "drop_path_rate": 0.2, "hidden_act": "gelu", "hidden_dropout_prob": 0.0,
    "hidden_sizes": [64, 128, 320, 512], "id2label": {"1": "building", "0": "wall"}, "image_size": 224,
    "initializer_range": 0.02, "label2id": {"building": 1, "wall": 0}, "layer_norm_eps": 1e-06,
    "mlp_ratios": [4, 4, 4, 4], "model_type": "segformer", "num_attention_heads": [1, 2, 5, 8],
    "num_encoder_blocks": 4, "patch_sizes": [7, 3, 3, 3], "sr_ratios": [8, 4, 2, 1], "strides": [4, 2, 2, 2],
    "torch_dtype": "float32", "transformers_version": "4.12.0.dev0"})");
  hub.folder.write("preprocessor_config.json", R"({
    "do_normalize": true, "do_resize": true, "feature_extractor_type": "SegformerFeatureExtractor",
    "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "reduce_labels": true, "resample": 2,
    "size": 640})");
  const auto spec = hub.spec();
  CHECK(spec["model"]["backbone"] == Json{{"type", "mit_b5"}, {"drop_path_rate", 0.2}});
  CHECK(spec["model"]["decoder_hidden_size"] == 768);
  CHECK(spec["model"]["dropout"] == 0.2);
  CHECK(spec["data"]["classes"] == Json{{{"name", "wall"}}, {{"name", "building"}}});
  CHECK(spec["transforms"]["val"][0]["size"] == Json{640, 640});
  CHECK(!spec["transforms"]["val"][1].contains("max_value"));
}

TEST_CASE("each of MiT-B0 to B5 is recognized, and another network is refused with what differs") {
  const HubFolder hub;
  hub.change("config.json", "hidden_sizes", {64, 128, 320, 512});
  const std::vector<std::vector<int>> depths{{2, 2, 2, 2}, {3, 4, 6, 3}, {3, 4, 18, 3}, {3, 8, 27, 3}, {3, 6, 40, 3}};
  for (std::size_t i = 0; i < depths.size(); ++i) {
    hub.change("config.json", "depths", depths[i]);
    CHECK(hub.spec()["model"]["backbone"]["type"] == std::string("mit_b").append(std::to_string(i + 1)));
  }
  hub.change("config.json", "depths", {3, 4, 6, 4});
  CHECK(hub.problem() ==
        "config.json: /depths: is [3,4,6,4]; expected for these hidden_sizes [2,2,2,2] (mit_b1), [3,4,6,3] (mit_b2), "
        "[3,4,18,3] (mit_b3), [3,8,27,3] (mit_b4), [3,6,40,3] (mit_b5)");
  CHECK(config_problem("hidden_sizes", {16, 32, 80, 128}) ==
        "config.json: /hidden_sizes: is [16,32,80,128]; expected [32,64,160,256] (mit_b0) or [64,128,320,512] (mit_b1 "
        "to mit_b5)");
  for (const char* key : {"num_attention_heads", "sr_ratios", "patch_sizes", "strides", "mlp_ratios"}) {
    CAPTURE(key);
    CHECK(contains(config_problem(key, {2, 2, 2, 2}),
                   std::string("config.json: /") + key + ": is [2,2,2,2]; expected ["));
    CHECK(config_problem(key, Json()) == "");
  }
  CHECK(config_problem("num_encoder_blocks", 3) == "config.json: /num_encoder_blocks: is 3; expected 4");
  CHECK(config_problem("hidden_act", "relu") == "config.json: /hidden_act: is \"relu\"; expected \"gelu\"");
  CHECK(config_problem("reshape_last_stage", false) == "config.json: /reshape_last_stage: is false; expected true");
  CHECK(config_problem("layer_norm_eps", "any") == "");  // transformers does not use it either
}

TEST_CASE("networks other than SegFormer's for segmentation are refused, with what can be read") {
  const auto other = config_problem("model_type", "mask2former");
  CHECK(other.starts_with("config.json: /model_type: is \"mask2former\"; expected \"segformer\""));
  CHECK(contains(other, "SegformerForSemanticSegmentation"));
  CHECK(contains(other, "write a spec"));
  CHECK(
      config_problem("model_type", Json()).starts_with("config.json: /model_type: is missing; expected \"segformer\""));
  CHECK(config_problem("model_type", 3) == "config.json: /model_type: is 3; expected a text");
  const auto classifier = config_problem("architectures", {"SegformerForImageClassification"});
  CHECK(
      classifier.starts_with("config.json: /architectures: is \"SegformerForImageClassification\"; expected "
                             "\"SegformerForSemanticSegmentation\""));
  CHECK(contains(classifier, "as the backbone's \"weights\""));
  CHECK(config_problem("architectures", Json()) == "");
  CHECK(config_problem("architectures", Json::array()) == "");
  CHECK(contains(config_problem("architectures", "SegformerModel"), "expected [\"SegformerForSemanticSegmentation\"]"));
  CHECK(contains(config_problem("architectures", {3}), "expected [\"SegformerForSemanticSegmentation\"]"));
}

TEST_CASE("classes are in the order of their numbers; absent and equal names are completed") {
  const HubFolder hub;
  const auto names = [&](const Json& labels) {
    hub.change("config.json", "id2label", labels);
    std::vector<std::string> all;
    const auto spec = hub.spec();
    for (const auto& entry : spec["data"]["classes"]) all.push_back(entry["name"]);
    return all;
  };
  using Names = std::vector<std::string>;
  CHECK(names({{"2", "c"}, {"0", "a"}, {"1", "b"}}) == Names{"a", "b", "c"});
  CHECK(names({{"0", ""}, {"1", nullptr}, {"2", 7}}) == Names{"LABEL_0", "LABEL_1", "7"});
  CHECK(names({{"0", "a"}, {"1", "a"}, {"2", "a (1)"}, {"3", "a"}}) == Names{"a", "a (1) (1)", "a (1)", "a (3)"});
  const auto notes = huggingface_spec(hub.folder.path()).notes;
  REQUIRE(notes.size() == 1);
  CHECK(contains(notes[0], "/id2label: 2 classes have the name of an earlier one"));
  CHECK(names(Json()) == Names{"LABEL_0", "LABEL_1"});  // as transformers leaves out what is the default
  hub.change("config.json", "num_labels", 3);
  CHECK(names(Json()) == Names{"LABEL_0", "LABEL_1", "LABEL_2"});
}

TEST_CASE("class numbers with gaps and impossible numbers of classes are errors") {
  CHECK(config_problem("id2label", {{"0", "a"}, {"2", "c"}}) ==
        "config.json: /id2label: has 2 classes, and none of the number 1; expected the numbers from 0 without gaps");
  CHECK(contains(config_problem("id2label", {{"1", "a"}, {"2", "b"}}), "none of the number 0"));
  CHECK(contains(config_problem("id2label", {{"0", "a"}, {"-1", "b"}}), "none of the number 1"));
  CHECK(contains(config_problem("id2label", {{"0", "a"}, {"one", "b"}}), "none of the number 1"));
  CHECK(config_problem("id2label", Json::object()) == "config.json: /id2label: has 0 classes; expected 2 to 32767");
  CHECK(config_problem("id2label", {{"0", "road"}}) == "config.json: /id2label: has 1 class; expected 2 to 32767");
  CHECK(config_problem("id2label", {"a", "b"}) ==
        "config.json: /id2label: expected an object, found an array of 2 values");
  CHECK(config_problem("id2label", {{"0", {1}}, {"1", "b"}}) ==
        "config.json: /id2label/0: is [1]; expected the name of a class");
  CHECK(config_problem("num_labels", 5) == "config.json: /num_labels: is 5; expected 4, as id2label has, or none");
  const HubFolder hub;
  hub.change("config.json", "id2label", Json());
  for (const auto& [count, shown] : {std::pair<Json, std::string>(1'000'000'000, "1000000000"),
                                     {0, "0"},
                                     {-2, "-2"},
                                     {2.5, "2.5"},
                                     {"3", "\"3\""},
                                     {1e300, "1e+300"}}) {
    hub.change("config.json", "num_labels", count);
    CHECK(hub.problem() == "config.json: /num_labels: is " + shown + "; expected a whole number from 2 to 32767");
  }
  Json many = Json::object();
  for (int i = 0; i < 32768; ++i) many.push_back({std::to_string(i), std::string("c").append(std::to_string(i))});
  CHECK(config_problem("id2label", many) == "config.json: /id2label: has 32768 classes; expected 2 to 32767");
}

TEST_CASE("options of the model that are no numbers, or beyond any network's, are errors") {
  CHECK(config_problem("num_channels", -3) ==
        "config.json: /num_channels: is -3; expected a whole number from 1 to 512");
  CHECK(contains(config_problem("num_channels", 1'000'000'000), "expected a whole number from 1 to 512"));
  CHECK(contains(config_problem("decoder_hidden_size", 1 << 30), "expected a whole number from 1 to 4096"));
  CHECK(contains(config_problem("decoder_hidden_size", "256"), "/decoder_hidden_size: is \"256\"; expected a whole"));
  CHECK(
      contains(config_problem("classifier_dropout_prob", 1.5), "/classifier_dropout_prob: is 1.5; expected a number"));
  CHECK(contains(config_problem("drop_path_rate", "0.1"), "/drop_path_rate: is \"0.1\"; expected a number"));
  CHECK(contains(config_problem("depths", "2222"), "/depths: is \"2222\"; expected a list of whole numbers"));
  CHECK(contains(config_problem("depths", {2, "2", 2, 2}), "expected a list of whole numbers"));
  CHECK(contains(config_problem("hidden_sizes", Json::array()), "/hidden_sizes: is []; expected ["));
  CHECK(contains(config_problem("sr_ratios", 3), "expected a list of whole numbers"));
  CHECK(contains(config_problem("reshape_last_stage", 1), "expected true or false"));
  CHECK(config_problem("mlp_ratios", {4.0, 4.0, 4.0, 4.0}) == "");
}

TEST_CASE("images are resized as SegformerImageProcessor does") {
  CHECK(resize_with(384) == Json{{"size", {384, 384}}});
  CHECK(resize_with({512, 1024}) == Json{{"size", {512, 1024}}});  // height, width
  CHECK(resize_with({{"height", 512}, {"width", 1024}}) == Json{{"size", {512, 1024}}});
  CHECK(resize_with({{"shortest_edge", 512}}) == Json{{"shortest_edge", 512}});
  CHECK(resize_with({{"shortest_edge", 512}, {"longest_edge", 2048}}) ==
        Json{{"shortest_edge", 512}, {"longest_edge", 2048}});
  CHECK(resize_with({{"height", 512}, {"width", 512}, {"shortest_edge", nullptr}}) == Json{{"size", {512, 512}}});
  CHECK(resize_with(Json()) == Json{{"size", {512, 512}}});
  const HubFolder hub;
  const std::vector<std::string> filters{"nearest", "lanczos", "bilinear", "bicubic"};
  for (std::size_t i = 0; i < filters.size(); ++i) {
    hub.change("preprocessor_config.json", "resample", i);
    CHECK(hub.val()[0]["interpolation"] == filters[i]);
  }
  hub.change("preprocessor_config.json", "do_resize", false);
  CHECK(hub.val().size() == 1);
  CHECK(hub.val()[0]["type"] == "normalize");
}

TEST_CASE("rescaling and normalization become one") {
  const std::vector<double> mean{0.485, 0.456, 0.406}, deviation{0.229, 0.224, 0.225};
  const auto normalize = [](const Json& means, const Json& deviations) {
    return Json{{"type", "normalize"}, {"mean", means}, {"deviation", deviations}};
  };
  CHECK(normalize_with({}) == normalize(mean, deviation));
  CHECK(normalize_with({{"image_mean", Json()}, {"image_std", Json()}}) == normalize(mean, deviation));
  CHECK(normalize_with({{"image_mean", 0.5}, {"image_std", {0.25}}}) == normalize({0.5}, {0.25}));
  CHECK(normalize_with({{"do_normalize", false}}) == normalize({0}, {1}));
  const auto raw = normalize_with({{"do_rescale", false}});
  CHECK(raw["max_value"] == 1);
  CHECK(raw["mean"] == Json(mean));
  CHECK(normalize_with({{"rescale_factor", 0.0078125}})["max_value"] == 128);
}

TEST_CASE("odd values of the preprocessing are errors") {
  const std::string sizes =
      R"(expected a number, [height, width], {"height", "width"}, {"shortest_edge"} or {"shortest_edge", "longest_edge"})";
  CHECK(processor_problem("size", "512") == "preprocessor_config.json: /size: is \"512\"; " + sizes);
  CHECK(processor_problem("size", {512, 512, 3}) == "preprocessor_config.json: /size: is [512,512,3]; " + sizes);
  CHECK(processor_problem("size", {-1, 512}) == "preprocessor_config.json: /size: is [-1,512]; " + sizes);
  CHECK(processor_problem("size", {{"longest_edge", 512}}) ==
        "preprocessor_config.json: /size: has \"longest_edge\"; " + sizes);
  CHECK(processor_problem("size", {{"height", 512}}) == "preprocessor_config.json: /size: has \"height\"; " + sizes);
  CHECK(processor_problem("size", Json::object()) == "preprocessor_config.json: /size: has no sizes; " + sizes);
  CHECK(contains(processor_problem("size", -512), "/size: is -512; expected a whole number from 1 to 1048576"));
  CHECK(contains(processor_problem("size", 512.5), "/size: is 512.5; expected a whole number"));
  CHECK(contains(processor_problem("size", {{"height", "512"}, {"width", 512}}), "/size/height: is \"512\"; expected"));
  CHECK(contains(processor_problem("size", {{"height", 0}, {"width", 512}}), "/size/height: is 0; expected"));
  CHECK(contains(processor_problem("size", {{"shortest_edge", 512}, {"longest_edge", 512}}),
                 "/size/longest_edge: is 512; expected more than shortest_edge"));
  for (const auto& resample : {Json(4), Json(-1), Json("bilinear"), Json(1.5)})
    CHECK(
        contains(processor_problem("resample", resample), "; expected the number of a filter of Pillow: 0 (nearest)"));
  CHECK(contains(processor_problem("do_resize", "yes"), "/do_resize: is \"yes\"; expected true or false"));
  CHECK(contains(processor_problem("rescale_factor", 0), "/rescale_factor: is 0; expected a number from 1e-09 to"));
  CHECK(contains(processor_problem("rescale_factor", -1), "/rescale_factor: is -1; expected"));
  CHECK(contains(processor_problem("image_mean", "0.5"), "/image_mean: is \"0.5\"; expected a number"));
  CHECK(contains(processor_problem("image_mean", {0.5, "0.5", 0.5}), "/image_mean: is an array of 3 values; expected"));
  CHECK(processor_problem("image_mean", {0.5, 0.5}) ==
        "preprocessor_config.json: /image_mean: has 2 values; expected one for each of the 3 channels, or one for all");
  CHECK(contains(processor_problem("image_std", {0.2, 0, 0.2}), "/image_std: is [0.2,0,0.2]; expected a list"));
  CHECK(contains(processor_problem("image_std", 1e-300), "/image_std: is 1e-300; expected a number from 1e-09"));
  CHECK(contains(processor_problem("image_processor_type", "ViTImageProcessor"),
                 "/image_processor_type: is \"ViTImageProcessor\"; expected a SegformerImageProcessor"));
  CHECK(contains(processor_problem("feature_extractor_type", "ViTFeatureExtractor"), "expected a SegformerImage"));
  for (const char* type : {"SegFormerFeatureExtractor", "SegformerImageProcessorFast", "SegformerImageProcessorPil"})
    CHECK(processor_problem("image_processor_type", type) == "");
  const HubFolder hub;
  hub.change("config.json", "num_channels", 4);
  hub.change("preprocessor_config.json", "image_mean", Json());
  CHECK(contains(hub.problem(), "/image_mean: is missing; expected one for each of the 4 channels"));
}

TEST_CASE("without preprocessor_config.json the defaults hold, and a note says so") {
  const HubFolder hub;
  fs::remove(hub.folder / "preprocessor_config.json");
  const auto made = huggingface_spec(hub.folder.path());
  REQUIRE(made.notes.size() == 1);
  CHECK(contains(made.notes[0], "has no preprocessor_config.json: images are resized to 512x512"));
  CHECK(Json::parse(made.text)["transforms"]["val"] == HubFolder().val());
}

TEST_CASE("files that are no JSON objects are errors with their place") {
  const HubFolder hub;
  const auto said = [&](const std::string& text) {
    hub.folder.write("config.json", text);
    return hub.problem();
  };
  CHECK(said("") == "config.json: is empty; expected a JSON object");
  CHECK(said("{\n  \"a\": NaN}").starts_with("config.json:2:8: is not valid JSON"));
  CHECK(said("{\"depths\": [2,").starts_with("config.json:1:15: is not valid JSON"));
  CHECK(said("{\"a\": 1e999}").starts_with("config.json: is not valid JSON"));
  CHECK(said("[]") == "config.json: expected an object, found []");
  CHECK(said("{\"a\": {\"b\": 1, \"b\": 2}}") == "config.json: /a/b: is given twice; remove one of them");
  CHECK(said(std::string(200, '[')) == "config.json: is nested more than 100 deep");
  CHECK(said("{\"a\": \"" + std::string(17 << 20, 'x') + "\"}") == "config.json: has more than 16 MB");
  CHECK(said(std::string("{\"a\": \"\xff\"}")).starts_with("config.json:1:"));
  CHECK(said("version https://git-lfs.github.com/spec/v1\n").starts_with("config.json:1:1: is not valid JSON"));
  fs::remove(hub.folder / "config.json");
  fs::create_directory(hub.folder / "config.json");
  CHECK(hub.problem() == "config.json: is a folder; expected a file");
  fs::remove(hub.folder / "config.json");
  REQUIRE(mkfifo((hub.folder / "config.json").c_str(), 0600) == 0);
  CHECK(hub.problem() == "config.json: is a named pipe; expected a file");
}

TEST_CASE("damaged files of a folder are read or refused") {
  for (const char* name : {"config.json", "preprocessor_config.json"}) {
    const HubFolder hub;
    const auto seed = contents(hub.folder / name);
    TextMutator mutator;
    int read_whole = 0;
    const int count = mutations();
    for (int i = 0; i < count; ++i) {
      const auto text = mutator.next(seed);
      hub.folder.write(name, text);
      try {
        load_spec_text(huggingface_spec(hub.folder.path()).text, "folder", {});
        ++read_whole;
      } catch (const DataError&) {
      } catch (const std::exception& error) {
        CHECK_MESSAGE(false, error.what() << "\n" << text);
      }
    }
    CHECK(read_whole < count);
    CHECK(read_whole > 0);
  }
}

TEST_CASE("pointers of Git LFS instead of weights are refused with what to do") {
  for (const char* name : {"model.safetensors", "pytorch_model.bin", "model-00001-of-00002.safetensors"}) {
    const HubFolder hub;
    hub.folder.write(name, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 14884776\n");
    CHECK(hub.problem() == std::string(name) +
                               ": is a pointer of Git LFS and not the weights: fetch them with \"git "
                               "lfs pull\" in the folder");
  }
}

TEST_CASE("a folder whose path is not UTF-8 is refused") {
  const Scratch scratch;
  scratch.write("\xff/config.json", kConfig);
  CHECK_THROWS_WITH_AS(huggingface_spec(scratch / "\xff"), doctest::Contains("has a path that is not UTF-8"),
                       DataError);
}
