#include "choice.h"

#include <algorithm>
#include <numeric>

#include <sectile/data/colors.h>
#include <sectile/data/sample_names.h>
#include <sectile/error.h>

namespace coco_instances {
namespace {

using sectile::CocoFault;
using sectile::CocoFile;
using sectile::DataError;
using sectile::OptionError;

constexpr const char* kBackground = "background";

// Positions of categories in the file, in the order of class numbers.
std::vector<int> order_of(const CocoFile& file, const std::vector<std::string>& names) {
  const auto& all = file.categories();
  const auto at = [&](int position) -> const auto& { return all[static_cast<std::size_t>(position)]; };
  std::vector<int> order(all.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int a, int b) { return at(a).id < at(b).id; });
  sectile::LabelMap known;  // which finds names, and tells the nearest
  for (const int position : order) {
    const auto& name = at(position).name;
    if (name.empty())
      throw DataError(file.file().string(), "has no name for the category " + std::to_string(at(position).id));
    if (known.find(name))
      throw DataError(file.file().string(), "has two categories named \"" + name + "\"; give each its own name");
    known.classes.push_back({name, {}, true, at(position).id});
  }
  if (names.empty()) return order;

  std::vector<int> chosen;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto option = "categories/" + std::to_string(i);
    chosen.push_back(order[static_cast<std::size_t>(known.number_of(names[i], option))]);
    if (std::count(names.begin(), names.end(), names[i]) > 1)
      throw OptionError(option, "\"" + names[i] + "\" is named twice");
  }
  return chosen;
}

void add_classes(const CocoFile& file, const Selection& selection, Choice& choice) {
  const auto order = order_of(file, selection.categories);
  constexpr std::size_t kMost = 32766;  // of 16 bits, with a background
  if (order.empty() || order.size() > kMost)
    throw DataError(file.file().string(), "has " + std::to_string(order.size()) + " categories; 1 to " +
                                              std::to_string(kMost) + " are possible");
  auto& classes = choice.labels.classes;
  const auto& all = file.categories();
  const bool has_background = std::any_of(order.begin(), order.end(), [&](int position) {
    return all[static_cast<std::size_t>(position)].name == kBackground;
  });
  if (selection.background && !has_background) classes.push_back({kBackground, {0, 0, 0}, false, -1});
  choice.numbers.assign(all.size(), -1);
  for (const int position : order) {
    const auto& category = all[static_cast<std::size_t>(position)];
    const bool is_background = selection.background && category.name == kBackground;
    const auto number = static_cast<int>(classes.size());
    choice.numbers[static_cast<std::size_t>(position)] = number;
    auto color = sectile::distinct_color(number);
    if (is_background) color = {0, 0, 0};
    classes.push_back({category.name, color, !is_background, category.id});
  }
}

// "3, such as annotation 17"
struct Count {
  std::size_t all = 0;
  std::int64_t first = 0;
  void add(std::int64_t id) {
    if (all++ == 0) first = id;
  }
  std::string text() const { return std::to_string(all) + ", such as annotation " + std::to_string(first); }
};

// Rings of one or two corners: "[[1, 2, 3, 4]]" has three commas; with four it has an odd number of coordinates, which
// is an error. Numbers are read when they are needed.
bool has_short_ring(const sectile::CocoMask& mask) {
  if (mask.form != sectile::CocoMask::Form::polygons || mask.json.size() < 2) return false;
  constexpr std::ptrdiff_t kCommas = 4;
  auto rest = mask.json.substr(1, mask.json.size() - 2);
  for (auto end = rest.find(']'); end != std::string_view::npos; end = rest.find(']')) {
    const auto ring = rest.substr(0, end);
    const auto begin = ring.find('[');
    if (begin == std::string_view::npos) return false;  // which is an error where it is read
    if (std::count(ring.begin() + static_cast<std::ptrdiff_t>(begin), ring.end(), ',') < kCommas) return true;
    rest.remove_prefix(end + 1);
  }
  return false;
}

