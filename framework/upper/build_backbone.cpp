#include <algorithm>

#include <sectile/backbone.h>

#include "../ground/spec/host_recipe.h"

namespace sectile {

std::shared_ptr<Backbone> build_backbone(const Ref<Backbone>& backbone, const BuildContext& context,
                                         const FeatureRequest& request) {
  auto asked = context;
  asked.features = request;
  const auto made = backbone.build(asked);
  const auto refuse = [&](const std::string& found) {
    const auto& recipe = dynamic_cast<const HostRecipe&>(backbone.recipe());
    throw SpecError(recipe.pointer + "/type", "\"" + backbone.type() + "\" " + found + ": choose another backbone");
  };
  const auto levels = made->levels();
  if (!request.levels.empty() && levels.size() != request.levels.size())
    refuse("gives " + std::to_string(levels.size()) + " levels of features, and the model asks for " +
           std::to_string(request.levels.size()));
  int coarsest = 1;
  for (const auto& level : levels) coarsest = std::max(coarsest, level.stride);
  const bool all = request.levels.empty() || std::count(request.levels.begin(), request.levels.end(), -1) > 0;
  if (request.output_stride > 0 && (coarsest > request.output_stride || (all && coarsest != request.output_stride)))
    refuse("has an output stride of " + std::to_string(coarsest) + ", and the model asks for " +
           std::to_string(request.output_stride));
  return made;
}

}  // namespace sectile
