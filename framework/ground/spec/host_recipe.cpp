#include "host_recipe.h"

namespace sectile {
namespace {

// Reported once, with the location of the innermost of nested components.
class PlacedDataError final : public DataError {
 public:
  using DataError::DataError;
};

}  // namespace

HostRecipe::HostRecipe(const Component& part, std::string where)
    : component(part), pointer(std::move(where)), options(part.options->make()), common_options(part.common->make()) {}

std::shared_ptr<void> HostRecipe::build(const BuildContext& context) const {
  const auto place = [this] {
    return pointer + ": " + component.kind + " \"" + component.name + "\" could not be built";
  };
  try {
    auto made = component.create(options.get(), context);
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
  } catch (const std::exception& error) {
    throw PluginError(place(), error.what());
  } catch (...) {
    throw PluginError(place(), "it threw something that is not a std::exception");
  }
}

}  // namespace sectile
