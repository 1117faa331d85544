// RoIAlign, NMS, boxes and pasted masks against torchvision's (tests/parity/detection_ops.py), and by hand.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <sectile/data/rle.h>
#include <sectile/nn/detection/boxes.h>
#include <sectile/nn/detection/nms.h>
#include <sectile/nn/detection/paste_masks.h>
#include <sectile/nn/detection/roi_align.h>

#include "detection_support.h"
#include "support/test.h"

using namespace sectile;
using namespace sectile::test;

namespace {

const Json& expected_ops() {
  static const Json all = [] {
    std::ifstream file(parity_file("detection_ops.json"));
    return Json::parse(file);
  }();
  return all;
}

constexpr int kHeight = 120, kWidth = 150;

}  // namespace

TEST_CASE("RoIAlign and its gradient are torchvision's, in all conventions and types") {
  for (const auto& one : expected_ops()["roi_align"]) {
    const std::string name = one["name"];
    CAPTURE(name);
    const auto rois = boxes_by_name(name, 16, 200, 184, 248);
    std::vector<nn::RoiPlace> places;
    for (int i = 0; i < 16; ++i) places.push_back({i % 2, 0});
    const nn::RoiAlignOptions options{
        .output_size = one["output_size"], .sampling_ratio = one["sampling_ratio"], .aligned = one["aligned"]};
    const auto numbers_of = numbers(name + " features", {2, 20, 23, 31});
    for (const auto& [type, tolerance] : {std::pair{at::kDouble, 1e-11}, {at::kFloat, 3e-5}, {at::kBFloat16, 2e-2}}) {
      auto features = numbers_of.to(type).clone().requires_grad_();
      const auto made = nn::roi_align({features}, {0.125}, rois, places, options);
      CHECK((made.scalar_type() == type));
      CHECK(distance(made, one["output"]) < tolerance);
      (made.to(at::kDouble) * numbers(name + " weights", made.sizes())).sum().backward();
      CHECK(distance(features.grad(), one["gradient"]) < tolerance);
    }
  }
}

TEST_CASE("RoIAlign gives the same numbers with any number of threads, memory format and channels") {
  const auto features = numbers("threads", {2, 83, 20, 24}).to(at::kFloat);
  const auto rois = boxes_by_name("threads", 30, 150, 160, 192);
  std::vector<nn::RoiPlace> places;
  for (int i = 0; i < 30; ++i) places.push_back({i % 2, i % 3 == 0});
  const auto run = [&](const at::Tensor& level, int threads) {
    const auto before = at::get_num_threads();
    at::set_num_threads(threads);
    auto fine = level.detach().clone().requires_grad_(), coarse = at::avg_pool2d(fine, 2);
    const auto made = nn::roi_align({fine, coarse}, {0.125, 0.0625}, rois, places, {});
    made.square().sum().backward();
    at::set_num_threads(before);
    return std::pair{made.detach(), fine.grad()};
  };
  const auto [values, gradient] = run(features, 1);
  for (const int threads : {2, 5}) {
    const auto [again, again_gradient] = run(features, threads);
    CHECK(at::equal(values, again));
    CHECK(at::equal(gradient, again_gradient));
  }
  const auto [last, last_gradient] = run(features.contiguous(at::MemoryFormat::ChannelsLast), 2);
  CHECK(at::equal(values, last));
  CHECK(at::allclose(gradient, last_gradient));
}

TEST_CASE("RoIAlign's gradient is that of finite differences") {
  const auto features = numbers("finite", {1, 3, 6, 7});
  const auto rois = at::tensor({3., 2., 30., 40., -5., 10., 60., 20.}, at::kDouble).view({2, 4});
  const std::vector<nn::RoiPlace> places{{0, 0}, {0, 0}};
  const auto value = [&](const at::Tensor& of) {
    return (nn::roi_align({of}, {0.125}, rois, places, {.output_size = 2, .sampling_ratio = 0}) *
            numbers("finite weights", {2, 3, 2, 2}))
        .sum();
  };
  auto variable = features.clone().requires_grad_();
  value(variable).backward();
  for (std::int64_t i = 0; i < features.numel(); i += 5) {
    constexpr double kStep = 1e-5;
    auto up = features.clone(), down = features.clone();
    up.mutable_data_ptr<double>()[i] += kStep;
    down.mutable_data_ptr<double>()[i] -= kStep;
    const double slope = (value(up) - value(down)).item<double>() / (2 * kStep);
    CHECK(variable.grad().contiguous().const_data_ptr<double>()[i] == doctest::Approx(slope).epsilon(1e-6));
  }
}

