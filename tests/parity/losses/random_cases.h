// Compares a loss with 200 results of its reference (losses/cases.py): value, gradient along a direction, its norm.
#pragma once

#include <fstream>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include <sectile/loss.h>
#include <sectile/random.h>

#include "support/component.h"
#include "support/test.h"

#include "parity/loss_cases.h"

namespace sectile::test {

struct RandomCase {
  std::uint64_t index;
  std::vector<std::int64_t> shape;  // [N, C, …]

  at::Tensor numbers(std::uint64_t stream, std::int64_t count) const {
    Random random{index, stream};
    auto made = at::empty({count}, at::kDouble);
    for (std::int64_t i = 0; i < count; ++i) made.data_ptr<double>()[i] = random.uniform();
    return made;
  }
  std::int64_t size() const { return c10::multiply_integers(shape); }
  double ignored_share() const { return index % 25 == 13 ? 1.1 : index % 4 == 0 ? 0.0 : 0.25; }
  bool first_image_is_empty() const { return index % 9 == 5; }
  std::vector<std::int64_t> present() const {
    std::vector<std::int64_t> classes;
    for (std::int64_t c = 0; c < shape[1]; ++c)
      if (index % 3 != 1 || (c + static_cast<std::int64_t>(index)) % 3 != 0) classes.push_back(c);
    return classes.empty() ? std::vector<std::int64_t>{0} : classes;
  }

  at::Tensor logits() const { return (-4 + 8 * numbers(0, size())).to(at::kFloat).to(at::kDouble).view(shape); }
  at::Tensor direction() const { return (-1 + 2 * numbers(3, size())).view(shape); }
  at::Tensor number_labels() const {
    auto spatial = shape;
    spatial.erase(spatial.begin() + 1);
    const auto u = numbers(1, 2 * size() / shape[1]).view({-1, 2});
    const auto classes = at::tensor(present(), at::kLong);
    auto labels = classes.index({(u.select(1, 1) * classes.numel()).to(at::kLong)});
    labels = labels.masked_fill(u.select(1, 0) < ignored_share(), kIgnore).view(spatial);
    if (first_image_is_empty()) labels[0].fill_(kIgnore);
    return labels;
  }
  at::Tensor per_class_labels() const {
    const auto u = numbers(2, 2 * size()).view({-1, 2});
    auto labels = (u.select(1, 1) < 0.4).to(at::kDouble);
    labels = labels.masked_fill(u.select(1, 0) < ignored_share(), kIgnore).view(shape);
    const auto classes = present();
    for (std::int64_t c = 0; c < shape[1]; ++c)
      if (std::find(classes.begin(), classes.end(), c) == classes.end()) labels.select(1, c).clamp_max_(0);
    if (first_image_is_empty()) labels[0].fill_(kIgnore);
    return labels;
  }
};

inline RandomCase random_case(std::uint64_t index, const std::vector<std::int64_t>& classes) {
  static const std::vector<std::vector<std::int64_t>> kSizes = {{2, 5, 7}, {1, 3, 3}, {2, 3, 4, 5}, {1, 1, 1},
                                                                {3, 4, 4}, {1, 6, 9}, {1, 2, 5, 3}, {2, 1, 6},
                                                                {1, 8, 8}, {2, 7, 3}};
  auto shape = kSizes[index % kSizes.size()];
  shape.insert(shape.begin() + 1, classes[index % classes.size()]);
  return {index, shape};
}

// name: of the loss and of its file of results. In float64 to 1e-6 relative; in float32, and of logits in bfloat16
// against those logits in float64.
inline void compare_with_random_cases(const std::string& name, double in_float32 = 2e-5) {
  const auto expected = expected_values("losses/" + name + ".json");
  const auto &variants = expected["variants"], &kinds = expected["kinds"], &results = expected["results"];
  const auto classes = expected["classes"].get<std::vector<std::int64_t>>();
  REQUIRE(results.size() == 200);
  for (std::size_t i = 0; i < results.size(); ++i) {
    const auto one = random_case(i, classes);
    auto json = variants[i % variants.size()];
    const bool per_class = kinds[i / variants.size() % kinds.size()] == "per_class";
    CAPTURE(i);
    CAPTURE(json.dump());
    CAPTURE(per_class);
    json["type"] = name;
    const auto loss = make<Loss>(json.dump(), context(static_cast<int>(one.shape[1]), 3, per_class));
    const auto labels = per_class ? one.per_class_labels() : one.number_labels();
    const auto logits = one.logits(), direction = one.direction();
    const auto value = results[i][0].get<double>(), slope = results[i][1].get<double>(),
               norm = results[i][2].get<double>();
    const auto check = [&](const Evaluated& found, double tolerance) {
      CHECK(std::abs(found.value - value) <= tolerance * std::max(1., std::abs(value)));
      const auto gradient = found.gradient.to(at::kDouble);
      CHECK(std::abs((gradient * direction).sum().item<double>() - slope) <= tolerance * std::max(norm, 1e-3));
      CHECK(std::abs(gradient.norm().item<double>() - norm) <= tolerance * std::max(norm, 1e-3));
    };
    check(evaluate(*loss, logits, labels), 1e-6);
    check(evaluate(*loss, logits.to(at::kFloat), labels), in_float32);
    const auto half = logits.to(at::kBFloat16);
    const auto rounded = evaluate(*loss, half, labels), exact = evaluate(*loss, half.to(at::kDouble), labels);
    CHECK(std::abs(rounded.value - exact.value) <= in_float32 * std::max(1., std::abs(exact.value)));
    CHECK(rounded.gradient.isfinite().all().item<bool>());
  }
}

}  // namespace sectile::test
