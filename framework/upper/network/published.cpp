// Networks whose weights come from a file of another tool.
#include <algorithm>
#include <cmath>
#include <optional>
#include <sstream>

#include <opencv2/core.hpp>

#include <sectile/data/class_table.h>
#include <sectile/data/options_file.h>
#include <sectile/transforms/nested.h>

#include "../../ground/weights/catalogue.h"
#include "../weights/weights.h"
#include "network.h"

namespace sectile {
namespace {

constexpr int kSide = 256;  // of an example image, in pixels

const CatalogueEntry* entry_of(const PipelineSpec& spec) { return entry_in_spec(spec.model.common().weights); }

std::string text_of(const std::vector<double>& values) {
  std::ostringstream text;
  for (const auto value : values) text << (text.tellp() > 0 ? ", " : "[") << value;
  return text.str() + "]";
}

// Whether values of 8-bit pixels are these fractions.
bool are(const std::vector<float>& pixels, const std::vector<double>& fractions) {
  constexpr double kRounding = 1e-3;
  return std::equal(pixels.begin(), pixels.end(), fractions.begin(), fractions.end(),
                    [](float pixel, double fraction) { return std::abs(pixel - 255 * fraction) <= kRounding * 255; });
}

}  // namespace

Network Network::from_weights(PipelineSpec plan, const at::Device& device) {
  Network network(std::move(plan), device);
  network.is_trained_ = false;
  network.find_classes();
  network.build_evaluation_transforms();
  network.find_channels();
  AllProblems all;
  network.build_model(/*load_weights_files=*/true, all);
  all.report();
  network.note_other_preprocessing();
  set_training(network.model->module(), false);
  return network;
}

void Network::find_classes() {
  const auto& data = spec.data;
  const auto* entry = entry_of(spec);
  ClassTable table;
  if (!data.classes_file.empty()) {
    table = read_options<ClassTable>(data.classes_file);
    if (table.classes.empty()) throw DataError(data.classes_file, "names no classes");
  } else if (!data.classes.empty()) {
    table.classes = data.classes;
  } else if (entry && !entry->class_names.empty()) {
    for (std::size_t i = 0; i < entry->class_names.size(); ++i) {
      table.classes.push_back({.name = entry->class_names[i], .value = {}, .color = {}});
      if (!entry->class_ids.empty()) table.classes.back().value = entry->class_ids[i];
    }
  } else if (data.train || data.val || data.test) {
    return find_classes_of_data();
  } else {
    throw SpecError("/data",
                    "says no classes: name a dataset, or give \"classes\" or \"classes_file\", and \"channels\"");
  }
  context.labels = std::make_shared<LabelMap>(table.labels());
  refuse_one_class("/data");
}

void Network::find_classes_of_data() {
  AllProblems all;
  for (const auto& [pointer, recipe] :
       {std::pair{"/data/train", &spec.data.train}, {"/data/val", &spec.data.val}, {"/data/test", &spec.data.test}}) {
    if (!*recipe) continue;
    all.try_to(pointer, [&] {
      std::vector<std::string> untold;
      context.data = open_dataset(*recipe, context, pointer, untold);
      context.labels = std::make_shared<LabelMap>(context.data->labels());
    });
    if (context.labels) return refuse_one_class(pointer);
  }
  all.report();
}

void Network::find_channels() {
  const auto* entry = entry_of(spec);
  if (spec.data.channels) {
    image_channels = *spec.data.channels;
  } else if (entry && entry->preprocessing && !entry->preprocessing->mean.empty()) {
    image_channels = static_cast<int>(entry->preprocessing->mean.size());
  } else if (context.data) {
    const SampleSource source{context.data, evaluation_transforms, 0, spec.transforms.fuse};
    auto first = source.read(0);
    image_channels = first.image.channels();
    context.dimensions = first.image.dims;
    context.channels = source.transformed(std::move(first), {}).image.channels();
    context.data = nullptr;  // which is training data elsewhere
    return;
  }
  context.data = nullptr;
  const auto example = transformed_example();
  context.channels = example.image.empty() ? image_channels : example.image.channels();
}

// A blank image after the transforms; none if they fail, such as those that need larger images.
Sample Network::transformed_example() const {
  Sample sample;
  sample.image = cv::Mat(kSide, kSide, CV_8UC(image_channels), cv::Scalar::all(0));
  AllProblems untold;
  if (!untold.try_to("", [&] { sample = transformed_alone(std::move(sample), evaluation_transforms); })) return {};
  return sample;
}

bool Network::has_published_weights() const { return entry_of(spec) != nullptr; }

void Network::note_other_preprocessing() {
  const auto* entry = entry_of(spec);
  if (context.dimensions != 2) return;
  const auto sample = transformed_example();
  if (sample.image.empty()) return;
  if (sample.mean.empty())
    notes.emplace_back(
        "/transforms/val: images are not normalized, so the network gets pixel values such as 0 to 255; published "
        "networks expect a \"normalize\" with the values of their training");
  const auto measures = effects_of(evaluation_transforms, "").measures;
  if (sample.mean.empty() || !entry || !entry->preprocessing || entry->preprocessing->mean.empty()) return;
  if (measures.empty() && are(sample.mean, entry->preprocessing->mean) &&
      are(sample.deviation, entry->preprocessing->std))
    return;
  const auto how = measures.empty() ? "with other values than " + entry->name + " was trained with, which are the mean "
                                    : "by what is measured in each of them (" + measures + "), and " + entry->name +
                                          " was trained with the mean ";
  notes.push_back("/transforms/val: images are normalized " + how + text_of(entry->preprocessing->mean) +
                  " and the deviation " + text_of(entry->preprocessing->std));
}

}  // namespace sectile
