#include "sample_source.h"

#include <cstdlib>
#include <optional>
#include <utility>

#include <opencv2/imgproc.hpp>

#include "../../ground/component_call.h"

namespace sectile {
namespace {

constexpr std::uint64_t kBatchStream = 0x6261746368;  // separates random numbers of a batch and of its samples

void set_original_size(Sample& sample) {
  if (sample.geometry.original.width == 0) sample.geometry.original = extent(sample.image);
  for (auto& shot : sample.support) set_original_size(shot);
}

// A sample as after a warp that has not been applied yet, without pixels and annotation. The memory of the pixels is
// allocated but never written, so that large images cost nothing.
struct Preview {
  Preview(const Sample& now, const Warp& warp) {
    sample.id = now.id;
    sample.geometry = now.geometry;
    sample.geometry.to_original = now.geometry.to_original * warp.to_input;
    sample.geometry.invertible = now.geometry.invertible && warp.displacement.empty();
    const int sizes[] = {warp.size.depth, warp.size.height, warp.size.width};
    const int skipped = now.image.dims == 3 ? 0 : 1;
    const auto total =
        static_cast<std::size_t>(sizes[0]) * static_cast<std::size_t>(sizes[1]) * static_cast<std::size_t>(sizes[2]);
    zeros.reset(std::calloc(std::max<std::size_t>(total, 1), now.image.elemSize()));
    if (!zeros) throw std::bad_alloc();
    sample.image = cv::Mat(3 - skipped, sizes + skipped, now.image.type(), zeros.get());
  }

  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  std::unique_ptr<void, Free> zeros;
  Sample sample;
};

// Applies the transforms to a sample and its support, in order. With fusing, warps are deferred until the pixels are
// needed.
class Chain {
 public:
  Chain(Sample& sample, bool fuse) : sample_(sample), fuse_(fuse) {}

  // draw(i): the random draws of the sample (0) and of each support sample (from 1).
  template <class MakeDraw>
  void add(const std::shared_ptr<Transform>& transform, const MakeDraw& draw) {
    const auto* geometric = fuse_ ? dynamic_cast<const GeometricTransform*>(transform.get()) : nullptr;
    if (!geometric || geometric->looks_at_pixels()) finish();
    for (std::size_t i = 0; i <= sample_.support.size(); ++i)
      call<DataError>(place_of(transform), sample_.id, [&] {
        Draw chances = draw(i);
        if (geometric)
          hold_back(i, *geometric, chances);
        else
          transform->apply(member(i), chances);
      });
  }

  void finish() {
    for (std::size_t i = 0; i < held_back_.size(); ++i) sectile::apply(held_back_[i], member(i));
    held_back_.clear();
  }

 private:
  Sample& member(std::size_t i) { return i == 0 ? sample_ : sample_.support[i - 1]; }

  void hold_back(std::size_t i, const GeometricTransform& transform, Draw& draw) {
    if (i == held_back_.size()) {
      demand_image(member(i));
      held_back_.push_back(transform.warp(member(i), draw));
      return;
    }
    const Preview preview(member(i), held_back_[i]);
    demand_image(preview.sample);
    held_back_[i] = fused(held_back_[i], transform.warp(preview.sample, draw));
  }

  Sample& sample_;
  bool fuse_;
  std::vector<Warp> held_back_;
};

// Applies the first `count` transforms. `stream` distinguishes the samples that mixing transforms draw for one index.
Sample apply(const SampleSource& source, Sample sample, std::size_t count, const Occasion& when, std::uint64_t stream) {
  const auto others = [&source, when](std::size_t position) {
    return [&source, when, position](Random& random) {
      const auto size = source.data->size(), rest = std::max<std::size_t>(1, size - 1);
      const auto first = static_cast<std::size_t>(random.below(static_cast<std::int64_t>(rest)));
      const auto its_stream = random.bits();
      const auto prepared = [&](std::size_t step) {
        auto other = when;
        other.index = (when.index + step) % size;
        return apply(source, source.read(other.index), position, other, its_stream);
      };
      Sample made;
      for (std::size_t tries = 0; tries < rest; ++tries)
        if (reason_to_skip(source.skip_bad, [&] { made = prepared(1 + (first + tries) % rest); }).empty()) return made;
      return prepared(0);  // the sample itself: there is no other
    };
  };
  Chain chain(sample, source.fuse);
  for (std::size_t i = 0; i < count; ++i) {
    const Random of_batch{source.seed, static_cast<std::uint64_t>(when.batch), i, kBatchStream};
    chain.add(source.transforms[i], [&](std::size_t member) {
      return Draw(Random{source.seed, when.epoch, when.index, when.occurrence, i, stream, member}, others(i), of_batch);
    });
  }
  chain.finish();
  return sample;
}

}  // namespace

Sample SampleSource::read(std::size_t index) const {
  auto sample =
      call<DataError>(place_of(data), "sample " + std::to_string(index), [&] { return data->read(index, parts); });
  if (sample.image.empty()) throw DataError(sample.id, "has no image");
  set_original_size(sample);
  if (channels > 0) {
    sample.image = with_channels(sample.image, channels, sample.id);
    for (auto& shot : sample.support) shot.image = with_channels(shot.image, channels, shot.id);
  }
  return sample;
}

Sample SampleSource::prepare(const Occasion& when) const { return transformed(read(when.index), when); }

Sample SampleSource::transformed(Sample sample, const Occasion& when) const {
  return apply(*this, std::move(sample), transforms.size(), when, 0);
}

cv::Mat with_channels(const cv::Mat& image, int channels, const std::string& place) {
  const int depth = image.depth();
  if (depth != CV_8U && depth != CV_16U && depth != CV_16S && depth != CV_32F)
    throw DataError(
        place, "has values of " + std::string(cv::depthToString(depth)) + "; expected CV_8U, CV_16U, CV_16S or CV_32F");
  if (image.channels() == channels) return image;
  cv::Mat converted;
  if (image.dims == 2 && image.channels() == 1 && channels == 3) {
    cv::merge(std::vector<cv::Mat>(3, image), converted);
  } else if (image.dims == 2 && image.channels() == 3 && channels == 1) {
    cv::Mat supported = image;
    if (depth == CV_16S) image.convertTo(supported, CV_32F);  // cvtColor does not take 16S
    cv::cvtColor(supported, converted, cv::COLOR_RGB2GRAY);
    converted.convertTo(converted, depth);
  } else {
    throw DataError(place, "has " + std::to_string(image.channels()) + " channels, and the network expects " +
                               std::to_string(channels));
  }
  return converted;
}

Sample transformed_alone(Sample sample, const TransformChain& transforms, bool fuse) {
  set_original_size(sample);
  Chain chain(sample, fuse);
  for (std::size_t i = 0; i < transforms.size(); ++i)
    chain.add(transforms[i], [i](std::size_t) { return Draw(Random{i}, nullptr); });
  chain.finish();
  return sample;
}

}  // namespace sectile