TEST_CASE("NMS keeps the boxes that torchvision's keeps, in its order") {
  for (const auto& one : expected_ops()["nms"]) {
    const std::string name = one["name"];
    CAPTURE(name);
    const auto boxes = boxes_by_name(name, 400, 120, kHeight, kWidth).to(at::kFloat);
    const auto scores = numbers(name + " scores", {400}, 0).to(at::kFloat);
    const auto classes = (at::arange(400) * 7).remainder(one["classes"].get<int>());
    const auto kept = nn::nms(boxes, scores, classes, one["threshold"]);
    CHECK(kept.equal(at::tensor(one["kept"].get<std::vector<std::int64_t>>(), at::kLong)));
  }
  const auto none = nn::nms(at::empty({0, 4}), at::empty({0}), {}, 0.5);
  CHECK(none.size(0) == 0);
  const auto same = at::tensor({0.f, 0.f, 4.f, 4.f}).expand({3, 4});
  CHECK(nn::nms(same, at::tensor({0.5f, 0.5f, 0.5f}), {}, 0.5).equal(at::tensor({0}, at::kLong)));
  CHECK(nn::nms(same, at::tensor({0.1f, 0.3f, 0.2f}), at::tensor({0, 1, 0}, at::kLong), 0.5)
            .equal(at::tensor({1, 2}, at::kLong)));
  CHECK_THROWS_WITH(nn::nms(at::zeros({2, 4}), at::zeros({3}), {}, 0.5), doctest::Contains("takes boxes [K, 4]"));
}

TEST_CASE("boxes are encoded and decoded as torchvision does") {
  const auto wanted = boxes_by_name("wanted", 12, 90, kHeight, kWidth),
             given = boxes_by_name("given", 12, 90, kHeight, kWidth);
  const auto& values = expected_ops()["boxes"];
  const auto encoded = nn::encode_boxes(wanted, given, {10, 10, 5, 5});
  const auto decoded = nn::decode_boxes(numbers("deltas", {12, 12}, -40, 40), given, {10, 10, 5, 5});
  double worst_encoded = 0, worst_decoded = 0;
  for (std::size_t k = 0; k < 12; ++k)
    for (std::size_t axis = 0; axis < 4; ++axis) {
      const auto at = [&](const at::Tensor& of) { return of[static_cast<std::int64_t>(axis)].item<double>(); };
      const auto row = static_cast<std::int64_t>(k);
      worst_encoded = std::max(worst_encoded, std::abs(at(encoded[row]) - values["encoded"][k][axis].get<double>()));
      for (std::size_t c = 0; c < 3; ++c)
        worst_decoded = std::max(worst_decoded, std::abs(at(decoded[row][static_cast<std::int64_t>(c)]) -
                                                         values["decoded"][k][c][axis].get<double>()));
    }
  CHECK(worst_encoded < 1e-10);
  CHECK(worst_decoded < 1e-8);
}

TEST_CASE("pasted masks are those of torchvision and pycocotools") {
  const auto masks = numbers("masks", {40, 28, 28}).to(at::kFloat);
  const auto smooth = at::avg_pool2d(masks.unsqueeze(1), 5, 1, 2).squeeze(1);
  const auto probabilities = at::cat({(smooth.slice(0, 0, 30) * 12).sigmoid(), masks.slice(0, 30).sigmoid()});
  const auto boxes = nn::clip_boxes(boxes_by_name("paste", 40, 160, kHeight, kWidth).to(at::kFloat), kHeight, kWidth);
  const auto pasted = nn::paste_masks(probabilities, boxes, {kWidth, kHeight});
  std::int64_t differ = 0;
  for (std::size_t i = 0; i < pasted.size(); ++i) {
    const auto wanted = from_coco(expected_ops()["paste"][i], {kWidth, kHeight});
    differ += area_of(united({pasted[i], wanted})) - area_of(intersection_of({pasted[i], wanted}));
  }
  CHECK(differ == 0);
  const auto odd = nn::paste_masks(at::ones({4, 28, 28}),
                                   at::tensor({-1e9f, 0.f, 1e9f, 50.f, 10.f, 10.f, 10.f, 10.f, 200.f, 200.f, 300.f,
                                               300.f, std::nanf(""), 0.f, 1.f, 1.f})
                                       .view({4, 4}),
                                   {kWidth, kHeight});
  CHECK(area_of(odd[1]) == 1);
  for (const std::size_t i : {2, 3}) CHECK(area_of(odd[i]) == 0);
}

TEST_CASE("boxes are matched and drawn by IoU") {
  const auto truths = at::tensor({0.f, 0.f, 10.f, 10.f, 20.f, 20.f, 30.f, 30.f}).view({2, 4});
  const auto boxes = at::tensor({0.f, 0.f, 10.f, 10.f,     // the first
                                 0.f, 0.f, 10.f, 5.f,      // half of it
                                 50.f, 50.f, 60.f, 60.f,   // none
                                 20.f, 20.f, 30.f, 22.f})  // a fifth of the second, which no other overlaps
                         .view({4, 4});
  using List = std::vector<std::int64_t>;
  CHECK(list_of(nn::match_boxes(truths, boxes, 0.3, 0.7, true)) == List{0, nn::kNeither, nn::kNoObject, 1});
  CHECK(list_of(nn::match_boxes(truths, boxes, 0.3, 0.5, false)) == List{0, 0, nn::kNoObject, nn::kNoObject});
  CHECK(list_of(nn::match_boxes(at::empty({0, 4}), boxes, 0.3, 0.7, true)) == List(4, nn::kNoObject));
  const auto matches = at::tensor({0, -1, -1, 2, -2, -1, 1, 0}, at::kLong);
  const auto all = nn::sample_matches(matches, 100, 0.5);
  CHECK(list_of(all.positive) == List{0, 3, 6, 7});
  CHECK(list_of(all.negative) == List{1, 2, 5});
  const auto few = nn::sample_matches(matches, 4, 0.25);
  CHECK(few.positive.size(0) == 1);
  CHECK(few.negative.size(0) == 3);
}
