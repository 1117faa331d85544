#include <sectile/transforms/nested.h>

#include <sectile/error.h>

namespace sectile {

HasEffects::~HasEffects() = default;

Effects Effects::by_chance() const {
  auto made = *this;
  made.normalizing.clear();
  made.normalizing_by_chance.insert(made.normalizing_by_chance.end(), normalizing.begin(), normalizing.end());
  for (auto& target : made.targets) target.by_chance = true;
  return made;
}

std::vector<std::shared_ptr<Transform>> build_all(const std::vector<Ref<Transform>>& transforms,
                                                  const BuildContext& context) {
  std::vector<std::shared_ptr<Transform>> built;
  std::vector<Problem> problems;
  for (const auto& transform : transforms) try {
      built.push_back(transform.build(context));
    } catch (const SpecError& error) {
      problems.insert(problems.end(), error.problems().begin(), error.problems().end());
    }
  if (!problems.empty()) throw SpecError(problems);
  return built;
}

Effects effects_of(const std::vector<std::shared_ptr<Transform>>& transforms, const std::string& option) {
  Effects all;
  for (std::size_t i = 0; i < transforms.size(); ++i) {
    const auto* role = dynamic_cast<const HasEffects*>(transforms[i].get());
    if (!role) continue;
    const auto own = role->effects();
    const auto here = option + "/" + std::to_string(i);
    for (const auto& place : own.mixing) all.mixing.push_back(here + place);
    for (const auto& place : own.normalizing) all.normalizing.push_back(here + place);
    for (const auto& place : own.normalizing_by_chance) all.normalizing_by_chance.push_back(here + place);
    for (const auto& [name, place, by_chance] : own.targets) all.targets.push_back({name, here + place, by_chance});
    all.clips.insert(all.clips.end(), own.clips.begin(), own.clips.end());
    all.soft_labels |= own.soft_labels;
    if (!own.measures.empty()) all.measures += (all.measures.empty() ? "" : ", ") + own.measures;
  }
  return all;
}

}  // namespace sectile
