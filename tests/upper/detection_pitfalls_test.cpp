// Known mistakes of detectors: numbers by torchvision 0.26, and by loops over the formulas.
#include <ATen/ATen.h>

#include <sectile/data/rle.h>
#include <sectile/nn/batch_norm.h>
#include <sectile/nn/detection/boxes.h>
#include <sectile/nn/detection/paste_masks.h>
#include <sectile/nn/detection/roi_align.h>

#include "detection_support.h"
#include "support/test.h"

using namespace sectile;
using namespace sectile::test;

namespace {

constexpr int kPastedHeight = 11, kPastedWidth = 12;

// Of each pixel, how many of the thresholds 0.1 to 0.9 its value is above.
std::vector<std::string> tenths(const at::Tensor& mask, const at::Tensor& box) {
  std::vector<std::string> rows(kPastedHeight, std::string(kPastedWidth, '0'));
  for (int tenth = 1; tenth < 10; ++tenth) {
    const auto pasted = nn::paste_masks(mask, box, {kPastedWidth, kPastedHeight}, tenth / 10.);
    const auto bitmap = Mask(pasted.at(0)).bitmap();
    for (int y = 0; y < kPastedHeight; ++y)
      for (int x = 0; x < kPastedWidth; ++x)
        if (bitmap.at<std::uint8_t>(y, x)) ++rows[static_cast<std::size_t>(y)][static_cast<std::size_t>(x)];
  }
  return rows;
}

}  // namespace

// https://github.com/pytorch/vision/issues/5845, https://github.com/facebookresearch/maskrcnn-benchmark/issues/188:
// without the border, with rounded corners or without the pixel that is added, masks are shifted.
TEST_CASE("masks are pasted by torchvision's rule for whole pixels, not by detectron2's for half ones") {
  const auto mask =
      at::tensor({0.222, 0.871, 0.207, 0.919, 0.488, 0.612, 0.766, 0.518, 0.297, 0.188, 0.081, 0.738, 0.441,
                  0.158, 0.88,  0.274, 0.414, 0.296, 0.629, 0.58,  0.6,   0.266, 0.285, 0.254, 0.328},
                 at::kDouble)
          .view({1, 5, 5});
  using Rows = std::vector<std::string>;
  const Rows inside{"000000000000", "001342243210", "013674476310", "025675432100", "012575324620", "001454335720",
                    "012333355520", "014432333310", "013211111100", "000000000000", "000000000000"};
  const Rows past_edge{"000000000000", "000000000000", "000000000000", "000000000000", "000000000000", "000000001320",
                       "000000014751", "000000135763", "000000146765", "000000014764", "000000013653"};
  const Rows thin{"000000000000", "000000000000", "000230000000", "000450000000", "000620000000", "000350000000",
                  "000260000000", "000350000000", "000430000000", "000210000000", "000000000000"};
  const Rows negative{"546410000000", "542310000000", "531640000000", "335630000000", "334420000000", "111210000000",
                      "000000000000", "000000000000", "000000000000", "000000000000", "000000000000"};
  CHECK(tenths(mask, boxes_of({2.4, 1.6, 9.7, 8.2})) == inside);
  CHECK(tenths(mask, boxes_of({7.5, 6, 15.5, 13.5})) == past_edge);
  CHECK(tenths(mask, boxes_of({4, 3, 4.6, 9})) == thin);
  CHECK(tenths(mask, boxes_of({-3.2, -1.5, 3.8, 4.9})) == negative);
  // Half pixels would give 14, 10, 3 and 3.
  const auto all = nn::paste_masks(
      mask.expand({4, 5, 5}), boxes_of({2.4, 1.6, 9.7, 8.2, 7.5, 6, 15.5, 13.5, 4, 3, 4.6, 9, -3.2, -1.5, 3.8, 4.9}),
      {kPastedWidth, kPastedHeight});
  const std::vector<std::int64_t> areas{18, 13, 5, 7};
  for (std::size_t i = 0; i < 4; ++i) CHECK(area_of(all[i]) == areas[i]);
}

