// What may be wrong or odd in a dataset.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace sectile {

// In the order of reports. Faults first: from them on, training or evaluation fails or is misled. Notes are odd only.
enum class Finding {
  split_unreadable,
  classes_differ,
  left_out,
  image_unreadable,
  labels_unreadable,
  objects_unreadable,
  sample_unreadable,
  no_image,
  not_finite,
  size_differs,
  wrong_type,
  unknown_class,
  unlabeled,
  box_not_finite,
  box_empty,
  box_outside,
  mask_invalid,
  mask_empty,
  mask_outside,
  mask_not_in_box,
  area_invalid,
  object_twice,
  object_id_twice,
  segment_absent,
  segment_unlisted,
  segment_twice,
  id_twice,
  image_twice,
  image_in_two_splits,
  other_channels,
  other_depth,
  // Notes.
  dataset_note,
  gray_and_color,
  sample_repeated,
  id_in_two_splits,
  constant_image,
  all_ignored,
  no_annotation,
  one_pixel,
  class_not_in_train,
  class_nowhere,
};
constexpr int kFindings = static_cast<int>(Finding::class_nowhere) + 1;

constexpr Finding kFirstNote = Finding::dataset_note;
constexpr bool is_note(Finding finding) { return finding >= kFirstNote; }

std::string name_of(Finding finding);  // "image_unreadable"
std::string text_of(Finding finding);  // what it means, in a few words

// Of one sample: each finding once.
struct SampleFinding {
  Finding finding{};
  std::string message{};  // the first, and how many more there are in the sample
};

}  // namespace sectile
