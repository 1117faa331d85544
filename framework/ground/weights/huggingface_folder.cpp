#include "huggingface_folder.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <sectile/error.h>

#include "../spec/json_fields.h"
#include "safetensors_header.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;
using Whole = std::vector<int>;

constexpr const char* kConfig = "config.json";
constexpr const char* kPreprocessor = "preprocessor_config.json";
constexpr int kMostClasses = std::numeric_limits<std::int16_t>::max();  // the type of labels
constexpr int kMostChannels = 512;                                      // of the image files that are read
constexpr int kMostHidden = 4096;    // of the decoder, whose largest weight has 4 times its square
constexpr int kMostSide = 1 << 20;   // pixels, as of the image files that are read
constexpr double kExtreme = 1e9;     // beyond it, or below its inverse, normalized pixels leave float32
constexpr double kMostOfByte = 255;  // 8-bit pixels are divided by it

struct Variant {
  const char* type;
  Whole hidden_sizes, depths;
};

// Xie et al. (2021), table 6.
const std::vector<Variant>& variants() {
  static const Whole wide{64, 128, 320, 512};
  static const std::vector<Variant> all{{"mit_b0", {32, 64, 160, 256}, {2, 2, 2, 2}},
                                        {"mit_b1", wide, {2, 2, 2, 2}},
                                        {"mit_b2", wide, {3, 4, 6, 3}},
                                        {"mit_b3", wide, {3, 4, 18, 3}},
                                        {"mit_b4", wide, {3, 8, 27, 3}},
                                        {"mit_b5", wide, {3, 6, 40, 3}}};
  return all;
}

// What all of them have in common is not an option of the backbone: other values are another network.
void check_common(const JsonFields& config) {
  const std::vector<std::pair<const char*, Whole>> lists{{"num_attention_heads", {1, 2, 5, 8}},
                                                         {"sr_ratios", {8, 4, 2, 1}},
                                                         {"patch_sizes", {7, 3, 3, 3}},
                                                         {"strides", {4, 2, 2, 2}},
                                                         {"mlp_ratios", {4, 4, 4, 4}}};
  for (const auto& [key, values] : lists)
    if (config.wholes(key, values) != values)
      config.refuse(key, Json(values).dump() + ", as SegFormer's MiT-B0 to B5 have");
  constexpr int kStages = 4;
  if (config.whole("num_encoder_blocks", kStages, 1, kMostHidden) != kStages) config.refuse("num_encoder_blocks", "4");
  if (config.text("hidden_act", "gelu") != "gelu") config.refuse("hidden_act", "\"gelu\"");
  if (!config.truth("reshape_last_stage", true)) config.refuse("reshape_last_stage", "true");
}

std::string backbone_type(const JsonFields& config) {
  const auto& first = variants().front();
  const auto hidden_sizes = config.wholes("hidden_sizes", first.hidden_sizes);
  const auto depths = config.wholes("depths", first.depths);
  std::string expected;
  bool known_width = false;
  for (const auto& variant : variants()) {
    if (variant.hidden_sizes != hidden_sizes) continue;
    if (variant.depths == depths) return variant.type;
    known_width = true;
    expected += (expected.empty() ? "" : ", ") + Json(variant.depths).dump() + " (" + variant.type + ")";
  }
  if (known_width && config.has("depths")) config.refuse("depths", "for these hidden_sizes " + expected);
  if (known_width) config.fail("depths", "is missing; expected for these hidden_sizes " + expected);
  config.refuse("hidden_sizes", "[32,64,160,256] (mit_b0) or [64,128,320,512] (mit_b1 to mit_b5)");
}

