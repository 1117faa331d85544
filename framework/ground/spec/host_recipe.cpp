#include "host_recipe.h"

#include "../component_call.h"

namespace sectile {
namespace {

// Reported once, with the location of the innermost of nested components.
class PlacedDataError final : public DataError {
 public:
  using DataError::DataError;
};

}  // namespace

HostRecipe::HostRecipe(const Component& part, std::string where, PluginIndex::Entry from)
    : component(part),
      pointer(std::move(where)),
      plugin(std::move(from)),
      options(part.options->make()),
      common_options(part.common->make()) {}

std::shared_ptr<void> HostRecipe::build(const BuildContext& context) const {
  const auto name = std::string(component.kind) + " \"" + component.name + "\"";
  try {
    auto made = placed(component.create(options.get(), context), {pointer, name});
    if (context.after_build) context.after_build(component, made.get(), common_options.get());
    return made;
  } catch (const SpecError&) {
    throw;
  } catch (const OptionError& error) {
    auto problems = error.problems();
    for (auto& problem : problems) problem.pointer = pointer + "/" + problem.pointer;
    throw SpecError(std::move(problems));
  } catch (const PlacedDataError&) {
    throw;
  } catch (const DataError& error) {
    throw PlacedDataError(pointer, error.what());
  } catch (...) {
    throw PluginError(pointer + ": " + name + " could not be built", reason_of_exception());
  }
}

}  // namespace sectile
