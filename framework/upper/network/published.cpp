// Networks whose weights come from a file of another tool.
#include <algorithm>
#include <optional>

#include <sectile/data/class_table.h>
#include <sectile/data/options_file.h>

#include "../../ground/weights/catalogue.h"
#include "../weights/weights.h"
#include "network.h"

namespace sectile {
namespace {

// The catalogue's, if the weights of the model are named by a relative path; else null.
const CatalogueEntry* entry_of(const PipelineSpec& spec) {
  const auto& weights = spec.model.common().weights;
  return weights.is_relative() && !weights.empty() ? find_entry(weights.string()) : nullptr;
}

LabelMap classes_of(const CatalogueEntry& entry) {
  ClassTable table;
  for (const auto& name : entry.class_names) table.classes.emplace_back().name = name;
  return table.labels();
}

}  // namespace

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
  const auto* entry = entry_of(spec);
  if (!data.classes_file.empty()) {
    const auto table = read_options<ClassTable>(data.classes_file);
    if (table.classes.empty()) throw DataError(data.classes_file, "names no classes");
    context.labels = std::make_shared<LabelMap>(table.labels());
  } else if (data.train || data.val || data.test) {
    find_classes_of_data();
  } else if (entry && !entry->class_names.empty()) {
    context.labels = std::make_shared<LabelMap>(classes_of(*entry));
  } else {
    throw SpecError("/data", "says no classes: name a dataset, or \"classes_file\" and \"channels\"");
  }
  if (entry && !entry->class_names.empty()) note_other_classes(*entry);
}

// Their order counts, and names may be spelled in another way.
void Network::note_other_classes(const CatalogueEntry& entry) {
  const auto& ours = *context.labels;
  auto theirs = classes_of(entry);
  theirs.overlapping = ours.overlapping;
  for (std::size_t i = 0; i < std::min(ours.classes.size(), theirs.classes.size()); ++i)
    theirs.classes[i].thing = ours.classes[i].thing;
  if (const auto found = ours.difference(theirs); !found.empty())
    notes.push_back("the spec does not have the classes of " + entry.name + " in their order: " + found);
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
    if (context.labels) return;
  }
  all.report();
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
