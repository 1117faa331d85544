// What a spec asks of its model, and the model does not do.
#include <algorithm>

#include "../../ground/component_call.h"
#include "network.h"

namespace sectile {
namespace {

// "[32, 32]", or with depth for volumes.
std::string sizes_text(const std::array<int, 3>& size, bool volumes) {
  std::string text;
  for (std::size_t i = volumes ? 0 : 1; i < size.size(); ++i) {
    text += text.empty() ? "[" : ", ";
    text += std::to_string(size[i]);
  }
  return text + "]";
}

}  // namespace

// Checks that need the model.
void Network::check_model() const {
  std::vector<Problem> problems;
  const auto traits = model->traits();
  const auto name = "model \"" + spec.model.type() + "\"";
  const auto is_size = [](const Extent& size) {
    constexpr int kLargest = 1 << 20;
    return std::min({size.depth, size.height, size.width}) > 0 &&
           std::max({size.depth, size.height, size.width}) <= kLargest;
  };
  if (!is_size(traits.divisor) || !is_size(traits.least))
    throw PluginError("/model",
                      name + " has traits that no size fits: \"divisor\" and \"least\" are from 1 to 1048576");
  const auto can = [&](Task task) {
    return std::find(traits.tasks.begin(), traits.tasks.end(), task) != traits.tasks.end();
  };
  if (!can(spec.task)) problems.push_back({"/task", name + " cannot do it"});
  const bool volumes = context.dimensions == 3;
  if (std::find(traits.dimensions.begin(), traits.dimensions.end(), context.dimensions) == traits.dimensions.end())
    problems.push_back({"/model/type", "\"" + spec.model.type() + "\" works on " + (volumes ? "images" : "volumes") +
                                           ", and the data has " + (volumes ? "volumes" : "images") +
                                           ": choose another model"});
  if (const auto& own = spec.inference.window) {
    if (spec.task == Task::instance)
      problems.push_back({"/inference/window",
                          "joins the class scores of parts, and objects are predicted of whole images: remove it, "
                          "or make images smaller with \"resize\""});
    const std::array<int, 3> divisor{traits.divisor.depth, traits.divisor.height, traits.divisor.width};
    const auto axes = std::min<std::size_t>(own->size(), volumes ? 3 : 2);
    bool fits = true;
    for (std::size_t i = 1; i <= axes; ++i) fits &= own->end()[-static_cast<int>(i)] % divisor[3 - i] == 0;
    if (!fits) problems.push_back({"/inference/window", name + " takes multiples of " + sizes_text(divisor, volumes)});
    const std::array<int, 3> least{traits.least.depth, traits.least.height, traits.least.width};
    bool large_enough = true;
    for (std::size_t i = 1; i <= axes; ++i) large_enough &= own->end()[-static_cast<int>(i)] >= least[3 - i];
    if (!large_enough)
      problems.push_back({"/inference/window", name + " takes at least " + sizes_text(least, volumes)});
    if (!volumes && own->size() == 3 && own->front() != 1)
      problems.push_back({"/inference/window", "has a depth, and the data has images: give [height, width]"});
    const std::array<int, 3> window{traits.window.depth, traits.window.height, traits.window.width};
    if (traits.pad_to_window &&
        !std::equal(own->rbegin(), own->rbegin() + static_cast<std::ptrdiff_t>(axes), window.rbegin()))
      problems.push_back({"/inference/window", name + " takes no other than " + sizes_text(window, volumes)});
  }
  const auto all = metrics();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto wanted = call<PluginError>(place_of(all[i]), "", [&] { return all[i]->wanted(); });
    const char* lacking = wanted.instances && !can(Task::instance)  ? "instances"
                          : wanted.segments && !can(Task::panoptic) ? "panoptic segments"
                                                                    : nullptr;
    if (!lacking && spec.task == Task::instance && !wanted.instances)
      problems.push_back({"/metrics/" + std::to_string(i),
                          "\"" + spec.metrics[i].type() +
                              "\" counts classes of pixels, and the task is \"instance\": use a metric of objects, "
                              "such as coco_ap"});
    if (!lacking && wanted.masks && !traits.masks)
      problems.push_back({"/metrics/" + std::to_string(i),
                          "\"" + spec.metrics[i].type() + "\" compares masks, and " + name +
                              " predicts boxes alone: compare boxes (coco_ap with \"iou_type\": \"bbox\"), or choose "
                              "a model that predicts masks, such as mask_rcnn"});
    if (lacking)
      problems.push_back({"/metrics/" + std::to_string(i), "\"" + spec.metrics[i].type() + "\" needs " + lacking +
                                                               ", which " + name + " does not predict"});
  }
  if (!problems.empty()) throw SpecError(std::move(problems));
}

}  // namespace sectile
