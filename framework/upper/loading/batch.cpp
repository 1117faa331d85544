// Converting samples to tensors.
#include "batch.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <opencv2/core.hpp>

#include <sectile/model.h>
#include <sectile/transform.h>

#include "../../ground/component_call.h"
#include "layout.h"

namespace sectile {
namespace {

at::ScalarType type_of(const cv::Mat& mat) {
  switch (mat.depth()) {
    case CV_8U:
      return at::kByte;
    case CV_16U:
      return at::kUInt16;
    case CV_16S:
      return at::kShort;
    case CV_32S:
      return at::kInt;
    default:
      return at::kFloat;
  }
}

// [..., channels], shares the Mat's memory. A view of a larger Mat has gaps between its rows.
at::Tensor view(const cv::Mat& mat) {
  auto sizes = spatial(extent(mat), mat.dims == 3);
  sizes.push_back(mat.channels());
  std::vector<std::int64_t> strides;
  for (int axis = 0; axis < mat.dims; ++axis) strides.push_back(static_cast<std::int64_t>(mat.step1(axis)));
  strides.push_back(1);
  return at::from_blob(mat.data, sizes, strides, type_of(mat));
}

at::Tensor channels_first(const at::Tensor& tensor) { return tensor.movedim(-1, 1); }

// One target of all samples. `like` is any of its maps, `shape` is [N, …] with padding.
at::Tensor stacked(const std::vector<Sample>& samples, const std::string& name, const cv::Mat& like,
                   std::vector<std::int64_t> shape) {
  const bool real = like.depth() == CV_32F, volume = like.dims == 3;
  if (real) shape.push_back(like.channels());
  const auto all = real ? at::zeros(shape) : at::full(shape, kIgnore, at::kLong);
  for (std::size_t n = 0; n < samples.size(); ++n) {
    const auto found = samples[n].targets.find(name);
    if (found == samples[n].targets.end()) continue;
    const auto size = extent(found->second);
    if (found->second.type() != like.type())
      throw DataError(samples[n].id, "target \"" + name + "\" has another type than in other samples");
    valid(all[static_cast<std::int64_t>(n)], size, volume, 0)
        .copy_(real ? view(found->second) : view(found->second).squeeze(-1));
  }
  return real ? channels_first(all) : all;
}

// One row of pixels as float, normalized: (x - mean) / deviation per channel.
template <class T>
void write_row(const T* from, float* to, int width, const std::vector<float>& shift, const std::vector<float>& scale) {
  const auto channels = shift.size();
  for (int x = 0; x < width; ++x)
    for (std::size_t c = 0; c < channels; ++c) *to++ = (static_cast<float>(*from++) - shift[c]) * scale[c];
}

// numbers: int64 [..., 1]. to: float [..., C]
void write_per_class(const at::Tensor& numbers, const at::Tensor& to) {
  to.zero_().scatter_(-1, numbers.clamp_min(0), 1).masked_fill_(numbers == kIgnore, kIgnore);
}

// From the image's type directly into the batch's memory: the only pass over the pixels after the transforms.
void write_pixels(const Sample& sample, const at::Tensor& to) {  // to: float [..., C], this image in the batch
  const auto& image = sample.image;
  const auto channels = static_cast<std::size_t>(image.channels());
  std::vector<float> shift(channels, 0), scale(channels, 1);
  if (!sample.mean.empty()) {
    if (sample.mean.size() != channels || sample.deviation.size() != channels)
      throw DataError(sample.id, "is normalised with " + std::to_string(sample.mean.size()) + " means and has " +
                                     std::to_string(channels) + " channels");
    shift = sample.mean;
    for (std::size_t c = 0; c < channels; ++c) scale[c] = 1 / sample.deviation[c];
  }
  const Extent size = extent(image);
  const bool volume = image.dims == 3;
  for (int z = 0; z < size.depth; ++z)
    for (int y = 0; y < size.height; ++y) {
      const auto* from = volume ? image.ptr(z, y) : image.ptr(y);
      auto* row = (volume ? to.select(0, z).select(0, y) : to.select(0, y)).mutable_data_ptr<float>();
      switch (image.depth()) {
        case CV_8U:
          write_row(from, row, size.width, shift, scale);
          break;
        case CV_16U:
          write_row(reinterpret_cast<const std::uint16_t*>(from), row, size.width, shift, scale);
          break;
        case CV_16S:
          write_row(reinterpret_cast<const std::int16_t*>(from), row, size.width, shift, scale);
          break;
        case CV_32F:
          write_row(reinterpret_cast<const float*>(from), row, size.width, shift, scale);
          break;
        default:
          throw DataError(sample.id, "has pixels that are neither 8U, 16U, 16S nor 32F");
      }
    }
}

// "512 x 512", or "depth x …" for volumes.
std::string text(const Extent& size, bool volume) {
  return (volume ? std::to_string(size.depth) + " x " : "") + std::to_string(size.height) + " x " +
         std::to_string(size.width);
}

// Size of the batch's images: the largest of each axis, padded as the model requires.
Extent padded_size(const Sample& first, const std::vector<Extent>& sizes, const Collation& how) {
  const auto& traits = how.traits;
  const bool volume = first.image.dims == 3;
  Extent padded;
  const auto axis = [&](int Extent::*side) {
    int most = 0;
    for (const auto& size : sizes) most = std::max(most, size.*side);
    const int divisor = traits.divisor.*side;
    most = (most + divisor - 1) / divisor * divisor;
    padded.*side = traits.pad_to_window ? std::max(most, traits.window.*side) : most;
  };
  axis(&Extent::height), axis(&Extent::width);
  if (volume) axis(&Extent::depth);
  const bool too_small = padded.height < traits.least.height || padded.width < traits.least.width ||
                         (volume && padded.depth < traits.least.depth);
  if (too_small)
    throw DataError(first.id, "is " + text(sizes.front(), volume) + " pixels, and model \"" + how.model +
                                  "\" needs at least " + text(traits.least, volume) +
                                  ": remove such images, or enlarge them with a transform such as pad");
  const bool too_large = padded.height > traits.window.height || padded.width > traits.window.width ||
                         (volume && padded.depth > traits.window.depth);
  if (how.training && traits.pad_to_window && too_large)
    throw DataError(first.id, "is " + text(sizes.front(), volume) + " pixels, and model \"" + how.model +
                                  "\" takes at most " + text(traits.window, volume) +
                                  ": crop training images to that size, with a transform such as random_crop");
  return padded;
}

std::array<at::Tensor*, 4> tensors_of(Objects& objects) {
  return {&objects.boxes, &objects.classes, &objects.masks, &objects.crowd};
}

// padded: of the batch's images, […]
Objects objects_of(const Sample& sample, const std::vector<std::int64_t>& padded) {
  const auto count = static_cast<std::int64_t>(sample.instances.size());
  Objects objects;
  objects.boxes = at::zeros({count, 4});
  objects.classes = at::zeros({count}, at::kLong);
  objects.crowd = at::zeros({count}, at::kBool);
  for (std::int64_t k = 0; k < count; ++k) {
    const auto& instance = sample.instances[static_cast<std::size_t>(k)];
    const auto box = instance.box.empty() && !instance.mask.empty() ? instance.mask.box() : instance.box;
    const float corners[] = {box.x, box.y, box.x + box.width, box.y + box.height};
    std::copy_n(corners, 4, objects.boxes.mutable_data_ptr<float>() + 4 * k);
    objects.classes.mutable_data_ptr<std::int64_t>()[k] = instance.category;
    objects.crowd.mutable_data_ptr<bool>()[k] = instance.crowd;
    if (instance.mask.empty()) continue;
    if (!objects.masks.defined()) {
      auto shape = padded;
      shape.insert(shape.begin(), count);
      objects.masks = at::zeros(shape, at::kBool);
    }
    const auto bitmap = instance.mask.bitmap();
    valid(objects.masks[k], extent(bitmap), bitmap.dims == 3, 0).copy_(view(bitmap).squeeze(-1));
  }
  return objects;
}

void add_own_targets(Batch& batch, const std::vector<Sample>& samples, const Extent& padded, const Collation& how) {
  std::map<std::string, std::vector<at::Tensor>> all;
  for (const auto& sample : samples) {
    auto own = call<DataError>({"/model", "model \"" + how.model + "\""}, sample.id,
                               [&] { return how.own_targets->own_targets(sample, padded); });
    for (auto& [name, tensor] : own) all[name].push_back(std::move(tensor));
  }
  for (auto& [name, tensors] : all) {
    const auto& first = tensors.front();
    const bool alike =
        tensors.size() == samples.size() && std::all_of(tensors.begin(), tensors.end(), [&](const at::Tensor& one) {
          return one.defined() && one.sizes() == first.sizes() && one.dtype() == first.dtype();
        });
    if (!alike)
      throw PluginError("model \"" + how.model + "\"",
                        "its own target \"" + name + "\" has not the same shape and type for every sample of a batch");
    if (batch.targets.count(name))
      throw PluginError("model \"" + how.model + "\"",
                        "its own target \"" + name + "\" is one of the data's too: they need different names");
    batch.targets[name] = at::stack(tensors);
  }
}

}  // namespace

const at::Tensor& Outputs::at(const std::string& name) const {
  if (name == kLogits && logits.defined()) return logits;
  const auto found = named.find(name);
  if (found != named.end()) return found->second;
  std::string there;
  for (const auto& [known, unused] : named) there += (there.empty() ? "" : ", ") + known;
  throw PluginError("outputs",
                    "the model has no output \"" + name + "\"; it has: " + (there.empty() ? "logits only" : there));
}

void refuse_size(const Sample& sample, const Collation& how) { padded_size(sample, {extent(sample.image)}, how); }

std::string ids_of(const Batch& batch) {
  std::string ids;
  for (const auto& sample : batch.truth) ids += (ids.empty() ? "" : ", ") + sample.id;
  return ids;
}

at::Tensor labels_tensor(const Sample& sample) {
  if (sample.labels.empty()) return {};
  const auto whole = view(sample.labels);
  return sample.labels.type() == CV_16SC1 ? whole.squeeze(-1).to(at::kLong) : whole.movedim(-1, 0).contiguous();
}

std::map<std::string, at::Tensor> target_tensors(const Sample& sample) {
  std::map<std::string, at::Tensor> tensors;
  for (const auto& [name, map] : sample.targets)
    tensors[name] = map.depth() == CV_32F ? view(map).movedim(-1, 0).contiguous() : view(map).squeeze(-1).to(at::kLong);
  return tensors;
}

Batch collate(std::vector<Sample> samples, const Collation& how) {
  Batch batch;
  bool any_labels = false, any_tags = false, per_class = how.training && how.soft_labels;
  for (auto& sample : samples) {
    const Extent size = extent(sample.image);
    if (sample.image.dims != samples.front().image.dims || sample.image.channels() != samples.front().image.channels())
      throw DataError(sample.id, "has other dimensions or channels than " + samples.front().id);
    if (sample.support.size() != samples.front().support.size())
      throw DataError(sample.id, "has another number of shots than " + samples.front().id);
    if (sample.geometry.original.width == 0) sample.geometry.original = size;
    any_labels |= !sample.labels.empty();
    any_tags |= !sample.tags.empty();
    per_class |= sample.labels.depth() == CV_32F;
    batch.sizes.push_back(size);
  }
  const bool volume = samples.front().image.dims == 3;
  const Extent whole = padded_size(samples.front(), batch.sizes, how);
  const auto padded = spatial(whole, volume);
  const auto count = static_cast<std::int64_t>(samples.size());
  auto shape = padded;  // [N, …, C]: permuted to [N, C, …] it is channels_last without a copy
  shape.insert(shape.begin(), count);
  auto label_shape = shape;
  for (const auto& sample : samples)
    for (const auto& [name, map] : sample.targets)
      if (!batch.targets.count(name)) batch.targets[name] = stacked(samples, name, map, label_shape);
  if (how.training && how.own_targets) add_own_targets(batch, samples, whole, how);
  shape.push_back(samples.front().image.channels());
  auto images = at::zeros(shape, at::kFloat);
  if (per_class) label_shape.push_back(how.classes);
  at::Tensor labels;
  if (any_labels) labels = at::full(label_shape, kIgnore, per_class ? at::kFloat : at::kLong);
  if (any_tags) batch.tags = at::zeros({count, how.classes});
  for (std::int64_t n = 0; n < count; ++n) {
    auto& sample = samples[static_cast<std::size_t>(n)];
    write_pixels(sample, valid(images[n], extent(sample.image), volume, 0));
    if (!sample.labels.empty()) {
      auto to = valid(labels[n], extent(sample.labels), volume, 0);
      if (sample.labels.depth() == CV_32F)
        to.copy_(view(sample.labels));
      else if (per_class)
        write_per_class(view(sample.labels).to(at::kLong), to);
      else
        to.copy_(view(sample.labels).squeeze(-1));
    }
    for (const int tag : sample.tags) batch.tags[n][tag] = 1;
    if (how.objects) batch.objects.push_back(objects_of(sample, padded));
  }
  batch.images = channels_first(images);
  if (any_labels) batch.labels = per_class ? channels_first(labels) : labels;
  for (std::size_t shot = 0; shot < samples.front().support.size(); ++shot) {
    std::vector<Sample> one;
    for (auto& sample : samples) one.push_back(std::move(sample.support[shot]));
    batch.support.push_back(collate(std::move(one), how));
  }
  for (auto& sample : samples) {
    sample.image = cv::Mat(), sample.labels = cv::Mat(), sample.targets.clear();
    batch.truth.push_back(std::move(sample));
  }
  return batch;
}

Batch window_of(const Batch& batch, const std::array<std::int64_t, 3>& at, const std::array<std::int64_t, 3>& size) {
  const bool volume = batch.images.dim() == 5;
  const int axes = volume ? 3 : 2;
  const auto whole = batch.images.sizes().slice(2);
  // [N, …, axes] → the same of the window's size
  const auto cut = [&](const at::Tensor& tensor, double padding) {
    auto part = tensor;
    std::vector<std::int64_t> missing;  // for constant_pad_nd: the last axis first, before and after
    for (int axis = axes - 1; axis >= 0; --axis) {
      const auto i = static_cast<std::size_t>(axis + 3 - axes);
      const auto inside = std::clamp<std::int64_t>(whole[static_cast<std::size_t>(axis)] - at[i], 0, size[i]);
      part = part.narrow(axis - axes, at[i], inside);
      missing.insert(missing.end(), {0, size[i] - inside});
    }
    const bool fits = std::all_of(missing.begin(), missing.end(), [](auto pixels) { return pixels == 0; });
    return fits ? part : at::constant_pad_nd(part, missing, padding);
  };
  Batch part;
  part.images = cut(batch.images, 0);
  if (batch.labels.defined()) part.labels = cut(batch.labels, kIgnore);
  part.tags = batch.tags;
  for (const auto& [name, target] : batch.targets)  // the model's own targets may have another size, and no window
    if (target.dim() > axes && target.sizes().slice(target.dim() - axes) == whole)
      part.targets[name] = cut(target, target.is_floating_point() ? 0 : kIgnore);
  const auto number = [](std::int64_t pixels) { return static_cast<int>(pixels); };
  const Extent extent_of_window{number(size[0]), number(size[1]), number(size[2])};
  for (std::size_t n = 0; n < batch.sizes.size(); ++n) {
    const auto& of = batch.sizes[n];
    const auto left = [&](int all, std::size_t i) { return std::clamp(all - number(at[i]), 0, number(size[i])); };
    part.sizes.push_back({left(of.depth, 0), left(of.height, 1), left(of.width, 2)});
    if (n < batch.truth.size()) {
      auto truth = batch.truth[n];
      apply(Warp::crop(number(at[2]), number(at[1]), number(at[0]), extent_of_window), truth);
      if (n < batch.objects.size()) {
        part.objects.push_back(objects_of(truth, spatial(extent_of_window, volume)));
        for (auto* tensor : tensors_of(part.objects.back())) *tensor = tensor->to(batch.images.device());
      }
      part.truth.push_back(std::move(truth));
    }
  }
  part.support = batch.support;
  return part;
}

}  // namespace sectile
