#include "predictor.h"

#include <algorithm>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/InferenceMode.h>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include <sectile/data/image_io.h>

#include "../../ground/component_call.h"
#include "../../ground/overlays/overlay.h"
#include "../loading/batch.h"
#include "../loading/loader.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

constexpr int kIgnoredIndex = 255;   // value of PNG masks where there is no class, as in VOC and Cityscapes
constexpr int kIgnoredWide = 65535;  // the same in 16 bits

struct Read {
  cv::Mat image;
  std::vector<Batch> batches;
  std::string bad;  // why it could not be read
};

Read read_sample(const Ensemble& ensemble, const SampleSource& source, std::size_t index) {
  const c10::InferenceMode no_gradients;
  auto all = source.read(index);
  if (all.image.dims != 2)
    throw DataError(all.id, "is a volume, and masks are written of images of 2 dimensions: [height, width]");
  Sample sample;  // without annotation, which a dataset may return unasked
  sample.id = std::move(all.id);
  sample.image = all.image;
  sample.support = std::move(all.support);
  sample.geometry = all.geometry;
  Read made;
  made.batches =
      ensemble.prepare([&](const Network& network) { return transformed_for(network, source, index, sample); });
  // Predictions are of the original size, which a dataset may have reduced.
  const cv::Size original(sample.geometry.original.width, sample.geometry.original.height);
  made.image = sample.image;
  if (made.image.size() != original) cv::resize(sample.image, made.image, original, 0, 0, cv::INTER_NEAREST);
  return made;
}

Read read(const Ensemble& ensemble, const ImageSource& source) {
  if (source.data) return read_sample(ensemble, *source.data, source.index);
  const auto place = source.place();
  Read made;
  const int channels = ensemble.first().image_channels;
  const auto image = read_image(source.file, {.page = source.page, .keep_alpha = channels == 2 || channels == 4});
  made.image = with_channels(image, channels, place);
  made.batches = prepare(ensemble, image, place);
  return made;
}

Read read_or_reason(const Ensemble& ensemble, const ImageSource& source, bool skip_bad) {
  Read made;
  made.bad = reason_to_skip(
      skip_bad, [&] { made = call<DataError>({}, source.place(), [&] { return read(ensemble, source); }); });
  return made;
}

// ids: int32 [H, W], on any device.
cv::Mat segment_map(const at::Tensor& ids) {
  if (!ids.defined()) throw PluginError("segments", "the model returns none");
  const auto numbers = ids.to(at::kCPU, at::kInt).contiguous();
  cv::Mat map(static_cast<int>(numbers.size(0)), static_cast<int>(numbers.size(1)), CV_32S);
  std::copy_n(numbers.const_data_ptr<std::int32_t>(), numbers.numel(), map.ptr<std::int32_t>());
  return map;
}

// Best first; of equal scores, in the model's order.
std::vector<Instance> best_of(std::vector<Instance> instances, const PredictOptions& options) {
  std::erase_if(instances, [&](const Instance& one) { return !(one.score >= options.least_score); });
  std::stable_sort(instances.begin(), instances.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
  if (options.most_objects && instances.size() > *options.most_objects) instances.resize(*options.most_objects);
  return instances;
}

PredictedImage predicted(const Ensemble& ensemble, Read& one, const Wanted& wanted, const PredictOptions& options) {
  PredictedImage image;
  image.cut_off = Ensemble::cut_off(one.batches).defined();
  auto prediction = ensemble.predict(std::move(one.batches), wanted);
  image.image = one.image;
  image.instances = best_of(std::move(prediction.instances), options);
  image.segments = std::move(prediction.segments);
  if (wanted.segments) image.segment_ids = segment_map(prediction.segment_ids);
  if (wanted.labels) {
    if (!prediction.labels.defined())
      throw PluginError("/model", "\"" + ensemble.first().spec.model.type() +
                                      "\" returns no labels; of one that predicts objects, ask for those");
    image.labels = label_map(prediction.labels);
  }
  if (wanted.scores) image.scores = score_map(prediction.scores);
  if (wanted.named.empty()) return image;
  const auto logits = prediction.named.find(kLogits);
  if (logits == prediction.named.end())
    throw PluginError("logits", "the model decodes its outputs in its own way, and returns none");
  image.logits = score_map(logits->second);
  return image;
}

}  // namespace

Sample transformed_for(const Network& network, const SampleSource& source, std::size_t index, const Sample& read) {
  auto sample = read;
  sample.image = with_channels(read.image, network.image_channels, read.id);
  sample.labels = read.labels.clone();  // a transform may modify it in place
  const SampleSource own{source.data, network.evaluation_transforms, source.seed, network.spec.transforms.fuse, {}};
  return own.transformed(std::move(sample), {.index = index, .batch = static_cast<std::int64_t>(index)});
}

