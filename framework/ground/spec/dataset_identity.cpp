#include "dataset_identity.h"

#include <set>
#include <utility>

#include "../plugins/library.h"
#include "host_recipe.h"
#include "json_writer.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;
using Builds = std::set<std::string>;

struct NamedDataset {
  Ref<Dataset> data;
  void declare(Options& options) { options.add("data", &data, "The dataset."); }
};

// Size and time of a library: while one is being developed, its version may stay as it is.
std::string build_of(const fs::path& library) {
  std::error_code unknown;
  const auto size = fs::file_size(library, unknown);
  const auto written = fs::last_write_time(library, unknown);
  return unknown ? "unknown" : std::to_string(size) + " " + std::to_string(written.time_since_epoch().count());
}

// Of the plugins of all components in a value.
void add_builds(void* value, const ValueType& type, Builds& builds) {
  if (type.shape == Shape::group) {
    Options options;
    type.declare(value, options);
    for (const auto& option : options.all()) add_builds(option->value, *option->type, builds);
  } else if (type.shape == Shape::component) {
    const auto& reference = type.reference(value);
    if (!reference) return;
    const auto& recipe = dynamic_cast<const HostRecipe&>(reference.recipe());
    const auto& plugin = recipe.plugin;
    builds.insert(plugin.kind + " " + plugin.name + " " + plugin.version + " " + build_of(plugin.file));
    add_builds(recipe.common_options.get(), *recipe.component.common, builds);
    add_builds(recipe.options.get(), *recipe.component.options, builds);
  } else if (type.visit) {
    struct Into {
      const ValueType& element;
      Builds& builds;
    } into{*type.element, builds};
    type.visit(
        value,
        [](const std::string&, void* element, void* context) {
          const auto& [its_type, all] = *static_cast<Into*>(context);
          add_builds(element, its_type, all);
        },
        &into);
  }
}

}  // namespace

std::string identity_of(Task task, Ref<Dataset> dataset) {
  NamedDataset named{std::move(dataset)};
  auto json = resolved(&named, kValueType<NamedDataset>);
  json["task"] = static_cast<int>(task);
  json["sectile"] = std::string(SECTILE_VERSION " ").append(build_of(own_folder() / "libsectile.so"));
  Builds builds;
  add_builds(&named, kValueType<NamedDataset>, builds);
  json["plugins"] = builds;
  return json_text(json);
}

}  // namespace sectile
