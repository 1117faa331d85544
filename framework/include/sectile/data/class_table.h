// The classes of a dataset as options: in a spec, or in a JSON file of their own.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include <sectile/context.h>
#include <sectile/options.h>

namespace sectile {

struct SECTILE_EXPORT ClassEntry {
  std::string name;
  std::optional<int> value;                 // in masks, 0 to 65535; else its position
  std::optional<std::array<int, 3>> color;  // RGB, 0 to 255

  void declare(Options& options);
};

struct SECTILE_EXPORT ClassTable {
  std::vector<ClassEntry> classes;                // in the order of their numbers
  std::vector<int> ignore;                        // values in masks of no class
  std::vector<std::array<int, 3>> ignore_colors;  // colors in masks of no class

  void declare(Options& options);
  void check(Problems& problems) const;  // names, values and colors are of one class each

  int value_of(std::size_t number) const;
  // Classes without a color get a distinct one, and one named background is black.
  LabelMap labels() const;
};

}  // namespace sectile