std::vector<Batch> prepare(const Ensemble& ensemble, const cv::Mat& image, const std::string& place) {
  const c10::InferenceMode no_gradients;
  return ensemble.prepare([&](const Network& network) {
    if (image.dims != network.context.dimensions)
      throw DataError(place,
                      "has " + std::to_string(image.dims) + " dimensions, and the network expects " +
                          (network.context.dimensions == 3 ? "3: [depth, height, width]" : "2: [height, width]"));
    Sample sample;
    sample.id = place;
    sample.image = with_channels(image, network.image_channels, place);
    return transformed_alone(std::move(sample), network.evaluation_transforms, network.spec.transforms.fuse);
  });
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
  if (!scores.defined()) throw PluginError("scores", "the model returns none");
  cv::Mat map(static_cast<int>(scores.size(1)), static_cast<int>(scores.size(2)),
              CV_32FC(static_cast<int>(scores.size(0))));
  at::from_blob(map.data, {scores.size(1), scores.size(2), scores.size(0)}, at::kFloat)
      .copy_(scores.permute({1, 2, 0}));
  return map;
}

std::string ImageSource::place() const {
  return file.string() + (pages > 1 ? ", page " + std::to_string(page + 1) : "");
}

std::vector<std::string> predict(const Ensemble& ensemble, const std::vector<ImageSource>& sources,
                                 const PredictOptions& options, const std::function<void(const PredictedImage&)>& use) {
  const c10::InferenceMode no_gradients;
  Wanted wanted;
  wanted.labels = options.labels;
  wanted.scores = options.scores;
  wanted.instances = wanted.masks = options.instances;
  wanted.segments = options.segments;
  if (options.logits) wanted.named = {kLogits};
  wanted.overlapping = ensemble.first().context.labels->overlapping;
  const int threads = std::clamp(static_cast<int>(sources.size()) - 1, 0, ensemble.first().spec.train.workers);
  Loader<Read, Read> loader(
      {[&] { return static_cast<std::int64_t>(sources.size()); }, [](std::int64_t) { return std::size_t{1}; },
       [&](std::int64_t index, std::size_t) {
         return read_or_reason(ensemble, sources[static_cast<std::size_t>(index)], options.skip_bad);
       },
       [](std::int64_t, std::vector<Read> parts) { return std::move(parts.front()); }},
      threads, threads);
  std::vector<std::string> bad;
  for (std::size_t index = 0; index < sources.size(); ++index) {
    auto one = loader.next();
    PredictedImage image;
    if (one.bad.empty())
      one.bad = reason_to_skip(options.skip_bad, [&] {
        image = call<DataError>(
            {}, sources[index].place(), [&] { return predicted(ensemble, one, wanted, options); }, kWindowHint);
      });
    if (!one.bad.empty()) {
      bad.push_back(one.bad);
      continue;
    }
    image.index = index;
    use(image);
  }
  return bad;
}

void write_labels(const fs::path& file, const cv::Mat& labels, const LabelMap& classes) {
  if (labels.empty() || labels.type() != CV_16S)
    throw DataError(file, "cannot be written: expected class numbers of CV_16S, found " +
                              (labels.empty() ? "an empty image" : cv::typeToString(labels.type())));
  auto palette = palette_of(classes);
  double highest = 0;
  cv::minMaxLoc(labels, nullptr, &highest);
  if (highest >= static_cast<double>(palette.size()))
    throw DataError(file, "cannot be written: it has the class number " + std::to_string(static_cast<int>(highest)) +
                              ", and there are " + std::to_string(palette.size()) + " classes");
  cv::Mat pixels;
  if (palette.size() > kIgnoredIndex) {  // too many classes for a palette: only numbers, in 16 bits
    labels.convertTo(pixels, CV_16U);
    pixels.setTo(kIgnoredWide, labels < 0);
    return write_png(file, pixels);
  }
  palette.resize(256);
  labels.convertTo(pixels, CV_8U);
  pixels.setTo(kIgnoredIndex, labels < 0);
  write_png(file, pixels, palette);
}

void write_overlay(const fs::path& file, const PredictedImage& image, const LabelMap& classes, float least_score) {
  if (!image.labels.empty()) return write_png(file, overlay(image.image, image.labels, classes));
  auto shown = image.instances;
  std::erase_if(shown, [&](const Instance& one) { return !(one.score >= least_score); });
  write_png(file, overlay(image.image, shown, classes));
}

}  // namespace sectile
