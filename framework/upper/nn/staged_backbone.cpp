#include <sectile/nn/staged_backbone.h>

#include <algorithm>

#include <torch/nn/init.h>

#include <sectile/error.h>
#include <sectile/nn/checkpoint.h>
#include <sectile/nn/conv.h>

namespace sectile::nn {
namespace {

std::size_t stages_needed(const FeatureRequest& request, std::size_t stages) {
  if (request.levels.empty()) return stages;
  std::size_t needed = 0;
  for (const int level : request.levels) needed = std::max(needed, FeatureRequest::index(level, stages) + 1);
  return needed;
}

bool starts_with_any(const std::string& name, const std::vector<std::string>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const std::string& prefix) { return name.starts_with(prefix); });
}

}  // namespace

StagedBackbone::StagedBackbone(const FeatureRequest& request, int stages, bool gradient_checkpointing)
    : request_(request),
      needed_(stages_needed(request, static_cast<std::size_t>(stages))),
      gradient_checkpointing_(gradient_checkpointing) {
  const int wanted = request.output_stride;
  if (wanted != 0 && wanted != 8 && wanted != 16 && wanted != 32)
    throw OptionError("type", "has output strides 8, 16 and 32, and the model asks for " + std::to_string(wanted) +
                                  ": choose another backbone");
}
StagedBackbone::~StagedBackbone() = default;

StagedBackbone::Step StagedBackbone::step(int stride, bool dilate_first) {
  const int before = dilation_;
  if (stride > 1 && request_.output_stride > 0 && stride_ >= request_.output_stride) {
    dilation_ *= stride;
    return {.stride = 1, .dilation = dilate_first ? dilation_ : before};
  }
  stride_ *= stride;
  return {.stride = stride, .dilation = dilation_};
}

bool StagedBackbone::is_needed() const { return levels_.size() < needed_; }

void StagedBackbone::append(const std::vector<std::string>& prefixes, Layer layer) {
  stages_.resize(levels_.size() + 1);
  stages_.back().layers.push_back(std::move(layer));
  auto& all = stages_.back().prefixes;
  all.insert(all.end(), prefixes.begin(), prefixes.end());
}
void StagedBackbone::omit(const std::vector<std::string>& prefixes) {
  omitted_.insert(omitted_.end(), prefixes.begin(), prefixes.end());
}

void StagedBackbone::end_stage(int channels) { levels_.push_back({channels, stride_}); }

void StagedBackbone::initialize_convs() {
  for (const auto& module : modules(/*include_self=*/false)) {
    const auto* conv = dynamic_cast<const Conv*>(module.get());
    if (!conv) continue;
    torch::nn::init::kaiming_normal_(conv->weight, 0, torch::kFanOut, torch::kReLU);
    if (conv->bias.defined()) torch::nn::init::zeros_(conv->bias);
  }
}

at::Tensor StagedBackbone::run(const Stage& stage, const at::Tensor& input) const {
  auto x = input;
  for (const auto& layer : stage.layers) x = layer(std::move(x));
  return x;
}

std::vector<at::Tensor> StagedBackbone::features(const at::Tensor& images) {
  std::vector<at::Tensor> all(levels_.size());
  auto x = images;
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    const auto stage = [this, i](const at::Tensor& input) { return run(stages_[i], input); };
    x = gradient_checkpointing_ && is_training() ? checkpoint(stage, x, parameters_of(i)) : stage(x);
    all[i] = x;
  }
  return request_.pick(std::move(all));
}

std::vector<FeatureLevel> StagedBackbone::levels() const { return request_.pick(levels_); }

int StagedBackbone::depth(const std::string& parameter) const {
  for (std::size_t i = 0; i < stages_.size(); ++i)
    if (starts_with_any(parameter, stages_[i].prefixes)) return static_cast<int>(i);
  return -1;
}

std::vector<std::string> StagedBackbone::optional_layers() const { return omitted_; }

std::vector<at::Tensor> StagedBackbone::parameters_of(std::size_t stage) const {
  std::vector<at::Tensor> parameters;
  for (const auto& item : named_parameters())
    if (starts_with_any(item.key(), stages_[stage].prefixes)) parameters.push_back(item.value());
  return parameters;
}

}  // namespace sectile::nn
