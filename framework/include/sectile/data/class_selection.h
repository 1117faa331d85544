// Which classes a loss or metric looks at: options that several components share.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sectile/context.h>
#include <sectile/options.h>

namespace sectile {

// The classes that an option lists by name, in its order. Throws OptionError for a name that the data does not have,
// and for one that comes twice: it would count twice where numbers are summed.
inline std::vector<std::int64_t> class_numbers(const std::vector<std::string>& names, const std::string& option,
                                               const BuildContext& context) {
  std::vector<std::int64_t> made;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto place = option + "/" + std::to_string(i);
    made.push_back(context.class_number(names[i], place));
    for (std::size_t before = 0; before < i; ++before)
      if (made[before] == made[i])
        throw OptionError(place, "names the class \"" + names[i] + "\" again, as " + option + "/" +
                                     std::to_string(before) + " does; expected each class once: remove one of them");
  }
  return made;
}

struct ClassSelection {
  std::vector<std::string> include{};
  bool include_background = true;

  void declare(Options& options) {
    options.add("include", &include, "Names of the classes that count, each once. Empty: all.");
    options.add("include_background", &include_background,
                "false: leave out the first class (number 0), the background of many medical datasets, as MONAI's "
                "losses and metrics of distances do by default. Cannot be combined with include.");
  }
  void check(Problems& problems) const {
    if (!include_background && !include.empty())
      problems.add("include_background", "is false, and include names the classes that count: remove one of them");
  }

  // Class numbers in ascending order. Throws OptionError for names that do not exist and where there is no background.
  std::vector<std::int64_t> numbers(const BuildContext& context) const {
    const std::int64_t classes = context.classes();
    if (!include_background && context.labels->overlapping)
      throw OptionError("include_background",
                        "is false, and the classes overlap, so that none is the background: name those that count in "
                        "include");
    if (!include_background && classes == 1)
      throw OptionError("include_background", "is false, and the dataset has one class: expected at least two");
    std::vector<bool> chosen(static_cast<std::size_t>(classes), include.empty());
    if (!include_background) chosen[0] = false;
    for (const auto number : class_numbers(include, "include", context))
      chosen[static_cast<std::size_t>(number)] = true;
    std::vector<std::int64_t> made;
    for (std::int64_t c = 0; c < classes; ++c)
      if (chosen[static_cast<std::size_t>(c)]) made.push_back(c);
    return made;
  }
};

}  // namespace sectile
