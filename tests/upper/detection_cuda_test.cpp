// The kernels for GPUs against the operators on the CPU: their arithmetic in loops, everywhere, and themselves where
// there is a GPU.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <sectile/error.h>
#include <sectile/loss.h>
#include <sectile/model.h>
#include <sectile/nn/detection/nms.h>
#include <sectile/nn/detection/paste_masks.h>
#include <sectile/nn/detection/roi_align.h>

#include "parity/name_hash.h"
#include "support/component.h"
#include "support/scratch.h"
#include "support/test.h"
#include "upper/gpu_loops.h"
#include "upper/network/device.h"
#include "upper/nn/cuda/detection_gpu.h"

using namespace sectile;
using namespace sectile::test;

namespace {

at::Tensor uniform_numbers(const std::string& name, at::IntArrayRef shape, double low = -1, double high = 1) {
  const auto hash = fnv1a(name);
  auto made = at::empty(shape, at::kDouble);
  for (std::int64_t i = 0; i < made.numel(); ++i)
    made.mutable_data_ptr<double>()[i] = (uniform(hash, i) + 1) / 2 * (high - low) + low;
  return made;
}

at::Tensor boxes_around(const std::string& name, std::int64_t count, double largest, double height, double width) {
  const auto centers =
      uniform_numbers(name + " centers", {count, 2}, -0.1, 1.1) * at::tensor({width, height}, at::kDouble);
  const auto sides = uniform_numbers(name + " sides", {count, 2}, 0.05, 1).pow(3) * largest;
  return at::cat({centers - sides / 2, centers + sides / 2}, 1);
}

// Two levels of two images, and boxes within them, at their borders, and outside.
struct RoiCase {
  std::vector<at::Tensor> features;
  std::vector<double> scales{0.125, 0.0625};
  at::Tensor boxes, weights;
  std::vector<nn::RoiPlace> places;
  nn::RoiAlignOptions options;
};

RoiCase roi_case(const nn::RoiAlignOptions& options, at::ScalarType type, std::int64_t channels, std::int64_t regions) {
  RoiCase made;
  made.options = options;
  const auto name = "roi on gpu " + std::to_string(channels);
  for (const std::int64_t side : {23, 12})
    made.features.push_back(uniform_numbers(name + std::to_string(side), {2, channels, side, side + 8})
                                .to(type)
                                .contiguous(at::MemoryFormat::ChannelsLast));
  made.boxes = boxes_around(name, regions, 200, 184, 248);
  for (int i = 0; i < regions; ++i) made.places.push_back({i % 2, i % 3 == 0});
  made.weights = uniform_numbers(name + " weights", {regions, channels, options.output_size, options.output_size});
  return made;
}

// The output, and the gradients of both levels.
std::vector<at::Tensor> roi_results(const RoiCase& roi, const at::Device& device, const at::Device& of_boxes) {
  std::vector<at::Tensor> levels;
  for (const auto& level : roi.features) levels.push_back(level.to(device).clone().requires_grad_());
  const auto output = nn::roi_align(levels, roi.scales, roi.boxes.to(of_boxes), roi.places, roi.options);
  CHECK(output.device() == levels[0].device());
  (output.to(at::kDouble) * roi.weights.to(device)).sum().backward();
  return {output.detach(), levels[0].grad(), levels[1].grad()};
}

// The same by these kernels, on the CPU.
std::vector<at::Tensor> roi_by(const cuda::Kernels& kernels, const RoiCase& roi) {
  const auto type = roi.features[0].scalar_type();
  const nn::Gpu gpu{kernels, {}};
  const nn::GpuRegions regions{roi.boxes.to(type == at::kDouble ? at::kDouble : at::kFloat).contiguous(),
                               nn::places_on(at::kCPU, roi.places), roi.scales, roi.options};
  const auto empty = [&](at::IntArrayRef shape) {
    return at::full(shape, std::nan(""), at::TensorOptions(type)).contiguous(at::MemoryFormat::ChannelsLast);
  };
  const auto output = empty(roi.weights.sizes());
  nn::average_on_gpu(gpu, roi.features, regions, output);
  const std::vector<at::Tensor> gradients{empty(roi.features[0].sizes()), empty(roi.features[1].sizes())};
  nn::gradient_on_gpu(gpu, roi.weights.to(type).contiguous(at::MemoryFormat::ChannelsLast), regions, gradients);
  return {output, gradients[0], gradients[1]};
}

double largest_gap(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    REQUIRE(a[i].sizes() == b[i].sizes());
    const auto wanted = a[i].to(at::kCPU, at::kDouble), given = b[i].to(at::kCPU, at::kDouble);
    REQUIRE(given.isfinite().all().item<bool>());
    largest = std::max(largest, ((wanted - given).abs() / wanted.abs().clamp_min(1)).max().item<double>());
  }
  return largest;
}

