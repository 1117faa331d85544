// The kernels for GPUs as loops on the CPU: the same arithmetic, block after block.
#pragma once

#include <algorithm>

#include "cuda/nms.h"
#include "cuda/paste_masks.h"
#include "cuda/roi_gradient.h"

namespace sectile::test {

// Threads of a block, one after the other: from the first, or from the last. Results must not depend on that.
template <bool kReversed>
struct Loop {
  template <class Use>
  void each(std::int64_t count, const Use& use) const {
    for (std::int64_t i = 0; i < count; ++i) use(kReversed ? count - 1 - i : i);
  }
  void wait() const {}
};

template <class Use>
int with_feature_type(cuda::Type type, const Use& use) {
  if (type == cuda::Type::float64)
    use(double());
  else if (type == cuda::Type::bfloat16)
    use(cuda::Bfloat16());
  else
    use(float());
  return 0;
}

template <int kLanes>
int loop_roi_align(const cuda::RoiAlign& call, const cuda::Queue&) {
  return with_feature_type(call.type, [&](auto feature) {
    for (std::int64_t region = 0; region < call.regions; ++region) {
      const int level = call.places[2 * region + 1] - call.first_level;
      if (level < 0 || level >= call.level_count) continue;
      for (int bin = 0; bin < call.bins * call.bins; ++bin)
        for (std::int64_t channel = 0; channel < call.channels; channel += kLanes)
          cuda::average_bin<decltype(feature), kLanes>(call, call.levels[level], region, bin, channel);
    }
  });
}

template <bool kReversed>
int loop_roi_gradient(const cuda::RoiAlign& call, const cuda::Queue&) {
  return with_feature_type(call.type, [&](auto feature) {
    cuda::TileMemory<typename cuda::SumOf<decltype(feature)>::Type> memory;
    for (int i = 0; i < call.level_count; ++i)
      for (std::int64_t image = 0; image < call.levels[i].images; ++image)
        for (int row = 0; row < call.levels[i].height; row += cuda::kTile)
          for (int column = 0; column < call.levels[i].width; column += cuda::kTile)
            for (std::int64_t c = 0; c < call.channels; c += cuda::kTileChannels) {
              const auto channels = std::min<std::int64_t>(cuda::kTileChannels, call.channels - c);
              cuda::write_tile<decltype(feature)>(Loop<kReversed>(), call, i,
                                                  {image, row, column, c, static_cast<int>(channels)}, memory);
            }
  });
}

template <bool kReversed>
int loop_nms(const cuda::Nms& call, const cuda::Queue&) {
  const auto suppress = [&](auto number) {
    cuda::NmsMemory<decltype(number)> memory;
    for (std::int64_t i = 0; i < call.count; ++i)
      if (cuda::is_first_of_class(call, i)) cuda::suppress_class<decltype(number)>(Loop<kReversed>(), call, i, memory);
  };
  if (call.type == cuda::Type::float64)
    suppress(double());
  else
    suppress(float());
  return 0;
}

inline int loop_count_runs(const cuda::PasteMasks& call, const cuda::Queue&) {
  for (std::int64_t i = 0; i < call.count * call.width; ++i) cuda::count_runs_of(call, i);
  return 0;
}
inline int loop_write_runs(const cuda::PasteMasks& call, const cuda::Queue&) {
  for (std::int64_t i = 0; i < call.count * call.width; ++i) cuda::write_runs_of(call, i);
  return 0;
}

inline const cuda::Kernels kForward{[](int) { return "no error"; },
                                    loop_roi_align<1>,
                                    loop_roi_gradient<false>,
                                    loop_nms<false>,
                                    loop_count_runs,
                                    loop_write_runs};
inline const cuda::Kernels kReverse{[](int) { return "no error"; },
                                    loop_roi_align<2>,
                                    loop_roi_gradient<true>,
                                    loop_nms<true>,
                                    loop_count_runs,
                                    loop_write_runs};

}  // namespace sectile::test