// https://github.com/pytorch/vision/issues/1871, https://github.com/microsoft/onnxruntime/issues/6921: half a pixel of
// the features lies between the conventions, and only one of them makes small boxes as large as a pixel.
TEST_CASE("RoIAlign has both conventions of where pixels are, and both of how many samples are taken") {
  const auto features = at::tensor({5.508, 7.081, 2.909, 5.108, 8.929, 8.963, 1.256, 2.072, 0.515, 4.408, 0.299, 4.568,
                                    6.491, 2.785, 6.763, 5.909, 0.24,  5.589, 2.593, 4.151, 2.835, 6.931, 4.405, 1.569,
                                    5.446, 7.803, 3.064, 2.22,  3.88,  9.364, 9.76,  6.724, 9.028, 8.458, 3.78,  0.922,
                                    6.534, 5.578, 3.616, 2.251, 4.065, 4.689, 2.692, 2.918, 4.577, 8.605, 5.863, 2.835,
                                    2.78,  4.546, 2.054, 2.014, 5.14,  0.872, 4.836, 3.622, 7.077, 7.467, 6.911, 6.892,
                                    3.736, 6.681, 3.398, 5.728, 3.258, 4.451, 0.615, 2.427, 9.716, 2.306, 6.915, 6.505},
                                   at::kDouble)
                            .view({1, 1, 8, 9});
  const auto boxes = boxes_of({1.3, 0.7, 6.9, 5.2,  // inside
                               3.2, 3.1, 3.5, 3.6,  // tiny
                               6, 5.5, 12, 11,      // past the edge
                               -3, -2.5, 2, 2.5});
  struct Expected {
    double scale;
    bool aligned;
    int sampling_ratio;
    std::vector<double> values;  // of 2 x 2 bins of each box
  };
  const std::vector<Expected> all{
      {1,
       false,
       2,
       {5.415965625, 5.301071875, 4.632336875, 4.3855125, 6.529525, 5.97481875, 3.866275, 4.40163125, 5.539734375, 0, 0,
        0, 0, 2.80528125, 0, 3.548300781}},
      {1,
       false,
       0,
       {5.385995185, 5.17515, 4.545436389, 4.319586944, 6.529525, 5.860275, 3.866275, 4.409525, 5.390733796, 0, 0, 0,
        0.612, 1.871453704, 1.285092593, 3.577076389}},
      {1,
       true,
       2,
       {4.718922812, 4.70039, 5.807637812, 5.8112225, 8.6639875, 8.8760125, 9.377344844, 9.456073281, 4.380085938, 0, 0,
        0, 0, 0, 0, 4.303691406}},
      {1,
       true,
       0,
       {4.577998704, 4.847427593, 5.532076667, 5.521613519, 8.6639875, 8.8760125, 9.5793625, 9.6526375, 4.548546296,
        1.455319444, 0, 0, 0, 2.015842593, 0, 4.23764429}},
      {0.5,
       false,
       2,
       {2.682669063, 5.513120469, 3.795294531, 6.21824875, 3.21145, 4.46309, 4.6851, 5.8388, 5.944414062, 6.658402344,
        4.011885742, 2.972814453, 2.754, 6.097875, 2.41025, 4.07865625}},
      {0.5,
       false,
       0,
       {2.682669063, 5.513120469, 3.795294531, 6.21824875, 3.21145, 4.46309, 4.6851, 5.8388, 5.944414062, 6.658402344,
        4.011885742, 2.972814453, 2.754, 6.097875, 2.41025, 4.07865625}},
      {0.5,
       true,
       2,
       {4.4071225, 4.253386875, 2.761903125, 4.500455625, 1.232944531, 1.505996094, 1.618452344, 1.839144531,
        7.369918945, 6.591105469, 3.136905273, 3.925210938, 0, 2.827734375, 0, 5.298318359}},
      {0.5,
       true,
       0,
       {4.4071225, 4.253386875, 2.761903125, 4.500455625, 1.232944531, 1.505996094, 1.618452344, 1.839144531,
        7.369918945, 6.591105469, 3.136905273, 3.925210938, 0, 2.827734375, 0, 5.298318359}}};
  for (const auto& one : all) {
    CAPTURE(one.scale);
    CAPTURE(one.aligned);
    CAPTURE(one.sampling_ratio);
    const auto made = nn::roi_align({features}, {one.scale}, boxes, std::vector<nn::RoiPlace>(4),
                                    {.output_size = 2, .sampling_ratio = one.sampling_ratio, .aligned = one.aligned});
    const auto wanted = at::tensor(one.values, at::kDouble).view({4, 1, 2, 2});
    CHECK((made - wanted).abs().max().item<double>() < 1e-8);  // they have ten digits
  }
}

