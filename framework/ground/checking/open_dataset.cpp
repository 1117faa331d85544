#include "open_dataset.h"

#include <cstdint>
#include <limits>
#include <utility>

#include <sectile/notes.h>

#include "../all_problems.h"
#include "../component_call.h"
#include "../spec/pipeline_spec.h"

namespace sectile {
namespace {

constexpr std::size_t kMostSamples = std::size_t{1} << 40;
constexpr std::size_t kMostClasses = std::numeric_limits<std::int16_t>::max();  // the type of labels

}  // namespace

std::shared_ptr<const Dataset> open_dataset(const Ref<Dataset>& recipe, BuildContext context,
                                            const std::string& pointer, std::vector<std::string>& notes, Parts wanted,
                                            std::vector<std::string>* left_out) {
  auto& lost = left_out ? *left_out : notes;
  context.after_build = [&](const Component& component, void* made, const void*) {
    if (component.kind != std::string(Kind<Dataset>::name)) return;
    const auto add = [](const std::vector<std::string>& more, std::vector<std::string>& all) {
      all.insert(all.end(), more.begin(), more.end());
    };
    const auto* const data = static_cast<Dataset*>(made);
    if (const auto* role = dynamic_cast<const Notes*>(data)) add(role->notes(), notes);
    if (const auto* role = dynamic_cast<const LeftOut*>(data)) add(role->left_out(), lost);
  };
  const std::shared_ptr<const Dataset> data = recipe.build(context);
  call<DataError>(place_of(data), "", [&] {
    if (data->size() == 0) throw DataError(pointer, "has no samples");
    if (data->size() > kMostSamples) throw DataError(pointer, "has " + std::to_string(data->size()) + " samples");
    if (!wanted.labels) return;
    const auto classes = data->labels().classes.size();
    if (classes == 0) throw DataError(pointer, "has no classes");
    if (classes > kMostClasses)
      throw DataError(pointer, "has " + std::to_string(classes) + " classes, and up to " +
                                   std::to_string(kMostClasses) + " are supported");
  });
  return data;
}

std::vector<Split> open_splits(const DataSpec& spec, const std::string& only) {
  const std::pair<const char*, const Ref<Dataset>*> all[] = {
      {"train", &spec.data.train}, {"val", &spec.data.val}, {"test", &spec.data.test}};
  BuildContext context;
  context.task = spec.task;
  std::vector<Split> splits;
  for (const auto& [name, recipe] : all) {
    if (!*recipe || (!only.empty() && only != name)) continue;
    Split split{name, nullptr, "", {}, {}};
    const std::string pointer = std::string("/data/").append(name);
    AllProblems problems;
    problems.try_to(pointer, [&, &its = *recipe] {
      split.data = open_dataset(its, context, pointer, split.notes, {.image = true, .labels = false, .objects = false},
                                &split.left_out);
    });
    for (const auto& [place, message] : problems.problems())
      split.problem += (split.problem.empty() ? "" : "; ") + (place.empty() ? message : place + ": " + message);
    splits.push_back(std::move(split));
  }
  if (!splits.empty()) return splits;
  if (only.empty()) throw SpecError("/data", "names no dataset: give \"train\", \"val\" or \"test\" one");
  throw SpecError("/data", "has no \"" + only + "\"");
}

}  // namespace sectile