void check_architecture(const JsonFields& config) {
  constexpr const char* kRead = "SegformerForSemanticSegmentation";
  constexpr const char* kOther =
      ". For another network that this program has, write a spec with its options, its classes, and the folder or file "
      "as its \"weights\"";
  if (!config.has("model_type"))
    config.fail("model_type", std::string("is missing; expected \"segformer\", in a config.json of Hugging Face's "
                                          "transformers. Or name a checkpoint or a spec instead of its folder"));
  if (config.text("model_type", "") != "segformer")
    config.refuse("model_type",
                  std::string("\"segformer\": of Hugging Face's folders, those of ") + kRead + " are read" + kOther);
  if (!config.has("architectures")) return;
  const auto& listed = config["architectures"];
  if (!listed.is_array() || (listed.size() == 1 && !listed[0].is_string()))
    config.refuse("architectures", std::string("[\"") + kRead + "\"]");
  if (std::find(listed.begin(), listed.end(), kRead) != listed.end() || listed.empty()) return;
  config.fail("architectures",
              std::string("is ").append(quoted(listed.size() == 1 ? listed[0] : listed)) + "; expected \"" + kRead +
                  "\". To start a training from a backbone, name the folder in a spec, as the backbone's \"weights\"");
}

// Names in the order of the network's outputs. An absent list is that of two classes, which transformers leaves out.
std::vector<std::string> class_names(const JsonFields& config) {
  constexpr int kUsual = 2, kFewest = 2;  // one logit per pixel, with a threshold, is not what this program has
  const auto default_name = [](std::size_t i) { return "LABEL_" + std::to_string(i); };
  std::vector<std::string> names;
  if (!config.has("id2label")) {
    const auto count = static_cast<std::size_t>(config.whole("num_labels", kUsual, kFewest, kMostClasses));
    for (std::size_t i = 0; i < count; ++i) names.push_back(default_name(i));
    return names;
  }
  const auto labels = config.object("id2label");
  const auto count = labels.json().size();
  if (count < kFewest || count > kMostClasses)
    config.fail("id2label", "has " + std::to_string(count) + (count == 1 ? " class" : " classes") + "; expected " +
                                std::to_string(kFewest) + " to " + std::to_string(kMostClasses));
  if (config.has("num_labels") && config.whole("num_labels", kUsual, kFewest, kMostClasses) != static_cast<int>(count))
    config.refuse("num_labels", std::to_string(count) + ", as id2label has, or none");
  std::map<std::string, const Json*> by_number;
  for (const auto& [key, value] : labels.json().items()) by_number.emplace(key, &value);
  names.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto key = std::to_string(i);
    const auto found = by_number.find(key);
    if (found == by_number.end())
      config.fail("id2label", "has " + std::to_string(count) + " classes, and none of the number " + key +
                                  "; expected the numbers from 0 without gaps");
    const auto& name = *found->second;
    if (!name.is_string() && !name.is_number() && !name.is_null()) labels.refuse(key, "the name of a class");
    names[i] = name.is_string() ? name.get<std::string>() : name.is_null() ? "" : name.dump();
    if (names[i].empty()) names[i] = default_name(i);
  }
  return names;
}

// Classes are told apart by their names: a later one of the same name gets its number, too.
Json classes_of(const JsonFields& config, std::vector<std::string>& notes) {
  const auto names = class_names(config);
  const std::set<std::string> all(names.begin(), names.end());
  std::set<std::string> used;
  std::size_t renamed = 0;
  std::string first;
  auto classes = Json::array();
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto name = names[i];
    while (used.count(name) || (name != names[i] && all.count(name))) name += " (" + std::to_string(i) + ")";
    if (name != names[i] && renamed++ == 0) first = quoted(Json(name));
    used.insert(name);
    classes.push_back({{"name", name}});
  }
  if (renamed > 0)
    notes.push_back(config.file().string() + ": /id2label: " + std::to_string(renamed) +
                    " classes have the name of an earlier one, and get their number, too, such as " + first);
  return classes;
}

Json model_of(const JsonFields& config, const fs::path& folder) {
  check_common(config);
  constexpr double kDropPath = 0.1, kMostDropPath = 0.95, kDropout = 0.1, kMostDropout = 0.99;
  constexpr int kHidden = 256;
  // Both probabilities have no effect on a prediction. layer_norm_eps is not read: transformers builds these layers
  // with 1e-5 whatever it says.
  return {{"type", "segformer"},
          {"backbone",
           {{"type", backbone_type(config)},
            {"drop_path_rate", std::min(config.number("drop_path_rate", kDropPath, 0, 1), kMostDropPath)}}},
          {"decoder_hidden_size", config.whole("decoder_hidden_size", kHidden, 1, kMostHidden)},
          {"dropout", std::min(config.number("classifier_dropout_prob", kDropout, 0, 1), kMostDropout)},
          {"weights", folder.string()}};
}

