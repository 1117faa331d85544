#include <sectile/transforms/pixel_values.h>

#include <string>

#include <sectile/error.h>

namespace sectile {

double largest_value(const Sample& sample, const char* transform) {
  switch (sample.image.depth()) {
    case CV_8U:
      return 255;
    case CV_16U:
      return 65535;
    case CV_32F:
      return 1;
    default:
      throw DataError(sample.id, std::string(transform) + " knows no largest value of an image of " +
                                     cv::typeToString(sample.image.type()) + ": expected 8U, 16U or 32F");
  }
}

void demand_rgb(const Sample& sample, const char* transform) {
  constexpr int kColors = 3;
  if (sample.image.channels() == kColors) return;
  throw DataError(sample.id, "has " + std::to_string(sample.image.channels()) + " channels; " + transform +
                                 " expected the three of a color image: remove the transform, or select channels");
}

cv::Mat flat_values(const cv::Mat& image) {
  return {1, static_cast<int>(image.total()) * image.channels(), image.depth(), image.data};
}

cv::Mat as_plane(const cv::Mat& image) {
  if (image.dims == 2) return image;
  const cv::Mat whole = image.isContinuous() ? image : image.clone();
  const int sizes[] = {whole.size[0] * whole.size[1], whole.size[2]};
  return whole.reshape(0, 2, sizes);
}

}  // namespace sectile
