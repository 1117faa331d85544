// A dataset with its transforms: which samples there are, and how each of them comes out.
#pragma once

#include <memory>
#include <vector>

#include <sectile/dataset.h>
#include <sectile/transform.h>

namespace sectile {

using TransformChain = std::vector<std::shared_ptr<Transform>>;

struct SampleSource {
  std::shared_ptr<const Dataset> data;
  TransformChain transforms;
  std::uint64_t seed = 0;
  bool fuse = false;  // neighbouring warps are applied as one

  // The sample as the file has it, with Geometry::original filled in.
  Sample read(std::size_t index) const;
  // The same after its transforms. Depends on (seed, epoch, index) alone; called from several threads at once.
  Sample prepare(std::size_t epoch, std::size_t index) const;
  Sample transformed(Sample sample, std::size_t epoch, std::size_t index) const;
};

// 0 … count - 1 in an order that depends on (seed, epoch) alone.
std::vector<std::size_t> shuffled(std::size_t count, std::uint64_t seed, std::size_t epoch);

// Transforms for an image that belongs to no dataset. fuse: as above.
Sample transformed_alone(Sample sample, const TransformChain& transforms, bool fuse = false);

}  // namespace sectile
