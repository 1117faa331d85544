#include "all_problems.h"

#include <algorithm>

#include "component_call.h"

namespace sectile {

void AllProblems::add(const std::string& pointer, const std::exception_ptr& error) {
  const auto before = problems_.size();
  try {
    std::rethrow_exception(error);
  } catch (const SpecError& wrong) {
    problems_.insert(problems_.end(), wrong.problems().begin(), wrong.problems().end());
  } catch (...) {
    const auto reason = reason_of_exception();
    // An error about a component begins with its place in the spec.
    problems_.push_back({reason.starts_with(pointer + ":") ? "" : pointer, reason});
  }
  const auto told = [&](const Problem& one) {
    return std::any_of(problems_.begin(), problems_.begin() + static_cast<std::ptrdiff_t>(before),
                       [&](const Problem& other) { return other.message == one.message; });
  };
  problems_.erase(std::remove_if(problems_.begin() + static_cast<std::ptrdiff_t>(before), problems_.end(), told),
                  problems_.end());
  errors_.push_back(error);
}

void AllProblems::report() const {
  if (errors_.size() == 1) std::rethrow_exception(errors_.front());
  if (!problems_.empty()) throw SpecError(problems_);
}

}  // namespace sectile
