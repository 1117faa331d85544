#include "cityscapes_labels.h"

#include <iterator>

#include <sectile/sample.h>

namespace cityscapes {
namespace {

using sectile::kIgnore;

struct Label {
  const char* name;
  bool counts;  // in the benchmark: train ids number these
  bool thing;   // objects are told apart
  std::array<std::uint8_t, 3> color;
};

// By id: cityscapesscripts/helpers/labels.py of https://github.com/mcordts/cityscapesScripts. License plates, -1 there,
// are not drawn in files of ids.
constexpr Label kLabels[] = {
    {"unlabeled", false, false, {0, 0, 0}},
    {"ego vehicle", false, false, {0, 0, 0}},
    {"rectification border", false, false, {0, 0, 0}},
    {"out of roi", false, false, {0, 0, 0}},
    {"static", false, false, {0, 0, 0}},
    {"dynamic", false, false, {111, 74, 0}},
    {"ground", false, false, {81, 0, 81}},
    {"road", true, false, {128, 64, 128}},
    {"sidewalk", true, false, {244, 35, 232}},
    {"parking", false, false, {250, 170, 160}},
    {"rail track", false, false, {230, 150, 140}},
    {"building", true, false, {70, 70, 70}},
    {"wall", true, false, {102, 102, 156}},
    {"fence", true, false, {190, 153, 153}},
    {"guard rail", false, false, {180, 165, 180}},
    {"bridge", false, false, {150, 100, 100}},
    {"tunnel", false, false, {150, 120, 90}},
    {"pole", true, false, {153, 153, 153}},
    {"polegroup", false, false, {153, 153, 153}},
    {"traffic light", true, false, {250, 170, 30}},
    {"traffic sign", true, false, {220, 220, 0}},
    {"vegetation", true, false, {107, 142, 35}},
    {"terrain", true, false, {152, 251, 152}},
    {"sky", true, false, {70, 130, 180}},
    {"person", true, true, {220, 20, 60}},
    {"rider", true, true, {255, 0, 0}},
    {"car", true, true, {0, 0, 142}},
    {"truck", true, true, {0, 0, 70}},
    {"bus", true, true, {0, 60, 100}},
    {"caravan", false, true, {0, 0, 90}},
    {"trailer", false, true, {0, 0, 110}},
    {"train", true, true, {0, 80, 100}},
    {"motorcycle", true, true, {0, 0, 230}},
    {"bicycle", true, true, {119, 11, 32}},
};
constexpr int kIds = static_cast<int>(std::size(kLabels));
constexpr int kVoid = 255;  // -1 in 8 bits
// Datumaro numbers what is outside of the benchmark behind its classes.
constexpr int kTrainIds = 19;
constexpr int kPerLabel = 1000;  // instance ids
constexpr std::size_t kValues = 65536;

}  // namespace

sectile::LabelMap label_map(Labels labels) {
  sectile::LabelMap map;
  for (int id = 0; id < kIds; ++id)
    if (labels == Labels::all || kLabels[id].counts)
      map.classes.push_back({kLabels[id].name, kLabels[id].color, kLabels[id].thing, id});
  return map;
}

Codes::Codes(Labels labels, Encoding encoding) : codes_(kValues) {
  const auto set = [&](int value, Code code) {
    code.known = true;
    codes_[static_cast<std::size_t>(value)] = code;
  };
  set(kVoid, {});
  if (encoding == Encoding::train_ids) {
    for (int id = 0; id < kTrainIds; ++id) set(id, {.number = static_cast<std::int16_t>(id)});
    set(kTrainIds, {});
    known_values_ = "train ids are 0 to 18, and 19 and 255 for everything else";
    return;
  }
  known_values_ = "label ids are 0 to 33, and 255 for none";
  if (encoding == Encoding::instance_ids) known_values_ += ", or 1000 times a label id plus the number of an object";
  std::int16_t next = 0;
  for (int id = 0; id < kIds; ++id) {
    const auto& label = kLabels[id];
    Code code;
    if (labels == Labels::all || label.counts) code.number = next++;
    if (code.number != kIgnore) code.segment = id;
    code.crowd = label.thing;
    set(id, code);
    if (encoding != Encoding::instance_ids) continue;
    for (int object = 0; object < kPerLabel; ++object) {
      const int value = id * kPerLabel + object;
      if (value < kPerLabel) continue;
      Code one = code;
      one.crowd = false;
      if (label.thing && code.number != kIgnore) one.segment = value;
      set(value, one);
    }
  }
}

}  // namespace cityscapes
