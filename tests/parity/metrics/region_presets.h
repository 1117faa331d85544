// The sets of images of region_presets.py, and what packages' rules for IoU and Dice say of them.
#pragma once

#include <cmath>
#include <fstream>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include <sectile/metric.h>
#include <sectile/random.h>

#include "support/component.h"
#include "support/test.h"

namespace sectile::test {

class RegionCase {
 public:
  explicit RegionCase(std::uint64_t index) : index_(index) {}

  int classes() const {
    constexpr int kClasses[] = {3, 2, 4, 5, 1, 3, 7};
    return kClasses[index_ % std::size(kClasses)];
  }
  bool overlapping() const { return index_ % 5 >= 3 || classes() == 1; }
  std::uint64_t images() const { return 1 + index_ % 4; }

  std::pair<Prediction, Truth> image(std::uint64_t number) const {
    static const std::vector<std::vector<std::int64_t>> kSizes = {{5, 7}, {3, 3},    {3, 4, 5}, {1, 1},  {12, 17},
                                                                  {6, 9}, {2, 5, 3}, {1, 6},    {16, 8}, {7, 3}};
    auto size = kSizes[(index_ + 3 * number) % kSizes.size()];
    const auto pixels = c10::multiply_integers(size);
    const double share = (index_ + number) % 13 == 5 ? 1.1 : index_ % 3 == 0 ? 0. : 0.2;
    const auto occurs = [&](std::uint64_t c) { return (index_ + number + c) % 3 != 0; };
    const auto is_found = [&](std::uint64_t c) { return (index_ + 2 * number + c) % 4 != 0; };
    const auto all = static_cast<std::uint64_t>(classes());
    Prediction prediction;
    Truth truth;
    if (overlapping()) {
      size.insert(size.begin(), classes());
      truth.labels = at::empty(size);
      prediction.labels = at::empty(size, at::kBool);
      auto* expected = truth.labels.data_ptr<float>();
      auto* found = prediction.labels.data_ptr<bool>();
      for (std::uint64_t c = 0; c < all; ++c) {
        Random random{index_, number, 10 + c};
        for (std::int64_t i = 0; i < pixels; ++i) {
          const double ignored = random.uniform(), drawn = random.uniform(), mistake = random.uniform(),
                       other = random.uniform();
          const bool own = drawn < 0.4 && occurs(c);
          *found++ = mistake < 0.3 && is_found(c) ? other < 0.5 : own;
          *expected++ = ignored < share ? static_cast<float>(kIgnore) : static_cast<float>(own);
        }
      }
      return {prediction, truth};
    }
    std::vector<std::uint64_t> present;
    for (std::uint64_t c = 0; c < all; ++c)
      if (occurs(c)) present.push_back(c);
    if (present.empty()) present = {all - 1};
    truth.labels = at::empty(size, at::kLong);
    prediction.labels = at::empty(size, at::kLong);
    Random random{index_, number, std::uint64_t{1}};
    for (std::int64_t i = 0; i < pixels; ++i) {
      const double ignored = random.uniform(), drawn = random.uniform(), mistake = random.uniform();
      const auto other = static_cast<std::uint64_t>(random.uniform() * static_cast<double>(all));
      const auto own = present[static_cast<std::size_t>(drawn * static_cast<double>(present.size()))];
      prediction.labels.data_ptr<std::int64_t>()[i] =
          static_cast<std::int64_t>(mistake < 0.3 && is_found(other) ? other : own);
      truth.labels.data_ptr<std::int64_t>()[i] = ignored < share ? kIgnore : static_cast<std::int64_t>(own);
    }
    return {prediction, truth};
  }

 private:
  std::uint64_t index_;
};

inline bool is_region_value(double found, const nlohmann::json& expected) {
  if (expected.is_null()) return std::isnan(found);
  return std::abs(found - expected.get<double>()) <= 1e-12 * std::max(1., std::abs(expected.get<double>()));
}

// Of "iou" or "dice". Each set is also split over metrics that are merged in the other order: equal to the last bit.
inline void compare_with_region_presets(const std::string& type) {
  std::ifstream file(SECTILE_SOURCE_DIR "/tests/parity/metrics/region_presets.json");
  std::size_t compared = 0;
  for (const auto& variant : nlohmann::json::parse(file)) {
    if (variant["type"] != type) continue;
    auto json = variant["options"];
    json["type"] = type;
    CAPTURE(json.dump());
    for (const auto& result : variant["results"]) {
      const auto index = result[0].get<std::uint64_t>();
      CAPTURE(index);
      const RegionCase one(index);
      const auto made = [&] { return make<Metric>(json.dump(), context(one.classes(), 3, one.overlapping())); };
      const auto metric = made(), merged = made();
      for (std::uint64_t number = 0; number < one.images(); ++number) {
        const auto [prediction, truth] = one.image(number);
        metric->update(prediction, truth);
      }
      for (auto number = one.images(); number-- > 0;) {
        const auto [prediction, truth] = one.image(number);
        const auto part = made();
        part->update(prediction, truth);
        merged->merge(part->state());
      }
      const auto report = metric->compute(), again = merged->compute();
      const double value = report.values.front().value, value_again = again.values.front().value;
      CHECK(is_region_value(value, result[1]));
      CHECK((value == value_again || (std::isnan(value) && std::isnan(value_again))));
      int undefined = 0;
      double sum = 0;
      for (std::size_t c = 0; c < report.per_class.size(); ++c)
        if (const double cell = report.per_class[c].front(); std::isnan(cell))
          ++undefined;
        else
          sum += cell * static_cast<double>(c + 1);
      CHECK(undefined == result[2].get<int>());
      CHECK(is_region_value(sum, result[3]));
      ++compared;
    }
  }
  CHECK(compared > 2200);
}

}  // namespace sectile::test
