// What happens to a sample between the file and the batch.
#pragma once

#include <functional>
#include <vector>

#include <sectile/component.h>
#include <sectile/random.h>
#include <sectile/sample.h>

namespace sectile {

// The chances of one application: numbers, and further samples. Keyed by (seed, epoch, sample, how often the sample
// came before in the epoch, position), so that neither the number of threads nor a resumed run changes what is drawn,
// and a sample that is drawn twice is augmented twice.
class SECTILE_EXPORT Draw {
 public:
  Draw(Random numbers, std::function<Sample(Random&)> others, Random of_batch = Random{0});

  Random random;
  Random batch;  // the same numbers for every sample of a batch: a size that they share
  // Another sample of the same data, after the transforms that stand before this one. Read only when asked for.
  // Throws DataError where there is no other data (prediction).
  Sample another();

 private:
  std::function<Sample(Random&)> others_;
};

class SECTILE_EXPORT Transform {
 public:
  virtual ~Transform();

  // Called from several threads at once. Support samples of an episode are given to it one by one, like any other.
  virtual void apply(Sample& sample, Draw& draw) const = 0;
};

// How a value between pixels is made.
//   nearest  The pixel that the position lies in.
//   linear   Of the centres of the nearest pixels, two along each axis, with the edge repeated. Nothing is averaged
//   when
//            an image shrinks: OpenCV's INTER_LINEAR, not an antialiased resize.
//   cubic    Of four along each axis, by Keys' kernel with a = -0.75: OpenCV's INTER_CUBIC. May overshoot.
//   area     The mean over the area that a pixel of the result covers: OpenCV's INTER_AREA. It is defined for images
//            whose rows and columns move independently, by flips, quarter turns, crops and resizes, along no axis of
//            which the image grows; every other warp (growing, slanted, of a volume, with a displacement) is linear.
enum class Interpolation { nearest, linear, cubic, area };

// A change of geometry, as a map from positions of the result to positions of the sample.
struct SECTILE_EXPORT Warp {
  Extent size{};                              // of the result
  cv::Matx44d to_input = cv::Matx44d::eye();  // (x, y, z, 1), continuous: pixel i covers [i, i + 1)
  cv::Mat displacement{};                     // 32FC3 of the result's size, added after the matrix; empty: none
  std::vector<double> image_fill{0};          // outside the sample: one value for all channels, or one each
  std::int16_t label_fill = kIgnore;  // class number there; of labels per class, 1 in that class and 0 in others
  Interpolation interpolation = Interpolation::linear;  // of the image; labels and ids are always nearest

  // Of a fused warp: a sample that it does not make, but whose edge shows in its result.
  struct Stage {
    Extent size{};
    cv::Matx44d from_result = cv::Matx44d::eye();  // position in the result → position in this sample
    cv::Mat displacement{};                        // as above; empty: none
    std::vector<double> image_fill{0};             // of the warp that came after it
    std::int16_t label_fill = kIgnore;
  };
  std::vector<Stage> stages{};  // in the order in which they would be made; set by fused()

  static Warp resize(const Extent& from, const Extent& to);
  static Warp crop(int x, int y, int z, const Extent& size);  // may reach outside: pads
  static Warp flip(const Extent& size, int axis);             // 0 x, 1 y, 2 z
};

// Moves pixels, labels (nearest), targets (32F linearly, 16S nearest), instance masks and boxes, segment ids and the
// geometry record together. Instances of which nothing is left are dropped. Images and volumes. A warp that changes
// nothing leaves all as it is. Throws DataError for a size of 0, for annotation of another size than the image, and for
// fills that are not as many as there are channels.
SECTILE_EXPORT void apply(const Warp& warp, Sample& sample);

// One map alone, such as one that a plugin keeps beside the sample: 8U, 16U, 16S, 32S or 32F, of any number of
// channels. Of `warp` its geometry counts, not its fills nor its interpolation. fill: outside, one value for all
// channels or one each. Throws DataError.
SECTILE_EXPORT cv::Mat warped(const cv::Mat& map, const Warp& warp, Interpolation interpolation,
                              const std::vector<double>& fill = {0});

// One warp that does what `first` and `second` after it do, with a single resampling: pixels are interpolated as the
// first of the two says that does not only move whole pixels. Matrices are multiplied; a displacement of `first` is
// interpolated linearly between its pixels. What `second` shows from outside the result of `first` is filled as it
// would be; beside that edge pixels are interpolated as if it were not there.
SECTILE_EXPORT Warp fused(const Warp& first, const Warp& second);

// All a geometric transform has to say is its warp.
class SECTILE_EXPORT GeometricTransform : public Transform {
 public:
  void apply(Sample& sample, Draw& draw) const final;

  // Where the spec asks for transforms to be fused, the sample may be one whose earlier warps have not been applied
  // yet: its id, its geometry and the size and type of its image are right, its pixels are 0, and there is no
  // annotation.
  virtual Warp warp(const Sample& sample, Draw& draw) const = 0;
  // Whether warp() depends on pixels or annotation, and so must see the sample as it is.
  virtual bool looks_at_pixels() const { return false; }
};

template <class T, class OwnOptions = NoOptions>
constexpr Component transform(const char* name, const char* summary) {
  return component<Transform, T, OwnOptions>(name, summary);
}

}  // namespace sectile
