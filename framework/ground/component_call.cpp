#include "component_call.h"

#include <algorithm>
#include <exception>
#include <new>
#include <utility>

#include <opencv2/core.hpp>

#include "backtrace.h"

namespace sectile {
namespace {

// A deleter can be found again from any copy of the pointer, whatever its type.
struct PlacedOwner {
  std::shared_ptr<void> component;
  ComponentPlace place;
  void operator()(void*) { component.reset(); }
};

// LibTorch and OpenCV have no common type for it.
bool says_out_of_memory(const std::string& message) {
  for (const char* words : {"out of memory", "allocate memory", "Insufficient memory", "bad_alloc"})
    if (message.find(words) != std::string::npos) return true;
  return false;
}

}  // namespace

ComponentPlace place_of(const std::shared_ptr<const void>& component) {
  const auto* owner = std::get_deleter<PlacedOwner>(component);
  return owner ? owner->place : ComponentPlace{};
}

std::shared_ptr<void> placed(std::shared_ptr<void> component, ComponentPlace place) {
  auto* const address = component.get();
  return {address, PlacedOwner{std::move(component), std::move(place)}};
}

std::string reason_of_exception(const std::string& memory_hint) {
  std::string reason;
  try {
    throw;
  } catch (const cv::Exception& error) {
    reason = (error.code == cv::Error::StsNoMem ? "Insufficient memory: " : "") + error.err;
  } catch (const std::exception& error) {
    reason = without_backtrace(error.what());
  } catch (...) {
    return "it threw something that is not a std::exception";
  }
  reason.erase(reason.find_last_not_of(" \n") + 1);
  std::replace(reason.begin(), reason.end(), '\n', ' ');
  if (reason.empty()) return "its exception has no message";
  if (!says_out_of_memory(reason)) return reason;
  return "out of memory (" + reason + ")" + (memory_hint.empty() ? "" : "; " + memory_hint);
}

}  // namespace sectile
