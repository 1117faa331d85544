// What the operations of detectors do with odd and with wrong inputs: as torchvision where it has an answer
// (tests/parity/detection_edges.py), else an error that says what was expected.
#include <limits>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <sectile/data/rle.h>
#include <sectile/error.h>
#include <sectile/nn/detection/boxes.h>
#include <sectile/nn/detection/nms.h>
#include <sectile/nn/detection/paste_masks.h>
#include <sectile/nn/detection/roi_align.h>

#include "detection_support.h"
#include "support/test.h"

using namespace sectile;
using namespace sectile::test;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN(), kInfinity = std::numeric_limits<double>::infinity();

const Json& expected_edges() {
  static const Json all = expected("detection_edges");
  return all;
}

std::vector<double> doubles(const at::Tensor& of) {
  const auto flat = of.to(at::kDouble).contiguous();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

std::string roi_problem(const std::vector<at::Tensor>& features, const std::vector<double>& scales,
                        const at::Tensor& boxes, const std::vector<nn::RoiPlace>& places,
                        const nn::RoiAlignOptions& options = {}) {
  try {
    nn::roi_align(features, scales, boxes, places, options);
  } catch (const PluginError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("RoIAlign of boxes without area, reversed, far outside and at the border is torchvision's") {
  const auto features = numbers("edge features", {1, 3, 23, 31});
  for (const auto& one : expected_edges()["roi_align"]) {
    CAPTURE(one["aligned"].dump());
    CAPTURE(one["sampling_ratio"].dump());
    const auto corners = one["rois"].get<std::vector<std::vector<double>>>();
    std::vector<double> flat;
    for (const auto& box : corners) flat.insert(flat.end(), box.begin(), box.end());
    const auto made = nn::roi_align(
        {features}, {0.125}, boxes_of(flat), std::vector<nn::RoiPlace>(corners.size()),
        {.output_size = 3, .sampling_ratio = one["sampling_ratio"].get<int>(), .aligned = one["aligned"].get<bool>()});
    const auto wanted = one["output"].get<std::vector<double>>();
    const auto found = doubles(made);
    REQUIRE(found.size() == wanted.size());
    double worst = 0;
    for (std::size_t i = 0; i < found.size(); ++i) worst = std::max(worst, std::abs(found[i] - wanted[i]));
    CHECK(worst < 1e-10);
  }
}

TEST_CASE("RoIAlign without boxes is empty, and levels without boxes get zeros as gradients") {
  auto fine = at::ones({2, 5, 8, 8}).requires_grad_(), coarse = at::ones({2, 5, 4, 4}).requires_grad_();
  const auto none = nn::roi_align({fine, coarse}, {1, 0.5}, at::empty({0, 4}), {}, {});
  CHECK((none.sizes() == at::IntArrayRef{0, 5, 7, 7}));
  none.sum().backward();
  for (const auto& level : {fine, coarse}) {
    REQUIRE(level.grad().defined());
    CHECK((level.grad().sizes() == level.sizes()));
    CHECK(!level.grad().any().item<bool>());
  }
  for (auto* level : {&fine, &coarse}) level->mutable_grad() = at::Tensor();
  nn::roi_align({fine, coarse}, {1, 0.5}, boxes_of({1, 1, 6, 6}), {{1, 0}}, {}).sum().backward();
  CHECK(fine.grad()[1].any().item<bool>());
  CHECK(!fine.grad()[0].any().item<bool>());
  REQUIRE(coarse.grad().defined());
  CHECK(!coarse.grad().any().item<bool>());
  // Of frozen features no gradient is made.
  const auto frozen = at::ones({2, 5, 8, 8});
  coarse.mutable_grad() = at::Tensor();
  nn::roi_align({frozen, coarse}, {1, 0.5}, boxes_of({1, 1, 6, 6}), {{0, 1}}, {}).sum().backward();
  CHECK(!frozen.grad().defined());
  CHECK(coarse.grad().any().item<bool>());
}

TEST_CASE("RoIAlign takes parts of larger tensors, and boxes of any type") {
  const auto large = numbers("large", {3, 6, 20, 24});
  const auto part = large.slice(0, 1, 3).slice(1, 0, 6, 2).slice(2, 3, 19).transpose(2, 3);
  const auto boxes = boxes_of({8, 16, 80, 120, 0, 0, 160, 100});
  const std::vector<nn::RoiPlace> places{{1, 0}, {0, 0}};
  const auto wanted = nn::roi_align({part.contiguous()}, {0.125}, boxes, places, {});
  CHECK(at::equal(nn::roi_align({part}, {0.125}, boxes, places, {}), wanted));
  const auto rows = at::stack({boxes, boxes}, 1).select(1, 0), columns = boxes.t().contiguous().t();
  for (const auto& other : {rows, columns, boxes.to(at::kFloat), boxes.to(at::kInt)})
    CHECK(at::equal(nn::roi_align({part}, {0.125}, other, places, {}), wanted));
  auto variable = part.detach().clone().requires_grad_();
  // Its gradient comes as a view with strides of 0.
  nn::roi_align({variable}, {0.125}, boxes, places, {}).sum().backward();
  auto again = part.detach().clone().requires_grad_();
  (nn::roi_align({again}, {0.125}, boxes, places, {}) * at::ones({2, 3, 7, 7}, at::kDouble)).sum().backward();
  CHECK(at::equal(variable.grad(), again.grad()));
}

TEST_CASE("RoIAlign says what is wrong with its inputs") {
  const auto level = at::zeros({2, 3, 8, 8}), box = boxes_of({0, 0, 4, 4});
  using Places = std::vector<nn::RoiPlace>;
  const auto refused = [](const std::string& problem, const std::string& part) {
    CAPTURE(problem);
    CHECK(problem.starts_with("roi_align"));
    CHECK(problem.find(part) != std::string::npos);
  };
  CHECK(roi_problem({level}, {1}, box, {{1, 0}}) == "no error");
  for (const double odd : {kNan, kInfinity, -kInfinity, 1e39}) {  // the last one is not finite as a float
    CAPTURE(odd);
    for (const int ratio : {0, 2})
      refused(roi_problem({level}, {1}, boxes_of({0, 0, 1, 1, 0, 0, odd, 4}), Places(2), {.sampling_ratio = ratio}),
              "was given box 1 with the coordinate ");
  }
  CHECK(roi_problem({level.to(at::kDouble)}, {1}, boxes_of({0, 0, 1e39, 4}), Places(1)) == "no error");
  refused(roi_problem({level}, {1}, boxes_of({0, 0, 1e9, 4}), Places(1), {.sampling_ratio = 0}), "was given a box of");
  refused(roi_problem({level}, {1}, box, {{2, 0}}), "a box of image 2 and level 0, which do not exist");
  refused(roi_problem({level}, {1}, box, {{0, 1}}), "a box of image 0 and level 1, which do not exist");
  refused(roi_problem({level}, {1}, box, {{-1, 0}}), "a box of image -1 and level 0, which do not exist");
  refused(roi_problem({level}, {1}, box, {{0, -1}}), "a box of image 0 and level -1, which do not exist");
  refused(roi_problem({level}, {1}, box, {}), "takes boxes [K, 4] and K places");
  refused(roi_problem({level}, {1}, at::zeros({1, 5}), Places(1)), "takes boxes [K, 4] and K places");
  refused(roi_problem({level}, {1}, at::zeros({4}), Places(1)), "takes boxes [K, 4] and K places");
  refused(roi_problem({}, {}, box, Places(1)), "takes a scale for each of one or more levels");
  refused(roi_problem({level}, {1, 2}, box, Places(1)), "takes a scale for each of one or more levels");
  for (const double scale : {0., -1., kNan, kInfinity})
    refused(roi_problem({level}, {scale}, box, Places(1)), "takes scales above 0");
  refused(roi_problem({level, level.to(at::kDouble)}, {1, 1}, box, Places(1)),
          "of one type, on one device and of the same channels");
  refused(roi_problem({level, at::zeros({2, 4, 8, 8})}, {1, 1}, box, Places(1)),
          "of one type, on one device and of the same channels");
  refused(roi_problem({level[0]}, {1}, box, Places(1)), "takes features [N, C, H, W]");
  refused(roi_problem({level.to(at::kHalf)}, {1}, box, Places(1)), "takes features of float32, float64 or bfloat16");
  refused(roi_problem({level.to(at::kInt)}, {1}, box, Places(1)), "takes features of float32, float64 or bfloat16");
  refused(roi_problem({at::zeros({2, 3, 0, 8})}, {1}, box, Places(1)), "takes features of one or more pixels");
  refused(roi_problem({level}, {1}, box, Places(1), {.output_size = 0}), "takes an output of one or more bins");
  for (const int ratio : {-1, 4097, std::numeric_limits<int>::max()})
    refused(roi_problem({level}, {1}, box, Places(1), {.sampling_ratio = ratio}), "takes 0 to 4096 samples per bin");
  CHECK(roi_problem({level}, {1}, box, Places(1), {.sampling_ratio = 4096}) == "no error");

  auto variable = level.clone().requires_grad_();
  const auto sum = nn::roi_align({variable}, {1}, box, Places(1), {}).square().sum();
  CHECK_THROWS_WITH_AS(torch::autograd::grad({sum}, {variable}, {}, /*retain_graph=*/true, /*create_graph=*/true),
                       doctest::Contains("has no second derivative"), PluginError);
}

TEST_CASE("NMS keeps torchvision's boxes among equal ones, boxes without area and what is no number") {
  for (const auto& one : expected_edges()["nms"]) {
    const std::string name = one["name"];
    CAPTURE(name);
    const auto boxes = ((boxes_by_name(name, 300, 60, 64, 64) / 8).round() * 8).to(at::kFloat);
    const auto scores = (numbers(name + " scores", {300}, 0) * 4).floor().to(at::kFloat) / 4;
    for (std::int64_t i = 0; i < 300; ++i) {
      if (i % 37 == 5) scores[i] = kNan;
      if (i % 41 == 3) boxes[i][i % 4] = kNan;
      if (i % 43 == 7) boxes[i][2] = kInfinity;
    }
    const double threshold = one["threshold"];
    CHECK(list_of(nn::nms(boxes, scores, {}, threshold)) == one["kept"].get<std::vector<std::int64_t>>());
    const auto strided = at::stack({boxes, boxes}, 2).select(2, 1), scores_strided = at::stack({scores, scores}, 1);
    CHECK(list_of(nn::nms(strided, scores_strided.select(1, 0), at::zeros({300}, at::kInt), threshold)) ==
          one["kept"].get<std::vector<std::int64_t>>());
  }
}

TEST_CASE("NMS at the limits of its threshold, and scores that only float64 tells apart") {
  using List = std::vector<std::int64_t>;
  const auto same = at::tensor({0.f, 0.f, 4.f, 4.f}).expand({3, 4});
  const auto equal = at::full({3}, 0.5);
  CHECK(list_of(nn::nms(same, equal, {}, 0)) == List{0});
  CHECK(list_of(nn::nms(same, equal, {}, 1)) == List{0, 1, 2});  // no IoU is above it
  // Boxes that only touch overlap by nothing.
  const auto touching = boxes_of({0, 0, 4, 4, 4, 0, 8, 4, 0, 0, 5, 4});
  CHECK(list_of(nn::nms(touching, at::tensor({3., 2., 1.}), {}, 0)) == List{0, 1});
  CHECK(list_of(nn::nms(same, at::tensor({0.5, 0.5 + 1e-12, 0.5}, at::kDouble), {}, 0.5)) == List{1});
  CHECK(list_of(nn::nms(same, at::tensor({1, 3, 2}), {}, 0.5)) == List{1});
  const auto none = nn::nms(at::empty({0, 4}), at::empty({0}), at::empty({0}, at::kLong), 0.5);
  CHECK((none.sizes() == at::IntArrayRef{0}));
  CHECK((none.scalar_type() == at::kLong));
  for (const double threshold : {-0.1, 1.1, kNan})
    CHECK_THROWS_WITH_AS(nn::nms(same, equal, {}, threshold), doctest::Contains("nms: takes an iou_threshold from 0"),
                         PluginError);
  const char* shapes = "nms: takes boxes [K, 4], scores [K] and classes [K]";
  CHECK_THROWS_WITH_AS(nn::nms(same.t(), equal, {}, 0.5), doctest::Contains(shapes), PluginError);
  CHECK_THROWS_WITH_AS(nn::nms(same, equal.slice(0, 1), {}, 0.5), doctest::Contains(shapes), PluginError);
  CHECK_THROWS_WITH_AS(nn::nms(same, equal.unsqueeze(1), {}, 0.5), doctest::Contains(shapes), PluginError);
  CHECK_THROWS_WITH_AS(nn::nms(same, equal, at::zeros({2}, at::kLong), 0.5), doctest::Contains(shapes), PluginError);
}

TEST_CASE("masks of one pixel, in images of one pixel and at all thresholds are pasted as torchvision does") {
  std::int64_t differ = 0, above = 0, compared = 0;
  for (const auto& one : expected_edges()["paste"]) {
    const std::string name = one["name"];
    CAPTURE(name);
    const int side = one["side"], height = one["image"][0], width = one["image"][1];
    const auto masks = (numbers(name, {12, side, side}) * 2).clamp(0, 1).to(at::kFloat);
    const auto boxes = boxes_by_name(name, 12, 20, height, width).to(at::kFloat);
    boxes[0].slice(0, 2, 4).copy_(boxes[0].slice(0, 0, 2));
    const auto pasted = nn::paste_masks(masks, boxes, {width, height}, one["threshold"].get<double>());
    REQUIRE(pasted.size() == 12);
    for (std::size_t i = 0; i < 12; ++i) {
      CHECK(pasted[i].size == cv::Size(width, height));
      if (one["pasted"][i].is_null()) {  // wholly outside, for which torchvision fails
        CHECK(area_of(pasted[i]) == 0);
        continue;
      }
      const auto wanted = from_coco(one["pasted"][i], {width, height});
      differ += area_of(united({pasted[i], wanted})) - area_of(intersection_of({pasted[i], wanted}));
      above += area_of(wanted);
      ++compared;
    }
  }
  CHECK(compared == 423);
  CHECK(above > 1500);
  CHECK(differ == 0);  // also where the threshold is met exactly
}

TEST_CASE("boxes outside the image, reversed or no numbers give empty masks, and wrong inputs an error") {
  const auto boxes = boxes_of({-50,        -50,  -40,  -40,        //
                               500,        2,    510,  8,          //
                               2,          500,  8,    510,        //
                               8,          2,    2,    8,          // reversed
                               2,          8,    8,    2,          //
                               kNan,       2,    8,    8,          //
                               2,          2,    8,    kNan,       //
                               -kInfinity, 2,    8,    8,          //
                               2,          2,    8,    kInfinity,  //
                               1e38,       1e38, 2e38, 2e38});
  const auto count = boxes.size(0);
  const auto none = nn::paste_masks(at::ones({count, 4, 4}), boxes, {20, 10});
  for (const auto& mask : none) {
    CHECK(area_of(mask) == 0);
    CHECK(mask.counts == std::vector<std::uint32_t>{200});
  }
  CHECK(nn::paste_masks(at::ones({0, 4, 4}), at::ones({0, 4}), {20, 10}).empty());
  CHECK(area_of(nn::paste_masks(at::ones({1, 0, 0}), boxes_of({0, 0, 5, 5}), {20, 10})[0]) == 0);
  CHECK(area_of(nn::paste_masks(at::ones({1, 4, 4}), boxes_of({-100, -100, 100, 100}), {20, 10})[0]) == 200);
  CHECK(area_of(nn::paste_masks(at::ones({1, 4, 4}), boxes_of({0, 0, 5, 5}), {0, 0})[0]) == 0);
  // A mask with NaN is above no threshold where it is read.
  CHECK(area_of(nn::paste_masks(at::full({1, 4, 4}, kNan), boxes_of({0, 0, 9, 9}), {20, 10}, 0)[0]) == 0);
  const auto masks = numbers("strided", {6, 4, 4}, 0, 1);
  const auto some = boxes_of({0, 0, 9, 9, 3, 3, 8, 8, 1, 2, 15, 7});
  const auto strided = nn::paste_masks(masks.slice(0, 0, 6, 2).transpose(1, 2), some, {20, 10}),
             packed = nn::paste_masks(masks.slice(0, 0, 6, 2).transpose(1, 2).contiguous().to(at::kFloat),
                                      some.to(at::kFloat), {20, 10});
  for (std::size_t i = 0; i < 3; ++i) CHECK(strided[i].counts == packed[i].counts);
  const char* shapes = "paste_masks: takes masks [K, M, M] and boxes [K, 4]";
  CHECK_THROWS_WITH_AS(nn::paste_masks(at::ones({1, 4, 5}), some.slice(0, 0, 1), {20, 10}), doctest::Contains(shapes),
                       PluginError);
  CHECK_THROWS_WITH_AS(nn::paste_masks(at::ones({1, 4, 4}), some, {20, 10}), doctest::Contains(shapes), PluginError);
  CHECK_THROWS_WITH_AS(nn::paste_masks(at::ones({1, 4, 4}), some.slice(0, 0, 1), {-1, 10}),
                       doctest::Contains("paste_masks: was given an image of -1 x 10 pixels"), PluginError);
}

TEST_CASE("operations on boxes take none, and refuse what are no boxes") {
  const auto none = at::empty({0, 4}), one = boxes_of({1, 1, 4, 5}).to(at::kFloat);
  CHECK((nn::encode_boxes(none, none, {1, 1, 1, 1}).sizes() == at::IntArrayRef{0, 4}));
  CHECK((nn::decode_boxes(at::empty({0, 12}), none, {1, 1, 1, 1}).sizes() == at::IntArrayRef{0, 3, 4}));
  CHECK((nn::clip_boxes(at::empty({0, 3, 4}), 5, 5).sizes() == at::IntArrayRef{0, 3, 4}));
  CHECK((nn::box_areas(none).sizes() == at::IntArrayRef{0}));
  CHECK((nn::box_ious(none, one).sizes() == at::IntArrayRef{0, 1}));
  CHECK((nn::larger_than(none, 1).sizes() == at::IntArrayRef{0}));
  for (const bool low_quality : {false, true}) {
    CHECK(nn::match_boxes(one, none, 0.3, 0.7, low_quality).size(0) == 0);
    CHECK(nn::match_boxes(none, none, 0.3, 0.7, low_quality).size(0) == 0);
  }
  const auto drawn = nn::sample_matches(at::empty({0}, at::kLong), 5, 0.5);
  CHECK((drawn.positive.size(0) == 0 && drawn.negative.size(0) == 0));
  CHECK(nn::sample_matches(at::tensor({0, -1, 2}, at::kLong), 0, 0.5).negative.size(0) == 0);

  // What is no number is not larger than anything, and stays what it is.
  const auto odd = boxes_of({kNan, 0, 4, 4, 0, 0, kInfinity, 4, -kInfinity, 0, kInfinity, 4, 4, 0, 0, 4});
  CHECK(at::equal(nn::larger_than(odd, 0.01), at::tensor({0, 1, 1, 0}).to(at::kBool)));
  const auto clipped = nn::clip_boxes(odd, 10, 20);
  CHECK(at::isnan(clipped[0][0]).item<bool>());
  CHECK(at::equal(clipped.slice(0, 1), boxes_of({0, 0, 20, 4, 0, 0, 20, 4, 4, 0, 0, 4})));
  CHECK(at::isnan(nn::decode_boxes(at::full({1, 4}, kNan), one, {1, 1, 1, 1})).all().item<bool>());

  const auto refused = [](const auto& call, const char* message) {
    CHECK_THROWS_WITH_AS(call(), doctest::Contains(message), PluginError);
  };
  const auto three = at::zeros({2, 3}), two = at::zeros({2, 4});
  refused([&] { nn::encode_boxes(one, two, {1, 1, 1, 1}); }, "encode_boxes: takes two tensors of boxes [K, 4]");
  refused([&] { nn::decode_boxes(three, two, {1, 1, 1, 1}); }, "decode_boxes: takes deltas [K, 4 * C] and boxes");
  refused([&] { nn::decode_boxes(two, one, {1, 1, 1, 1}); }, "decode_boxes: takes deltas [K, 4 * C] and boxes");
  refused([&] { nn::clip_boxes(three, 5, 5); }, "clip_boxes: takes boxes [..., 4]");
  refused([&] { nn::box_areas(three); }, "box_areas: takes boxes [K, 4]");
  refused([&] { nn::box_ious(two, three); }, "box_ious: takes boxes [K, 4] and [L, 4]");
  refused([&] { nn::larger_than(three, 1); }, "larger_than: takes boxes [K, 4]");
  refused([&] { nn::match_boxes(two, three, 0.3, 0.7, true); }, "match_boxes: takes truths [T, 4] and boxes [K, 4]");
  const auto matches = at::zeros({3}, at::kLong);
  refused([&] { nn::sample_matches(matches, -1, 0.5); }, "sample_matches: takes matches [K], a count from 0");
  refused([&] { nn::sample_matches(matches, 5, 1.5); }, "sample_matches: takes matches [K], a count from 0");
}
