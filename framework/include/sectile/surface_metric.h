// Metrics of the outlines of masks: per image and class, a mask of the truth and one of the prediction. They implement
// only add() and compute().
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <opencv2/core/mat.hpp>
#include <opencv2/core/matx.hpp>

#include <sectile/context.h>
#include <sectile/data/class_selection.h>
#include <sectile/exact_sum.h>
#include <sectile/metric.h>

namespace sectile {

// Of one class in one image. Ignored pixels are in neither mask.
struct MaskPair {
  cv::Mat truth{}, prediction{};  // 8U, 0 or 1, H x W or D x H x W: the box that holds both masks, cut out of the image
  bool in_truth = false, in_prediction = false;  // whether a mask has a pixel; one has
  Extent image{};
  cv::Vec3d spacing = {1, 1, 1};  // size of a pixel (x, y, z) in millimetres, or 1 if nobody knows
};

// The pixels of a mask with an edge (in volumes a face) in common with a pixel outside it; what is beyond the border of
// the image is outside. In scipy: mask and not binary_erosion(mask).
SECTILE_EXPORT cv::Mat surface_of(const cv::Mat& mask);

// Of each pixel of one surface, row by row, to the nearest one of the other: infinite if there is none.
struct SurfaceDistances {
  std::vector<double> of_prediction{}, of_truth{};
};
SECTILE_EXPORT SurfaceDistances surface_distances(const MaskPair& masks, const cv::Vec3d& spacing);

// Options of metrics that measure distances.
struct SECTILE_EXPORT SpacingOptions : ClassSelection {
  std::vector<double> spacing{};
  void declare(Options& options);
};

class SECTILE_EXPORT SurfaceMetric : public Metric {
 public:
  // name: the metric's type, for messages. sums: how many a class has. spacing: replaces that of the samples.
  SurfaceMetric(std::string name, std::size_t sums, const ClassSelection& selection, const std::vector<double>& spacing,
                const BuildContext& context);

  Wanted wanted() const final;
  // Throws DataError for a class number out of range, and if prediction and truth differ in size.
  void update(const Prediction& prediction, const Truth& truth) final;
  std::vector<at::Tensor> state() const final;
  void merge(const std::vector<at::Tensor>& state) final;

 protected:
  // One class of one image; not called where neither mask has a pixel, nor for classes that do not count.
  virtual void add(const MaskPair& masks, std::span<ExactSum> sums) const = 0;

  std::size_t classes() const { return counts_.size(); }
  bool counts(std::size_t number) const { return counts_[number]; }
  const ExactSum& sum(std::size_t number, std::size_t which) const { return sums_[number * sums_of_class_ + which]; }
  // For metrics with two sums of distances: 0 of all, infinite or a penalty where a class was missed, and 1 of those
  // that were found. Values and columns per class `name`, "`name` found", "images" and "missed", without convention.
  MetricReport distances(const std::string& name) const;
  // Of those that are not NaN; NaN if there are none.
  static double mean(const std::vector<double>& of_classes);

 private:
  const std::string name_;
  const bool overlapping_;
  const std::size_t sums_of_class_;
  const std::vector<double> spacing_;
  std::vector<bool> counts_;    // per class
  std::vector<ExactSum> sums_;  // [classes][sums]
};

}  // namespace sectile
