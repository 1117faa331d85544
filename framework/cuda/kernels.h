// The interface of libsectile_cuda.so: pointers to a device's memory, sizes, and the stream that the work is queued on.
// Nothing here waits for the device. Functions return CUDA's error codes; 0 is success.
#pragma once

#include <cstdint>

namespace sectile::cuda {

// Where work is queued: a device's index, and a cudaStream_t of it.
struct Queue {
  int device;
  void* stream;
};

enum class Type { float32, float64, bfloat16 };

constexpr int kRoiLevels = 8;     // of one call
constexpr int kMostRoiBins = 64;  // per side, of the gradient
struct RoiAlign {
  struct Level {
    void* features;  // [N, H, W, C]
    double scale;    // features' pixels per pixel of the boxes
    std::int64_t images;
    int height, width;
  };
  Type type;  // of features and output
  Level levels[kRoiLevels];
  int first_level, level_count;  // which of the list `levels` are: regions of others are skipped
  const void* boxes;             // float64 [K, 4] for features of float64, float32 for others
  const std::int32_t* places;    // [K, 2]: image and level
  std::int64_t regions;          // K
  std::int64_t channels;         // C
  int bins, sampling_ratio;      // bins: per side
  bool aligned;
  void* output;  // [K, bins, bins, C]
};

// Boxes ordered by class, and within a class by score, best first.
struct Nms {
  Type type;                     // of boxes: float32 or float64
  const void* boxes;             // [K, 4]
  const std::int64_t* classes;   // [K]
  const std::int64_t* position;  // [K]: where in `kept` the result of each belongs
  std::int64_t count;            // K
  double threshold;
  std::uint8_t* stays;  // [K]: all 1
  std::uint8_t* kept;   // [K]: the result
};

struct PasteMasks {
  const float* masks;          // [K, M, M]
  const float* boxes;          // [K, 4]
  std::int64_t count, side;    // K, M
  std::int64_t height, width;  // of the image
  double threshold;
  std::int32_t* counts;      // [K, width]: of runs in each column
  const std::int64_t* ends;  // [K, width]: counts summed up to and with each column
  std::int64_t* runs;        // [ends[K - 1, width - 1], 2]: begin and end of each, in pixels column by column
};

struct Kernels {
  const char* (*message)(int error);
  int (*roi_align)(const RoiAlign& call, const Queue& queue);
  // Writes every number of the levels' features, the gradient, from `output`, which holds that of the output.
  int (*roi_align_backward)(const RoiAlign& call, const Queue& queue);
  int (*nms)(const Nms& call, const Queue& queue);
  int (*count_runs)(const PasteMasks& call, const Queue& queue);  // writes counts
  int (*write_runs)(const PasteMasks& call, const Queue& queue);  // writes runs
};
inline constexpr const char* kKernels = "sectile_cuda_kernels";  // the library's one symbol, a Kernels

}  // namespace sectile::cuda
