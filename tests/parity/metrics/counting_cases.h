// The 200 sets of images of counting_cases.py, and what a metric's reference says of them.
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

class CountingCase {
 public:
  CountingCase(std::uint64_t index, bool per_class) : index_(index), per_class_(per_class) {}

  int classes() const {
    constexpr int kClasses[] = {3, 2, 4, 5, 1, 3, 7};
    return kClasses[index_ % std::size(kClasses)];
  }
  std::uint64_t images() const { return 1 + index_ % 3; }

  std::pair<Prediction, Truth> image(std::uint64_t number) const {
    static const std::vector<std::vector<std::int64_t>> kSizes = {{5, 7}, {3, 3},    {3, 4, 5}, {1, 1},  {12, 17},
                                                                  {6, 9}, {2, 5, 3}, {1, 6},    {16, 8}, {7, 3}};
    const auto& size = kSizes[(index_ + 3 * number) % kSizes.size()];
    const auto pixels = c10::multiply_integers(size);
    std::vector<std::int64_t> present;
    for (std::int64_t c = 0; c < classes(); ++c)
      if (index_ % 3 != 1 || (c + static_cast<std::int64_t>(index_)) % 3 != 0) present.push_back(c);
    if (present.empty()) present = {0};
    Prediction prediction;
    Truth truth;
    if (per_class_) {
      std::vector<at::Tensor> expected, found;
      for (std::int64_t c = 0; c < classes(); ++c) {
        const bool occurs = std::find(present.begin(), present.end(), c) != present.end();
        const auto u = numbers({index_, number, 10 + static_cast<std::uint64_t>(c)}, 4 * pixels).view({-1, 4});
        const auto own = coarse(u.select(1, 1).view(size)) < (occurs ? 0.4 : 0.);
        found.push_back(at::where(u.select(1, 2).view(size) < 0.2, u.select(1, 3).view(size) < 0.5, own));
        expected.push_back(own.to(at::kFloat).masked_fill(u.select(1, 0).view(size) < ignored(), kIgnore));
      }
      truth.labels = at::stack(expected), prediction.labels = at::stack(found);
    } else {
      const auto u = numbers({index_, number, 1}, 4 * pixels).view({-1, 4});
      const auto drawn = (coarse(u.select(1, 1).view(size)) * static_cast<double>(present.size())).to(at::kLong);
      const auto own = at::tensor(present, at::kLong).index({drawn});
      const auto other = (u.select(1, 3).view(size) * classes()).to(at::kLong);
      prediction.labels = at::where(u.select(1, 2).view(size) < 0.3, other, own);
      truth.labels = own.masked_fill(u.select(1, 0).view(size) < ignored(), kIgnore);
    }
    auto of_classes = size;
    of_classes.insert(of_classes.begin(), classes());
    auto raw = numbers({index_, number, 2}, classes() * pixels).view(of_classes);
    if (!per_class_) {
      raw = raw * raw * raw + 0.001;
      auto total = at::zeros(size, at::kDouble);
      for (std::int64_t c = 0; c < classes(); ++c) total = total + raw[c];
      raw = raw / total;
    }
    prediction.scores = raw.to(at::kFloat);
    return {prediction, truth};
  }

 private:
  static at::Tensor numbers(std::initializer_list<std::uint64_t> key, std::int64_t count) {
    const auto* k = key.begin();
    Random random{k[0], k[1], k[2]};
    auto made = at::empty({count}, at::kDouble);
    for (std::int64_t i = 0; i < count; ++i) made.data_ptr<double>()[i] = random.uniform();
    return made;
  }
  static at::Tensor coarse(at::Tensor values) {
    for (std::int64_t axis = 0; axis < values.dim(); ++axis)
      values = values.index_select(axis, at::arange(values.size(axis), at::kLong).div(2, "floor") * 2);
    return values;
  }
  double ignored() const { return index_ % 25 == 13 ? 1.1 : index_ % 4 == 0 ? 0.0 : 0.2; }

  std::uint64_t index_;
  bool per_class_;
};

inline bool is_as_counted(double found, double expected) {
  return std::abs(found - expected) <= 1e-12 * std::max(1., std::abs(expected));
}

// Per column: undefined cells, and the sum of the others, times their row.
inline void check_digest(const std::vector<std::vector<double>>& cells, const nlohmann::json& expected) {
  for (std::size_t column = 0; column < expected.size(); ++column) {
    CAPTURE(column);
    int undefined = 0;
    double sum = 0;
    for (std::size_t row = 0; row < cells.size(); ++row) {
      REQUIRE(cells[row].size() == expected.size());
      if (const double cell = cells[row][column]; std::isnan(cell))
        ++undefined;
      else
        sum += cell * static_cast<double>(row + 1);
    }
    CHECK(undefined == expected[column][0].get<int>());
    CHECK(is_as_counted(sum, expected[column][1].get<double>()));
  }
}

// Also splits each set over metrics that are merged in the other order: equal to the last bit.
inline void compare_with_counting_cases(const std::string& name) {
  std::ifstream file(SECTILE_SOURCE_DIR "/tests/parity/metrics/" + name + ".json");
  const auto stored = nlohmann::json::parse(file);
  const auto &variants = stored["variants"], &kinds = stored["per_class"], &results = stored["results"];
  REQUIRE(results.size() == 200);
  for (std::size_t i = 0; i < results.size(); ++i) {
    auto json = variants[i % variants.size()];
    const bool per_class = kinds[i / variants.size() % kinds.size()];
    json["type"] = name;
    CAPTURE(i);
    CAPTURE(json.dump());
    CAPTURE(per_class);
    const CountingCase one(i, per_class);
    const auto made = [&] { return make<Metric>(json.dump(), context(one.classes(), 3, per_class)); };
    const auto metric = made(), merged = made();
    std::vector<std::shared_ptr<Metric>> parts;
    for (std::uint64_t number = 0; number < one.images(); ++number) {
      const auto [prediction, truth] = one.image(number);
      metric->update(prediction, truth);
      parts.push_back(made());
      parts.back()->update(prediction, truth);
    }
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) merged->merge((*part)->state());
    const auto report = metric->compute();
    REQUIRE(report.values.size() == results[i][0].size());
    for (std::size_t v = 0; v < report.values.size(); ++v) {
      CAPTURE(report.values[v].name);
      if (results[i][0][v].is_null())
        CHECK(std::isnan(report.values[v].value));
      else
        CHECK(is_as_counted(report.values[v].value, results[i][0][v].get<double>()));
      const double again = merged->compute().values[v].value;
      CHECK((again == report.values[v].value || (std::isnan(again) && std::isnan(report.values[v].value))));
    }
    REQUIRE(report.per_class.size() == static_cast<std::size_t>(one.classes()));
    REQUIRE(report.columns.size() == results[i][1].size());
    check_digest(report.per_class, results[i][1]);
    for (std::size_t t = 0; t < results[i][2].size(); ++t) check_digest(report.tables.at(t).cells, results[i][2][t]);
  }
}

}  // namespace sectile::test