const std::vector<nn::RoiAlignOptions> kRoiConventions{{.output_size = 7},
                                                       {.output_size = 5, .sampling_ratio = 0},
                                                       {.output_size = 4, .sampling_ratio = 0, .aligned = true}};
const std::vector<std::pair<at::ScalarType, double>> kRoiTypes{
    {at::kDouble, 1e-12}, {at::kFloat, 1e-5}, {at::kBFloat16, 1e-2}};

struct NmsCase {
  at::Tensor boxes, scores, classes;
};
NmsCase nms_case(std::int64_t count, std::int64_t classes, at::ScalarType type) {
  const auto name = "nms on gpu " + std::to_string(classes);
  const auto scores = (uniform_numbers(name + " scores", {count}, 0) * 50).round() / 50;  // some are equal
  return {boxes_around(name, count, 120, 120, 150).to(type), scores.to(type),
          classes == 0 ? at::Tensor() : (at::arange(count) * 7).remainder(classes)};
}

struct PasteCase {
  at::Tensor masks, boxes;
  cv::Size image;
};
PasteCase paste_case(const cv::Size& image) {
  const auto noise = uniform_numbers("paste on gpu", {50, 28, 28}).to(at::kFloat);
  const auto smooth = at::avg_pool2d(noise.unsqueeze(1), 5, 1, 2).squeeze(1);
  const auto odd = at::tensor({-1e9f, 0.f,   1e9f,          50.f, 10.f, 10.f, 10.f,  10.f,  200.f, 200.f,
                               300.f, 300.f, std::nanf(""), 0.f,  1.f,  1.f,  -20.f, -20.f, 400.f, 400.f})
                       .view({5, 4});
  return {at::cat({(smooth * 12).sigmoid(), noise.sigmoid(), at::ones({5, 28, 28})}),
          at::cat({boxes_around("paste on gpu", 100, 160, image.height, image.width).to(at::kFloat), odd}), image};
}

bool equal_runs(const std::vector<Rle>& a, const std::vector<Rle>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Rle& one, const Rle& other) {
    return one.size == other.size && one.counts == other.counts;
  });
}

// Two images of noise with an ellipse's box and mask in each.
Batch noise_batch() {
  constexpr int kHeight = 128, kWidth = 160;
  Batch batch;
  batch.images = uniform_numbers("noise", {2, 3, kHeight, kWidth}).contiguous(at::MemoryFormat::ChannelsLast);
  for (int i = 0; i < 2; ++i) {
    batch.sizes.push_back({1, kHeight, kWidth});
    batch.truth.emplace_back().geometry.original = batch.sizes.back();
    Objects objects;
    objects.boxes = at::tensor({20., 30., 90., 110., 70., 10., 150., 60.}, at::kDouble).view({2, 4}) + i;
    objects.classes = at::tensor({0, 2}, at::kLong);
    objects.crowd = at::zeros({2}, at::kBool);
    objects.masks = at::zeros({2, kHeight, kWidth}, at::kBool);
    objects.masks[0].slice(0, 40, 100).slice(1, 30, 80).fill_(true);
    objects.masks[1].slice(0, 10, 50).slice(1, 90, 150).fill_(true);
    batch.objects.push_back(objects);
  }
  return batch;
}

// Losses, gradients, and what is found, of Mask R-CNN with the same random weights.
std::vector<at::Tensor> detector_results(const at::Device& device) {
  auto of = context(3);
  of.task = Task::instance;
  at::manual_seed(7);
  const auto model = make<Model>(
      R"({"type": "mask_rcnn", "backbone": {"type": "resnet18"}, "box_score_thresh": 0,
          "rpn_post_nms_top_n_train": 100, "rpn_post_nms_top_n_test": 50,
          "rpn_batch_size_per_image": 100000, "box_batch_size_per_image": 100000})",
      of);
  model->module().to(device, at::kDouble);
  const auto batch = to_device(noise_batch(), device);
  model->module().train();
  std::vector<at::Tensor> results;
  auto sum = at::zeros({}, at::TensorOptions(device).dtype(at::kDouble));
  for (const auto& [name, value] : (*make<Loss>(R"({"type": "mask_rcnn"})", of))(model->forward(batch), batch)) {
    results.push_back(value.detach());
    sum = sum + value;
  }
  sum.backward();
  for (const auto& parameter : model->module().parameters()) results.push_back(parameter.grad().norm());
  const c10::AutoGradMode no_grad(false);
  model->module().eval();
  const auto outputs = model->forward(batch);
  for (const char* name : {"boxes", "scores", "classes", "masks"}) results.push_back(outputs.at(name));
  for (const auto& one : model->decode(outputs, batch, {.instances = true, .masks = true}))
    for (const auto& instance : one.instances)
      results.push_back(at::full({}, static_cast<double>(instance.mask.area()) / 1e4));
  return results;
}

