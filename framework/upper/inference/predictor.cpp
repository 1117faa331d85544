#include "predictor.h"

#include <algorithm>

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

constexpr int kIgnoredIndex = 255;   // what PNG masks hold where no class is, as in VOC and Cityscapes
constexpr int kIgnoredWide = 65535;  // likewise in 16 bits

struct Read {
  cv::Mat image;
  Batch batch;
  std::string bad;  // why there is none
};

cv::Mat with_channels(const cv::Mat& image, int channels, const std::string& place) {
  if (image.channels() == channels) return image;
  const bool convertible = image.depth() != CV_16S;  // what cvtColor can do
  cv::Mat converted;
  if (image.channels() == 1 && channels == 3 && convertible)
    cv::cvtColor(image, converted, cv::COLOR_GRAY2RGB);
  else if (image.channels() == 3 && channels == 1 && convertible)
    cv::cvtColor(image, converted, cv::COLOR_RGB2GRAY);
  else
    throw DataError(place, "has " + std::to_string(image.channels()) + " channels of " +
                               cv::depthToString(image.depth()) + ", and the network wants " +
                               std::to_string(channels));
  return converted;
}

Read read(const Pipeline& pipeline, const PictureSource& source) {
  const c10::InferenceMode no_gradients;
  const auto place = source.place();
  Read made;
  made.image = with_channels(read_image(source.file, source.page), pipeline.context.channels, place);
  Sample sample;
  sample.id = place;
  sample.image = made.image;
  std::vector<Sample> one;
  try {
    one.push_back(transformed_alone(std::move(sample), pipeline.evaluation_transforms, pipeline.spec.transforms.fuse));
  } catch (const cv::Exception& error) {  // OpenCV's functions do not know every type of pixel
    throw DataError(place, "is " + cv::typeToString(made.image.type()) +
                               ", which the transforms before the network cannot work on: " + error.what());
  }
  made.batch = pipeline.collate(std::move(one));
  return made;
}

Read read_or_reason(const Pipeline& pipeline, const PictureSource& source, bool skip_bad) {
  if (!skip_bad) return read(pipeline, source);
  try {
    return read(pipeline, source);
  } catch (const DataError& error) {
    Read none;
    none.bad = error.what();
    return none;
  }
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

// scores: float [classes, H, W], on any device.
cv::Mat score_map(const at::Tensor& scores) {
  if (!scores.defined()) throw PluginError("--scores", "this model gives no class scores; leave it out");
  cv::Mat map(static_cast<int>(scores.size(1)), static_cast<int>(scores.size(2)),
              CV_32FC(static_cast<int>(scores.size(0))));
  at::from_blob(map.data, {scores.size(1), scores.size(2), scores.size(0)}, at::kFloat)
      .copy_(scores.permute({1, 2, 0}));
  return map;
}

PredictedPicture predicted(const Pipeline& pipeline, Read& one, const Wanted& wanted) {
  const auto batch = pipeline.placed(std::move(one.batch));
  const auto predictions = pipeline.model->decode(pipeline.infer(batch), batch, wanted);
  PredictedPicture picture;
  picture.image = one.image;
  picture.labels = label_map(predictions.at(0).labels);
  if (wanted.scores) picture.scores = score_map(predictions.at(0).scores);
  return picture;
}

}  // namespace

std::string PictureSource::place() const {
  return file.string() + (pages > 1 ? ", page " + std::to_string(page + 1) : "");
}

std::vector<std::string> predict(const Pipeline& pipeline, const std::vector<PictureSource>& sources,
                                 const PredictOptions& options,
                                 const std::function<void(const PredictedPicture&)>& use) {
  const c10::InferenceMode no_gradients;
  set_training(pipeline.model->module(), false);
  Wanted wanted;
  wanted.labels = true;
  wanted.scores = options.scores;
  wanted.overlapping = pipeline.context.labels->overlapping;
  const int threads = std::clamp(static_cast<int>(sources.size()) - 1, 0, pipeline.spec.train.workers);
  Loader<Read, Read> loader(
      {[&] { return static_cast<std::int64_t>(sources.size()); }, [](std::int64_t) { return std::size_t{1}; },
       [&](std::int64_t index, std::size_t) {
         return read_or_reason(pipeline, sources[static_cast<std::size_t>(index)], options.skip_bad);
       },
       [](std::int64_t, std::vector<Read> parts) { return std::move(parts.front()); }},
      threads, threads);
  std::vector<std::string> bad;
  for (std::size_t index = 0; index < sources.size(); ++index) {
    auto one = loader.next();
    if (!one.bad.empty()) {
      bad.push_back(one.bad);
      continue;
    }
    auto picture = predicted(pipeline, one, wanted);
    picture.index = index;
    use(picture);
  }
  return bad;
}

void write_labels(const fs::path& file, const cv::Mat& labels, const LabelMap& classes) {
  auto palette = palette_of(classes);
  cv::Mat pixels;
  if (palette.size() > kIgnoredIndex) {  // more classes than a palette holds: the numbers alone, in 16 bits
    labels.convertTo(pixels, CV_16U);
    pixels.setTo(kIgnoredWide, labels < 0);
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