// The sizes that SegformerImageProcessor takes.
void read_size(Json& resize, const JsonFields& fields) {
  constexpr int kUsual = 512;
  const std::string expected =
      R"(a number, [height, width], {"height", "width"}, {"shortest_edge"} or {"shortest_edge", "longest_edge"})";
  if (!fields.has("size") || fields["size"].is_number()) {
    const int side = fields.whole("size", kUsual, 1, kMostSide);
    resize["size"] = {side, side};
    return;
  }
  if (fields["size"].is_array()) {
    const auto sides = fields.wholes("size", {});
    const auto is_side = [](int side) { return side >= 1 && side <= kMostSide; };
    if (sides.size() != 2 || !std::all_of(sides.begin(), sides.end(), is_side)) fields.refuse("size", expected);
    resize["size"] = sides;
    return;
  }
  if (!fields["size"].is_object()) fields.refuse("size", expected);
  const auto size = fields.object("size");
  std::set<std::string> keys;
  for (const auto& [key, value] : size.json().items())
    if (!value.is_null()) keys.insert(key);
  const auto side = [&](const char* key) { return size.whole(key, kUsual, 1, kMostSide); };
  if (keys == std::set<std::string>{"height", "width"}) {
    resize["size"] = {side("height"), side("width")};
    return;
  }
  if (!keys.count("shortest_edge") || keys.size() > 2 || (keys.size() == 2 && !keys.count("longest_edge"))) {
    std::string found;
    for (const auto& key : keys) found += (found.empty() ? "" : ", ") + quoted(Json(key));
    fields.fail("size", std::string("has ").append(found.empty() ? "no sizes" : found) + "; expected " + expected);
  }
  resize["shortest_edge"] = side("shortest_edge");
  if (keys.size() == 1) return;
  if (side("longest_edge") <= side("shortest_edge")) size.refuse("longest_edge", "more than shortest_edge");
  resize["longest_edge"] = side("longest_edge");
}

Json resize_of(const JsonFields& fields) {
  constexpr int kUsual = 2;
  static const std::vector<const char*> filters{"nearest", "lanczos", "bilinear", "bicubic"};  // Pillow's numbers
  auto filter = std::optional<int>(kUsual);
  if (fields.has("resample")) filter = JsonFields::whole_of(fields["resample"]);
  if (!filter || *filter < 0 || *filter >= static_cast<int>(filters.size()))
    fields.refuse("resample",
                  "the number of a filter of Pillow: 0 (nearest), 1 (lanczos), 2 (bilinear) or 3 (bicubic)");
  Json resize{{"type", "resize"}, {"interpolation", filters[static_cast<std::size_t>(*filter)]}};
  read_size(resize, fields);
  return resize;
}

// One for all channels, or one for each.
std::vector<double> per_channel(const JsonFields& fields, const std::string& key, const std::vector<double>& otherwise,
                                double least, std::size_t channels) {
  const auto values = fields.numbers(key, otherwise, least, kExtreme);
  if (values.size() == channels || values.size() == 1) return values;
  const auto expected = "expected one for each of the " + std::to_string(channels) + " channels, or one for all";
  if (!fields.has(key)) fields.fail(key, "is missing; " + expected);
  fields.fail(key, "has " + std::to_string(values.size()) + " values; " + expected);
}