// For the tests of the kernels themselves.
bool no_gpu() {
  if (at::hasCUDA()) return false;
  MESSAGE("not tested: there is no GPU, or the build is without SECTILE_CUDA");
  return true;
}

}  // namespace

TEST_CASE("the GPU's arithmetic of RoIAlign and its gradient is the CPU's") {
  for (const auto& options : kRoiConventions)
    for (const auto& [type, tolerance] : kRoiTypes) {
      CAPTURE(options.output_size);
      CAPTURE(at::toString(type));
      const auto roi = roi_case(options, type, 20, 30);
      const auto wanted = roi_results(roi, at::kCPU, at::kCPU);
      const auto made = roi_by(kForward, roi), reversed = roi_by(kReverse, roi);
      CHECK(largest_gap(wanted, made) < tolerance);
      for (std::size_t i = 0; i < made.size(); ++i) CHECK(made[i].equal(reversed[i]));
    }
  // More channels than a block has, and more regions than it looks at together.
  for (const auto& [channels, regions] :
       {std::pair{2 * cuda::kTileChannels + 6, 9}, {2, cuda::kWords * cuda::kWordBits + 50}}) {
    const auto roi = roi_case({.output_size = 3}, at::kDouble, channels, regions);
    CHECK(largest_gap(roi_results(roi, at::kCPU, at::kCPU), roi_by(kForward, roi)) < 1e-11);
  }
}

TEST_CASE("on a GPU, the gradient of no regions is 0") {
  const auto made = roi_by(kForward, roi_case({.output_size = 3}, at::kFloat, 4, 0));
  CHECK(made[0].numel() == 0);
  for (const std::size_t level : {1, 2}) CHECK(made[level].equal(at::zeros(made[level].sizes())));
}

TEST_CASE("on a GPU, more levels than one call takes are several calls") {
  RoiCase roi = roi_case({.output_size = 2}, at::kFloat, 4, 40);
  while (roi.features.size() < cuda::kRoiLevels + 2) {
    roi.features.push_back(roi.features[roi.features.size() % 2] * 2);
    roi.scales.push_back(roi.scales[roi.scales.size() % 2]);
  }
  for (int i = 0; i < 40; ++i) roi.places[static_cast<std::size_t>(i)].level = i % (cuda::kRoiLevels + 2);
  const auto wanted = nn::roi_align(roi.features, roi.scales, roi.boxes, roi.places, roi.options);
  const auto output = at::zeros_like(wanted);
  nn::average_on_gpu({kForward, {}}, roi.features,
                     {roi.boxes.to(at::kFloat), nn::places_on(at::kCPU, roi.places), roi.scales, roi.options}, output);
  CHECK(largest_gap({wanted}, {output}) < 1e-5);
}

TEST_CASE("on a GPU, the averages of a box that is not finite are NaN, and others are not") {
  for (const int samples : {0, 2}) {
    auto roi = roi_case({.output_size = 2, .sampling_ratio = samples}, at::kFloat, 4, 3);
    roi.boxes[1][2] = std::nan("");
    roi.boxes[2][3] = -INFINITY;
    const auto output = at::zeros(roi.weights.sizes(), at::kFloat).contiguous(at::MemoryFormat::ChannelsLast);
    nn::average_on_gpu({kForward, {}}, roi.features,
                       {roi.boxes.to(at::kFloat), nn::places_on(at::kCPU, roi.places), roi.scales, roi.options},
                       output);
    CHECK(output[0].isfinite().all().item<bool>());
    CHECK(output.slice(0, 1).isnan().all().item<bool>());
  }
}

TEST_CASE("bfloat16 is rounded on a GPU as LibTorch does") {
  const auto numbers = at::cat({uniform_numbers("bfloat16", {1000}).to(at::kFloat),
                                at::tensor({0.f, -0.f, 1.00390625f, 1.01171875f, 3.4e38f, INFINITY, -INFINITY, NAN})});
  const auto wanted = numbers.to(at::kBFloat16);
  for (std::int64_t i = 0; i < numbers.numel(); ++i) {
    cuda::Bfloat16 made{};
    cuda::narrow(numbers.const_data_ptr<float>()[i], made);
    const float wide = cuda::widened(made), expected = wanted.const_data_ptr<at::BFloat16>()[i];
    if (std::isnan(expected))
      CHECK(std::isnan(wide));
    else
      CHECK(made.bits == wanted.const_data_ptr<at::BFloat16>()[i].x);
    CHECK((wide == expected || std::isnan(expected)));
  }
}

