// Networks whose weights come from a file of another tool.
#include <optional>

#include <sectile/data/class_table.h>
#include <sectile/data/options_file.h>

#include "../../ground/weights/catalogue.h"
#include "../weights/weights.h"
#include "network.h"

namespace sectile {

Network Network::from_weights(PipelineSpec plan, const at::Device& device) {
  Network network(std::move(plan), device);
  const auto& file = network.spec.model.common().weights;
  network.find_classes();
  network.evaluation_transforms = build_transforms(network.spec.transforms.val, network.context);
  network.find_channels();
  AllProblems all;
  network.build_model(/*load_weights_files=*/true, all);
  all.report();
  if (!network.has_all_weights_)
    throw DataError("/model/weights", file.string() + " does not have all weights of the network: " +
                                          (network.notes.empty() ? "" : network.notes.back()));
  set_training(network.model->module(), false);
  return network;
}

void Network::find_classes() {
  const auto& data = spec.data;
  if (!data.classes_file.empty()) {
    const auto table = read_options<ClassTable>(data.classes_file);
    if (table.classes.empty()) throw DataError(data.classes_file, "names no classes");
    context.labels = std::make_shared<LabelMap>(table.labels());
    return;
  }
  const auto& weights = spec.model.common().weights;
  const auto* entry = weights.is_relative() && !weights.empty() ? find_entry(weights.string()) : nullptr;
  const bool has_data = spec.data.train || spec.data.val || spec.data.test;
  if (entry && !entry->class_names.empty() && !has_data) {
    ClassTable table;
    for (const auto& name : entry->class_names) table.classes.emplace_back().name = name;
    context.labels = std::make_shared<LabelMap>(table.labels());
    return;
  }
  AllProblems all;
  for (const auto& [pointer, recipe] :
       {std::pair{"/data/train", &data.train}, {"/data/val", &data.val}, {"/data/test", &data.test}}) {
    if (!*recipe) continue;
    all.try_to(pointer, [&] {
      std::vector<std::string> untold;
      context.data = open_dataset(*recipe, context, pointer, untold);
      context.labels = std::make_shared<LabelMap>(context.data->labels());
    });
    if (context.labels) return;
  }
  all.report();
  throw SpecError("/data", "says no classes: name a dataset, or \"classes_file\" and \"channels\"");
}

void Network::find_channels() {
  if (spec.data.channels) {
    context.channels = *spec.data.channels;
  } else if (context.data) {
    const SampleSource source{context.data, evaluation_transforms, 0, spec.transforms.fuse};
    const auto first = source.prepare({});
    context.channels = first.image.channels();
    context.dimensions = first.image.dims;
  }
  context.data = nullptr;  // which is training data elsewhere
}

}  // namespace sectile
