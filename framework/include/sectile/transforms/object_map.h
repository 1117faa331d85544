// The objects of a sample as one map of numbers: for targets that are about objects, such as distances to their
// borders.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include <opencv2/core/mat.hpp>

#include <sectile/context.h>
#include <sectile/sample.h>

namespace sectile {

// Where objects are taken from.
//   automatic   instances where the sample has some, else components
//   instances   the instances that have a mask; where two overlap, the later one is on top. Without any: the segments
//   components  connected components of each class of the labels; pixels that share a corner are connected
enum class ObjectSource { automatic, instances, components };

struct SECTILE_EXPORT ObjectMap {
  struct Box {
    std::array<int, 3> from{}, to{};  // (z, y, x); `to` is the first that is not inside
  };
  cv::Mat numbers{};         // 32S of the image's size: 0 none, 1 … count, kIgnore neither: crowds, ignored labels
  std::vector<Box> boxes{};  // of object i + 1; each has at least one pixel

  // The part of a map of this size that holds an object and so many pixels around it, as far as the image goes.
  cv::Mat around(const cv::Mat& map, std::size_t object, int margin) const;
};

// Objects are numbered in the order of their first pixels. classes: those whose objects count. An empty map if the
// sample has no annotation of that kind. Throws DataError for annotation that does not match the image's size.
SECTILE_EXPORT ObjectMap object_map(const Sample& sample, ObjectSource source,
                                    const std::vector<std::int64_t>& classes);

// The classes whose objects count if no option names them: the things; of data that has none, all classes but the
// first, number 0, which is the background of many datasets; all of overlapping classes, and the only one of one.
SECTILE_EXPORT std::vector<std::int64_t> classes_of_objects(const LabelMap& labels);

}  // namespace sectile