// https://github.com/rbgirshick/py-faster-rcnn/issues/65, https://github.com/chainer/chainercv/pull/508: without a
// limit boxes become infinite; one before the weights is another limit; pixels are not counted from edge to edge plus
// one.
TEST_CASE("sizes of decoded boxes have an upper limit, after the weights, and no lower one") {
  const auto deltas = boxes_of({0.5, -1, 1, 2, 3, 3, 60, -60, 0, 0, 21, 20.67583278371178});
  const auto boxes = boxes_of({10, 20, 50, 100, 0, 0, 8, 8, 30, 30, 31, 30.5});
  const auto decoded = [&](const nn::BoxWeights& weights) {
    return nn::decode_boxes(deltas, boxes, weights).squeeze(1);
  };
  const auto proposals = boxes_of({-4.3656365691809, -315.56224395722603, 104.36563656918091, 275.56224395722603,  //
                                   -222, 28, 278, 28,                                                              //
                                   -0.75, 14.625, 61.75, 45.875});
  const auto objects = boxes_of({7.571944836796604, -7.672987905650814, 56.428055163203396, 111.67298790565081,  //
                                 -243.6, 6.399975423150587, 256.4, 6.400024576849414,                            //
                                 -0.75, 14.625, 61.75, 45.875});
  CHECK((decoded({1, 1, 1, 1}) - proposals).abs().max().item<double>() < 1e-10);
  CHECK((decoded({10, 10, 5, 5}) - objects).abs().max().item<double>() < 1e-10);
  const auto endless = nn::decode_boxes(at::full({1, 4}, 1e30), boxes.slice(0, 1, 2).to(at::kFloat), {1, 1, 1, 1});
  CHECK(at::isfinite(endless).all().item<bool>());
}

// https://github.com/pytorch/vision/pull/2258 and issues/3169: a width above 0 may be none once the right side is a
// float, and the logarithm of none is not finite. Datasets leave such boxes out (coco_instances).
TEST_CASE("boxes whose width is lost in float32 have no side that is larger than 0") {
  const auto wide = at::tensor({10.,   10., 0.4,    3., 5.,    5.,  0.,    7., 20.,  5.,   -3., 4.,
                                3000., 10., 0.0001, 5., 3000., 10., 0.001, 5., 368., 413., 0.,  4.},
                               at::kDouble)
                        .view({6, 4});
  const auto boxes = at::cat({wide.slice(1, 0, 2), wide.slice(1, 0, 2) + wide.slice(1, 2, 4)}, 1).to(at::kFloat);
  constexpr double kAny = 1e-30;
  CHECK(at::equal(nn::larger_than(boxes, kAny), at::tensor({1, 0, 0, 0, 1, 0}).to(at::kBool)));
  CHECK(at::equal(nn::larger_than(boxes, kAny),
                  (nn::box_areas(boxes) > 0).logical_and(boxes.select(1, 2) > boxes.select(1, 0))));
}

// https://github.com/lukemelas/EfficientNet-PyTorch/issues/229 and others: eps is in no file of weights. torchvision's
// detectors have 1e-5 with batch norm, and frozen 0 for the weights of version 1 (overwrite_eps).
TEST_CASE("a frozen batch norm's eps decides channels of a small variance") {
  for (const auto& [eps, wanted] :
       {std::pair{1e-5, 34.50327796711771}, {1e-3, 14.433756729740644}, {1e-12, 35.35533905932738}}) {  // as with 0
    CAPTURE(eps);
    nn::BatchNorm norm({.channels = 1, .eps = eps, .frozen = true});
    norm.to(at::kDouble);
    norm.running_mean.fill_(0.4);
    norm.running_var.fill_(2e-4);
    for (const bool training : {false, true}) {
      norm.train(training);
      CHECK(norm.forward(at::full({2, 1, 3, 3}, 0.9, at::kDouble)).mean().item<double>() ==
            doctest::Approx(wanted).epsilon(1e-8));
    }
  }
}
