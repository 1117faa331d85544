#include "predictor.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/InferenceMode.h>
#include <opencv2/imgproc.hpp>

#include <sectile/data/image_io.h>

#include "../../ground/data/overlay.h"
#include "../loading/loader.h"
#include "device.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

constexpr int kIgnoredIndex = 255;  // what PNG masks hold where no class is, as in VOC and Cityscapes

struct Read {
  cv::Mat image;
  Batch batch;
};

cv::Mat with_channels(const cv::Mat& image, int channels, const fs::path& file) {
  if (image.channels() == channels) return image;
  cv::Mat converted;
  if (image.channels() == 1 && channels == 3)
    cv::cvtColor(image, converted, cv::COLOR_GRAY2RGB);
  else if (image.channels() == 3 && channels == 1)
    cv::cvtColor(image, converted, cv::COLOR_RGB2GRAY);
  else
    throw DataError(file, "has " + std::to_string(image.channels()) + " channels, and the network wants " +
                              std::to_string(channels));
  return converted;
}

Read read(const Pipeline& pipeline, const fs::path& file) {
  const c10::InferenceMode no_gradients;
  Read made;
  made.image = with_channels(read_image(file), pipeline.context.channels, file);
  Sample sample;
  sample.id = file.string();
  sample.image = made.image;
  std::vector<Sample> one;
  one.push_back(transformed_alone(std::move(sample), pipeline.evaluation_transforms));
  made.batch = pipeline.collate(std::move(one));
  return made;
}

// labels: int64 [H, W], or bool [classes, H, W] for overlapping classes.
cv::Mat label_map(const at::Tensor& labels) {
  at::Tensor numbers = labels;
  if (labels.dim() == 3) {
    const auto rank = at::arange(1, labels.size(0) + 1, labels.options().dtype(at::kLong)).view({-1, 1, 1});
    numbers = (labels.to(at::kLong) * rank).amax(0) - 1;
  }
  const auto small = numbers.to(at::kCPU, at::kShort).contiguous();
  cv::Mat map(static_cast<int>(small.size(0)), static_cast<int>(small.size(1)), CV_16S);
  std::copy_n(small.const_data_ptr<std::int16_t>(), small.numel(), map.ptr<std::int16_t>());
  return map;
}

}  // namespace

void predict(const Pipeline& pipeline, const std::vector<fs::path>& files,
             const std::function<void(const PredictedPicture&)>& use) {
  const c10::InferenceMode no_gradients;
  set_training(pipeline.model->module(), false);
  Wanted wanted;
  wanted.labels = true;
  wanted.overlapping = pipeline.context.labels->overlapping;
  const int threads = std::min(pipeline.spec.train.workers, static_cast<int>(files.size()) - 1);
  Loader<Read, Read> loader(
      {[&] { return static_cast<std::int64_t>(files.size()); }, [](std::int64_t) { return std::size_t{1}; },
       [&](std::int64_t index, std::size_t) { return read(pipeline, files[static_cast<std::size_t>(index)]); },
       [](std::int64_t, std::vector<Read> parts) { return std::move(parts.front()); }},
      std::max(threads, 0));
  for (const auto& file : files) {
    auto one = loader.next();
    const auto batch = pipeline.placed(std::move(one.batch));
    const auto predictions = pipeline.model->decode(pipeline.infer(batch), batch, wanted);
    use({file, one.image, label_map(predictions.at(0).labels)});
  }
}

void write_labels(const fs::path& file, const cv::Mat& labels, const LabelMap& classes) {
  auto palette = palette_of(classes);
  cv::Mat pixels;
  if (palette.size() > kIgnoredIndex) {  // more classes than a palette holds: the numbers alone, in 16 bits
    labels.convertTo(pixels, CV_16U);
    return write_png(file, pixels);
  }
  palette.resize(256);
  labels.convertTo(pixels, CV_8U);
  pixels.setTo(kIgnoredIndex, labels < 0);
  write_png(file, pixels, palette);
}

void write_overlay(const fs::path& file, const PredictedPicture& picture, const LabelMap& classes) {
  write_png(file, overlay(picture.image, picture.labels, classes));
}

}  // namespace sectile
