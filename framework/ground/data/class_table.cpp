#include <algorithm>
#include <set>

#include <sectile/data/class_table.h>
#include <sectile/data/colors.h>

namespace sectile {
namespace {

constexpr int kLargestValue = 65535;

std::string text(const std::array<int, 3>& color) {
  return "(" + std::to_string(color[0]) + ", " + std::to_string(color[1]) + ", " + std::to_string(color[2]) + ")";
}

}  // namespace

void ClassEntry::declare(Options& options) {
  options.add("name", &name, "Class name.").required().not_empty();
  options
      .add("value", &value,
           "Pixel value of the class in grayscale and palette masks. Default: its position in the list, from 0.")
      .at_least(0)
      .at_most(kLargestValue);
  options
      .add("color", &color,
           "[red, green, blue], 0 to 255: color of the class in color masks and in written images. Default: chosen "
           "automatically; black for a class named background.")
      .at_least(0)
      .at_most(255);
}

void ClassTable::declare(Options& options) {
  options.add("classes", &classes, "Classes in the order of their numbers, each {\"name\", \"value\", \"color\"}.");
  options.add("ignore", &ignore, "Values in grayscale and palette masks to ignore in training and evaluation.")
      .at_least(0)
      .at_most(kLargestValue);
  options.add("ignore_colors", &ignore_colors, "Colors in color masks to ignore, each [red, green, blue].")
      .at_least(0)
      .at_most(255);
}

int ClassTable::value_of(std::size_t number) const { return classes[number].value.value_or(static_cast<int>(number)); }

void ClassTable::check(Problems& problems) const {
  std::set<std::string> names;
  std::set<int> values;
  std::set<std::array<int, 3>> colors;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    const std::string at = "classes/" + std::to_string(i);
    if (!names.insert(classes[i].name).second)
      problems.add(at + "/name", "\"" + classes[i].name + "\" is the name of an earlier class");
    if (!values.insert(value_of(i)).second)
      problems.add(at + "/value", std::to_string(value_of(i)) + " is the value of an earlier class");
    if (classes[i].color && !colors.insert(*classes[i].color).second)
      problems.add(at + "/color", text(*classes[i].color) + " is the color of an earlier class");
  }
  for (std::size_t i = 0; i < ignore.size(); ++i)
    if (values.count(ignore[i]))
      problems.add("ignore/" + std::to_string(i), std::to_string(ignore[i]) + " is the value of a class");
  for (std::size_t i = 0; i < ignore_colors.size(); ++i)
    if (colors.count(ignore_colors[i]))
      problems.add("ignore_colors/" + std::to_string(i), text(ignore_colors[i]) + " is the color of a class");
}

LabelMap ClassTable::labels() const {
  LabelMap map;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    LabelClass made;
    made.name = classes[i].name;
    made.category_id = value_of(i);
    if (const auto& color = classes[i].color)
      std::transform(color->begin(), color->end(), made.color.begin(),
                     [](int level) { return static_cast<std::uint8_t>(level); });
    else if (made.name != "background")
      made.color = distinct_color(static_cast<int>(i));
    map.classes.push_back(made);
  }
  return map;
}

}  // namespace sectile