// Pixels are multiplied by rescale_factor, then normalized: the same as one normalization in units of its inverse.
Json normalize_of(const JsonFields& fields, int channels) {
  constexpr double kClose = 1e-6;
  const std::vector<double> mean{0.485, 0.456, 0.406}, deviation{0.229, 0.224, 0.225};  // ImageNet's
  const auto count = static_cast<std::size_t>(channels);
  Json normalize{{"type", "normalize"}, {"mean", {0}}, {"deviation", {1}}};
  if (fields.truth("do_normalize", true)) {
    normalize["mean"] = per_channel(fields, "image_mean", mean, -kExtreme, count);
    normalize["deviation"] = per_channel(fields, "image_std", deviation, 1 / kExtreme, count);
  }
  double unit = 1;
  if (fields.truth("do_rescale", true))
    unit = 1 / fields.number("rescale_factor", 1 / kMostOfByte, 1 / kExtreme, kExtreme);
  // Left out for images of 8 bits, so that those of 16 are divided by their own greatest value.
  if (std::abs(unit - kMostOfByte) > kClose * kMostOfByte) normalize["max_value"] = unit;
  return normalize;
}

void check_processor(const JsonFields& fields) {
  for (const char* key : {"image_processor_type", "feature_extractor_type"}) {
    auto type = fields.text(key, "");
    std::transform(type.begin(), type.end(), type.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    if (!type.empty() && !type.starts_with("segformer"))
      fields.refuse(key,
                    "a SegformerImageProcessor: others prepare images in other ways. To predict with it, write a spec "
                    "with these transforms");
  }
}

// Labels are not read here, so that do_reduce_labels, which shifts their numbers, has no effect on a prediction.
Json transforms_of(const fs::path& folder, int channels, std::vector<std::string>& notes) {
  const auto file = folder / kPreprocessor;
  std::error_code unknown;
  const bool given = fs::exists(fs::symlink_status(file, unknown));  // also a link to nowhere, which cannot be read
  const auto fields = given ? JsonFields::of_file(file) : JsonFields(file, Json::object());
  if (!given)
    notes.push_back(folder.string() + " has no " + kPreprocessor +
                    ": images are resized to 512x512 and normalized with ImageNet's mean, the defaults of "
                    "SegformerImageProcessor; if the network was trained in another way, change /transforms/val");
  check_processor(fields);
  auto transforms = Json::array();
  if (fields.truth("do_resize", true)) transforms.push_back(resize_of(fields));
  transforms.push_back(normalize_of(fields, channels));
  return transforms;
}

// What a clone of a repository has instead of large files, where Git LFS is not installed.
void refuse_pointers(const fs::path& folder) {
  const std::string begin = "version https://git-lfs";
  std::error_code unreadable;
  for (const auto& entry : fs::directory_iterator(folder, unreadable)) {
    const auto& file = entry.path();
    if (file.extension() != ".safetensors" && file.extension() != ".bin") continue;
    if (!entry.is_regular_file(unreadable)) continue;  // a named pipe would wait for its writer
    std::string found(begin.size(), '\0');
    std::ifstream in(file, std::ios::binary);
    if (in.read(found.data(), static_cast<std::streamsize>(found.size())) && found == begin)
      throw DataError(file.string(),
                      "is a pointer of Git LFS and not the weights: fetch them with \"git lfs pull\" in the folder");
  }
}

}  // namespace

bool is_huggingface_folder(const fs::path& folder) {
  std::error_code unknown;
  return fs::is_directory(folder, unknown) && fs::exists(folder / kConfig, unknown);
}

FolderSpec huggingface_spec(const fs::path& folder) {
  const auto absolute = fs::absolute(folder);
  if (!is_utf8(absolute.string()))
    throw DataError(folder.string(), "has a path that is not UTF-8, which a spec cannot name; rename it");
  const auto config = JsonFields::of_file(folder / kConfig);
  check_architecture(config);
  refuse_pointers(folder);
  constexpr int kColors = 3;
  const int channels = config.whole("num_channels", kColors, 1, kMostChannels);
  FolderSpec made;
  Json spec;
  spec["model"] = model_of(config, absolute);
  spec["task"] = "semantic";
  spec["data"] = {{"classes", classes_of(config, made.notes)}, {"channels", channels}};
  spec["transforms"]["val"] = transforms_of(folder, channels, made.notes);
  made.text = spec.dump();
  return made;
}

}  // namespace sectile