void add_notes(const CocoFile& file, const Selection& selection, std::size_t empty, const Count& degenerate,
               const Count& short_rings, Choice& choice) {
  const auto add = [&](std::vector<std::string>& texts, const std::string& text) {
    texts.push_back(file.file().string() + ": " + text);
  };
  if (!file.has_annotations())
    add(choice.notes, "has no list \"annotations\": its images have no labels or objects, and can be predicted only");
  if (empty > 0)
    add(choice.notes, "images without objects are left out: " + std::to_string(empty) + " of " +
                          std::to_string(file.images().size()));
  if (degenerate.all > 0)
    add(selection.keep_degenerate ? choice.notes : choice.left_out,
        std::string("objects whose box has no width or height within the image are ") +
            (selection.keep_degenerate ? "kept: " : "left out: ") + degenerate.text());
  if (short_rings.all > 0)
    add(choice.left_out, "polygons of fewer than three corners have no pixels: " + short_rings.text());
  if (const auto& unlisted = file.unlisted_images(); !unlisted.empty())
    add(choice.left_out, "annotations of images that \"images\" does not list are left out: of " +
                             std::to_string(unlisted.size()) + " images, such as " + std::to_string(unlisted.front()));
}

void add_image(const CocoFile& file, int position, sectile::SampleNames& names, Choice& choice) {
  const auto& image = file.images()[static_cast<std::size_t>(position)];
  const auto known = choice.faults.find(position);
  std::string fault;
  if (known != choice.faults.end() && known->second.of_image) fault = known->second.message;
  const bool is_known = !fault.empty();
  choice.images.push_back(position);
  choice.names.push_back(names.add(image.file_name, image.id, fault));
  if (is_known || fault.empty()) return;
  auto place = "images[" + std::to_string(position) + "] (id " + std::to_string(image.id) + ")";
  choice.faults.insert_or_assign(position, CocoFault{position, std::move(place), std::move(fault), true});
}

void add_images(const CocoFile& file, const Selection& selection, Choice& choice) {
  const auto& images = file.images();
  Count degenerate, short_rings;
  sectile::SampleNames names;
  std::size_t empty = 0;
  for (std::size_t i = 0; i < images.size(); ++i) {
    bool has_object = choice.faults.contains(static_cast<int>(i));  // it stays, as a bad sample
    for (const auto& annotation : file.of_image(static_cast<int>(i))) {
      if (annotation.category < 0 || choice.numbers[static_cast<std::size_t>(annotation.category)] < 0) continue;
      if (has_short_ring(annotation.mask)) short_rings.add(annotation.id);
      const bool is_flat = annotation.has_box && is_degenerate(annotation.box, images[i].size);
      if (is_flat) degenerate.add(annotation.id);
      has_object |= !is_flat || selection.keep_degenerate;
    }
    if (!has_object && !selection.keep_empty && file.has_annotations()) {
      ++empty;
      continue;
    }
    add_image(file, static_cast<int>(i), names, choice);
  }
  add_notes(file, selection, empty, degenerate, short_rings, choice);
  if (choice.images.empty())
    throw DataError(file.file().string(), images.empty()
                                              ? "has no image in \"images\""
                                              : "has no image with an object; see \"categories\" and \"keep_empty\"");
}

}  // namespace

bool is_degenerate(const cv::Rect2d& box, const cv::Size& image) {
  const auto is_flat = [](double start, double length, int side) {
    auto from = static_cast<float>(start), to = from + static_cast<float>(length);
    if (side > 0) {
      from = std::clamp(from, 0.f, static_cast<float>(side));
      to = std::clamp(to, 0.f, static_cast<float>(side));
    }
    return !(to > from);
  };
  return is_flat(box.x, box.width, image.width) || is_flat(box.y, box.height, image.height);
}

Choice choose(const CocoFile& file, const Selection& selection) {
  Choice choice;
  add_classes(file, selection, choice);
  for (const auto& fault : file.faults()) choice.faults.emplace(fault.image, fault);  // the first stays
  add_images(file, selection, choice);
  return choice;
}

}  // namespace coco_instances
