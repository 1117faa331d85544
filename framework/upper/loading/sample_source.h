// A dataset with its transforms.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sectile/dataset.h>
#include <sectile/transform.h>

#include "../../ground/checking/open_dataset.h"

namespace sectile {

using TransformChain = std::vector<std::shared_ptr<Transform>>;

// One application of the transforms to one sample; together with the seed, it determines all random numbers.
struct Occasion {
  std::size_t epoch = 0;
  std::size_t index = 0;       // of the sample
  std::size_t occurrence = 0;  // how often the sample came before in this epoch
  std::int64_t batch = 0;      // number in the whole run; its samples share Draw::batch
};

struct SampleSource {
  std::shared_ptr<const Dataset> data;
  TransformChain transforms;
  std::uint64_t seed = 0;
  bool fuse = false;                 // consecutive warps are applied as one
  int channels = 0;                  // of the images that the transforms get; 0: those of the files
  std::vector<std::string> notes{};  // of the dataset, for the user
  Parts parts{};                     // that are read
  // Whether a sample that is to be mixed in and cannot be prepared is replaced by the next one, or if there is none by
  // the sample that it is mixed into. It is reported when it comes as a sample of its own.
  bool skip_bad = false;

  // The sample as stored in the file, with Geometry::original filled in, and grayscale converted to RGB or the reverse.
  Sample read(std::size_t index) const;
  // The same after its transforms. Depends only on the seed and the occasion; called from several threads at once.
  Sample prepare(const Occasion& when) const;
  Sample transformed(Sample sample, const Occasion& when) const;
};

// Converts an image to these channels: grayscale to RGB or the reverse. Throws DataError naming the place for others.
cv::Mat with_channels(const cv::Mat& image, int channels, const std::string& place);

// Transforms for an image that is not from a dataset. fuse: as above.
Sample transformed_alone(Sample sample, const TransformChain& transforms, bool fuse = false);

}  // namespace sectile