TEST_CASE("the GPU's NMS keeps the same boxes in the same order as the CPU's") {
  for (const auto type : {at::kFloat, at::kDouble})
    for (const std::int64_t classes : {0, 1, 3, 80})
      for (const std::int64_t count : {1, 64, 65, 1000})
        for (const double threshold : {0.2, 0.5, 1.}) {
          CAPTURE(classes);
          CAPTURE(count);
          const auto one = nms_case(count, classes, type);
          const auto wanted = nn::nms(one.boxes, one.scores, one.classes, threshold);
          for (const auto* const kernels : {&kForward, &kReverse})
            CHECK(nn::nms_on_gpu({*kernels, {}}, one.boxes, one.scores, one.classes, threshold).equal(wanted));
        }
  CHECK(nn::nms_on_gpu({kForward, {}}, at::empty({0, 4}), at::empty({0}), {}, 0.5).numel() == 0);
}

TEST_CASE("the GPU's runs of pasted masks are the CPU's") {
  for (const auto& image : {cv::Size(150, 120), cv::Size(61, 300), cv::Size(1, 1)})
    for (const double threshold : {0.5, 0.3, -1.}) {
      const auto one = paste_case(image);
      const auto wanted = nn::paste_masks(one.masks, one.boxes, image, threshold);
      const auto pasted = nn::paste_on_gpu({kForward, {}}, one.masks, one.boxes, image, threshold);
      CHECK(equal_runs(pasted, wanted));
    }
}

TEST_CASE("a library of kernels that is not there or does not load is a clear error") {
  const Scratch scratch;
  CHECK_THROWS_WITH_AS(nn::load_gpu_kernels(scratch / "none.so"),
                       doctest::Contains("none.so: is not there, and without it"), PluginError);
  scratch.write("text.so", "text");
  CHECK_THROWS_WITH_AS(nn::load_gpu_kernels(scratch / "text.so"), doctest::Contains("text.so: cannot be loaded: "),
                       PluginError);
}

TEST_CASE("the library of kernels loads on every machine, and says what a machine without a GPU lacks") {
  if (!std::filesystem::exists(nn::gpu_kernels_file())) {
    MESSAGE("not tested: the build had no nvcc");
    return;
  }
  const nn::Gpu gpu{nn::load_gpu_kernels(nn::gpu_kernels_file()), {1000, nullptr}};
  CHECK_THROWS_WITH_AS(gpu.check(gpu.kernels.nms({}, gpu.queue), "nms"),
                       doctest::Contains("nms: cannot run on this GPU: "), PluginError);
}

TEST_CASE("on a GPU, RoIAlign and its gradient are the CPU's, and the same in every run") {
  if (no_gpu()) return;
  for (const auto& options : kRoiConventions)
    for (const auto& [type, tolerance] : kRoiTypes)
      for (const std::int64_t channels : {1, 20, 256}) {
        CAPTURE(options.output_size);
        CAPTURE(at::toString(type));
        CAPTURE(channels);
        const auto roi = roi_case(options, type, channels, 30);
        const auto wanted = roi_results(roi, at::kCPU, at::kCPU);
        const auto made = roi_results(roi, at::kCUDA, at::kCUDA), again = roi_results(roi, at::kCUDA, at::kCPU);
        CHECK(largest_gap(wanted, made) < std::max(tolerance, 1e-4));
        for (std::size_t i = 0; i < made.size(); ++i) CHECK(made[i].equal(again[i]));
      }
}

TEST_CASE("on a GPU, NMS keeps the same boxes in the same order as on the CPU") {
  if (no_gpu()) return;
  for (const auto type : {at::kFloat, at::kDouble})
    for (const std::int64_t classes : {0, 1, 5, 80})
      for (const std::int64_t count : {0, 1, 65, 5000}) {
        CAPTURE(classes);
        CAPTURE(count);
        const auto one = nms_case(count, classes, type);
        const auto kept = nn::nms(one.boxes.to(at::kCUDA), one.scores.to(at::kCUDA),
                                  one.classes.defined() ? one.classes.to(at::kCUDA) : one.classes, 0.5);
        CHECK(kept.is_cuda());
        CHECK(kept.cpu().equal(nn::nms(one.boxes, one.scores, one.classes, 0.5)));
      }
}

TEST_CASE("on a GPU, pasted masks are the CPU's") {
  if (no_gpu()) return;
  for (const auto& image : {cv::Size(150, 120), cv::Size(61, 300), cv::Size(1, 1)}) {
    const auto one = paste_case(image);
    const auto pasted = nn::paste_masks(one.masks.to(at::kCUDA), one.boxes, image);
    CHECK(equal_runs(pasted, nn::paste_masks(one.masks, one.boxes, image)));
  }
}

TEST_CASE("on a GPU, Mask R-CNN trains and finds objects as on the CPU") {
  if (no_gpu()) return;
  const auto wanted = detector_results(at::kCPU), made = detector_results(at::kCUDA);
  REQUIRE(wanted.size() == made.size());
  CHECK(largest_gap(wanted, made) < 1e-4);
}
