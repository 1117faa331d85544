// Preprocessing and augmentation of samples.
#pragma once

#include <functional>
#include <vector>

#include <sectile/component.h>
#include <sectile/random.h>
#include <sectile/sample.h>

namespace sectile {

// The random draws of one application: numbers, and further samples. Keyed by (seed, epoch, sample, how often the
// sample came before in the epoch, position), so that neither the number of threads nor resuming changes them, and a
// sample that is drawn twice gets two different augmentations.
class SECTILE_EXPORT Draw {
 public:
  Draw(Random numbers, std::function<Sample(Random&)> others, Random of_batch = Random{0});

  Random random;
  Random batch;  // the same numbers for all samples of a batch, such as a common size
  // Another sample of the same dataset, after the transforms before this one. Read only when called.
  // Throws DataError if there is no dataset (prediction).
  Sample another();

  // The draws of a transform that this one holds and applies. Each call gives other random numbers; those of the batch
  // depend on `position`, the held transform's place, alone. before: what is applied to other samples as well, in front
  // of the held transform; called only while its draws exist.
  Draw child(std::uint64_t position, std::function<void(Sample&, Draw&)> before = nullptr);

 private:
  std::function<Sample(Random&)> others_;
};

class SECTILE_EXPORT Transform {
 public:
  virtual ~Transform();

  // Called from several threads at once. Support samples of an episode are passed one by one, like any other.
  virtual void apply(Sample& sample, Draw& draw) const = 0;
};

// How values between pixels are interpolated.
//   nearest  The pixel that the position lies in.
//   linear   From the centers of the nearest pixels, two along each axis, with the edge repeated. No averaging when
//            an image shrinks: OpenCV's INTER_LINEAR, not an antialiased resize.
//   cubic    From four along each axis, with Keys' kernel with a = -0.75: OpenCV's INTER_CUBIC. May overshoot.
//   area     The mean over the area that a pixel of the result covers: OpenCV's INTER_AREA. It is defined for images
//            whose rows and columns move independently, by flips, quarter turns, crops and resizes, along no axis of
//            which the image grows; every other warp (growing, slanted, of a volume, with a displacement) is linear.
enum class Interpolation { nearest, linear, cubic, area };

// A position, moved by a matrix of homogeneous positions (x, y, z, 1): x and y are divided by the fourth component of
// the product, which is 1 unless the matrix has a perspective. Perspectives are for images, and leave z alone.
inline cv::Vec3d moved_position(const cv::Matx44d& matrix, const cv::Vec3d& position) {
  const cv::Vec4d at = matrix * cv::Vec4d(position[0], position[1], position[2], 1);
  return {at[0] / at[3], at[1] / at[3], at[2]};
}

// A change of geometry, as a map from positions of the result to positions of the sample.
struct SECTILE_EXPORT Warp {
  Extent size{};  // of the result
  // Of homogeneous positions (x, y, z, 1), continuous: pixel i covers [i, i + 1). The last row is (0, 0, 0, 1), or that
  // of a perspective: see moved_position(). Positions whose fourth component is not above 0 are outside.
  cv::Matx44d to_input = cv::Matx44d::eye();
  cv::Mat displacement{};             // 32FC3 of the result's size, added after the matrix; empty: none
  std::vector<double> image_fill{0};  // outside the sample: one value for all channels, or one per channel
  std::int16_t label_fill = kIgnore;  // class number there; of labels per class, 1 in that class and 0 in others
  Interpolation interpolation = Interpolation::linear;  // of the image; labels and ids are always nearest
  // Whether a box without a mask becomes the bounding box of the moved ellipse inside it, which is smaller after
  // rotations, or of its moved corners. Kalra et al. 2021, "Towards rotation invariance in object detection".
  bool boxes_are_ellipses = false;

  // For a fused warp: an intermediate sample that is not computed, but whose edge is visible in the result.
  struct Stage {
    Extent size{};
    cv::Matx44d from_result = cv::Matx44d::eye();  // position in the result → position in this sample
    cv::Mat displacement{};                        // as above; empty: none
    std::vector<double> image_fill{0};             // of the warp that came after it
    std::int16_t label_fill = kIgnore;
  };
  std::vector<Stage> stages{};  // in the order of the warps; set by fused()

  static Warp resize(const Extent& from, const Extent& to);
  static Warp crop(int x, int y, int z, const Extent& size);  // may reach outside: pads
  static Warp flip(const Extent& size, int axis);             // 0 x, 1 y, 2 z
};

// Warps pixels, labels (nearest), targets (32F linearly, 16S nearest), instance masks and boxes, segment ids and the
// geometry together. The box of a mask is made anew, in whole pixels, and so is a box without one where there is a
// displacement. Instances outside the result are dropped. Images and volumes. The identity changes nothing. Throws
// DataError for a size of 0, for annotation of another size than the image, and if the number of fills does not match
// the channels.
SECTILE_EXPORT void apply(const Warp& warp, Sample& sample);

// Warps a single map, such as one that a plugin keeps in addition to the sample: 8U, 16U, 16S, 32S or 32F, with any
// number of channels. Uses only the geometry of `warp`, not its fills and interpolation. fill: value outside, one for
// all channels or one per channel. Throws DataError.
SECTILE_EXPORT cv::Mat warped(const cv::Mat& map, const Warp& warp, Interpolation interpolation,
                              const std::vector<double>& fill = {0});

// One warp that has the effect of `first` and then `second`, with a single resampling: the interpolation is that of the
// first of the two that does more than move whole pixels. Matrices are multiplied; a displacement of `first` is
// interpolated linearly between its pixels. Where `second` reaches outside the result of `first`, it is filled as
// without fusing; next to that edge pixels are interpolated as if there were no edge.
SECTILE_EXPORT Warp fused(const Warp& first, const Warp& second);

// Throws DataError if the sample has no image, or one without pixels: nothing can be said of its size.
SECTILE_EXPORT void demand_image(const Sample& sample);

// A geometric transform only returns its warp.
class SECTILE_EXPORT GeometricTransform : public Transform {
 public:
  // Throws DataError for a sample without an image.
  void apply(Sample& sample, Draw& draw) const final;

  // With "fuse" in the spec, earlier warps may not have been applied to the sample yet: its id, its geometry and the
  // size and type of its image are valid, its pixels are 0, and there is no annotation.
  virtual Warp warp(const Sample& sample, Draw& draw) const = 0;
  // Whether warp() depends on pixels or annotation, so that earlier warps must be applied first.
  virtual bool looks_at_pixels() const { return false; }
};

template <class T, class OwnOptions = NoOptions>
constexpr Component transform(const char* name, const char* summary) {
  return component<Transform, T, OwnOptions>(name, summary);
}

}  // namespace sectile
