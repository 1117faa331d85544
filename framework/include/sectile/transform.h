// What happens to a sample between the file and the batch.
#pragma once

#include <functional>

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

// A change of geometry, as a map from positions of the result to positions of the sample.
struct SECTILE_EXPORT Warp {
  Extent size{};                              // of the result
  cv::Matx44d to_input = cv::Matx44d::eye();  // (x, y, z, 1), continuous: pixel i covers [i, i + 1)
  cv::Mat displacement{};                     // 32FC3 of the result's size, added after the matrix; empty: none
  double image_fill = 0;                      // outside the sample; labels get kIgnore there

  static Warp resize(const Extent& from, const Extent& to);
  static Warp crop(int x, int y, int z, const Extent& size);  // may reach outside: pads
  static Warp flip(const Extent& size, int axis);             // 0 x, 1 y, 2 z
};

// Moves pixels, labels (nearest), targets, instance masks and boxes, segment ids and the geometry record together.
// Instances of which nothing is left are dropped. Pictures and volumes. A warp that changes nothing leaves all as it
// is. Throws DataError for a size of 0 and for annotation of another size than the picture.
//
// Pixels are interpolated between the centres of the nearest ones, two along each axis, with the edge repeated. Nothing
// is averaged when a picture shrinks: the convention of OpenCV's INTER_LINEAR, not that of an antialiased resize.
SECTILE_EXPORT void apply(const Warp& warp, Sample& sample);

// All a geometric transform has to say is its warp.
class SECTILE_EXPORT GeometricTransform : public Transform {
 public:
  void apply(Sample& sample, Draw& draw) const final;

 protected:
  virtual Warp warp(const Sample& sample, Draw& draw) const = 0;
};

template <class T, class OwnOptions = NoOptions>
constexpr Component transform(const char* name, const char* summary) {
  return component<Transform, T, OwnOptions>(name, summary);
}

}  // namespace sectile
