// Several steps of a check that do not depend on one another, so that what is wrong is reported all at once.
#pragma once

#include <exception>
#include <string>
#include <vector>

#include <sectile/error.h>

namespace sectile {

class AllProblems {
 public:
  // Runs a step, and returns whether it succeeded. pointer: where the spec asks for it, for errors that do not say.
  template <class Step>
  bool try_to(const std::string& pointer, const Step& step) {
    try {
      step();
      return true;
    } catch (...) {
      add(pointer, std::current_exception());
      return false;
    }
  }

  bool none() const { return problems_.empty(); }
  const std::vector<Problem>& problems() const { return problems_; }
  void report() const;  // throws: the error itself if there was one, SpecError with all of them if there were several

 private:
  void add(const std::string& pointer, const std::exception_ptr& error);

  std::vector<Problem> problems_;
  std::vector<std::exception_ptr> errors_;
};

}  // namespace sectile
