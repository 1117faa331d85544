// Calls of components, which are code of plugins and may throw anything.
#pragma once

#include <memory>
#include <string>

#include <sectile/error.h>

namespace sectile {

// Where a spec names a component: "/loss/0" and "loss \"dice\"". Both are empty if it was not built from a spec.
struct ComponentPlace {
  std::string pointer;
  std::string name;
};
ComponentPlace place_of(const std::shared_ptr<const void>& component);
std::shared_ptr<void> placed(std::shared_ptr<void> component, ComponentPlace place);

// The reason of the current exception, in one line without a backtrace. memory_hint: what to do if memory ran out.
std::string reason_of_exception(const std::string& memory_hint = "");

// Returns what `work` returns. An exception of another type than Sectile's own becomes an Error (DataError if it is
// about one image, so that it may be skipped, else PluginError) with the component's place. on: the images that the
// component was called for; may be empty.
template <class Error, class Work>
auto call(const ComponentPlace& place, const std::string& on, const Work& work, const std::string& memory_hint = "") {
  try {
    return work();
  } catch (const SpecError&) {
    throw;
  } catch (const PluginError&) {
    throw;
  } catch (const DataError&) {
    throw;
  } catch (...) {
    const auto reason = reason_of_exception(memory_hint);
    if (place.pointer.empty()) throw Error(on, reason);
    throw Error(place.pointer, place.name + " failed" + (on.empty() ? "" : " on " + on) + ": " + reason);
  }
}

// One image's part of a run that may skip bad images: returns why it failed, or an empty string.
template <class Work>
std::string reason_to_skip(bool skip_bad, const Work& work) {
  if (!skip_bad) return work(), "";
  try {
    work();
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

}  // namespace sectile
