// The 200 sets of images of surface_cases.py, and what a metric's formula says of them.
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

class SurfaceCase {
 public:
  SurfaceCase(std::uint64_t index, bool per_class, bool flat) : index_(index), per_class_(per_class), flat_(flat) {}

  int classes() const {
    constexpr int kClasses[] = {3, 2, 4, 1, 5};
    return kClasses[index_ % std::size(kClasses)];
  }
  std::uint64_t images() const { return 1 + index_ % 3; }

  std::pair<Prediction, Truth> image(std::uint64_t number) const {
    const auto size = size_of(number);
    auto shape = size;
    const auto maps = static_cast<std::uint64_t>(per_class_ ? classes() : 1);
    shape.insert(shape.begin(), static_cast<std::int64_t>(maps));
    auto truth = at::zeros(shape, at::kLong), prediction = at::zeros(shape, at::kLong);
    for (std::uint64_t m = 0; m < maps; ++m) {
      const auto of_map = static_cast<std::int64_t>(m);
      const auto count = per_class_ ? (index_ + number + m) % 4 : 2 + (index_ + number) % 4;
      for (const auto& box : boxes({index_, number, 1 + m}, size, count)) {
        const auto value = per_class_ ? 1 : static_cast<std::int64_t>(box.more[0] * classes());
        paint(truth[of_map], box, value);
        if (box.more[1] < 0.75)
          paint(prediction[of_map], box, value, static_cast<std::int64_t>(box.more[2] * 5) - 2);
        else if (box.more[1] < 0.9)
          paint(prediction[of_map], box, per_class_ ? 1 : static_cast<std::int64_t>(box.more[2] * classes()));
      }
      if (index_ % 25 == 13)
        truth[of_map].fill_(kIgnore);
      else if (index_ % 3 == 0)
        for (const auto& box : boxes({index_, number, 50 + m}, size, 2)) paint(truth[of_map], box, kIgnore);
    }
    Prediction predicted;
    Truth expected;
    predicted.labels = per_class_ ? prediction.to(at::kBool) : prediction[0];
    expected.labels = per_class_ ? truth.to(at::kFloat) : truth[0];
    static const std::vector<cv::Vec3d> kSpacings = {{1, 1, 1}, {0.7, 2, 1.5}, {0.5, 0.5, 3}, {4, 1.25, 0.3}};
    expected.sample.geometry.spacing = kSpacings[index_ % kSpacings.size()];
    return {predicted, expected};
  }

 private:
  struct Painted {
    std::vector<std::int64_t> begin{}, end{};
    std::array<double, 3> more{};
  };

  std::vector<std::int64_t> size_of(std::uint64_t number) const {
    std::vector<std::vector<std::int64_t>> sizes;
    for (const std::vector<std::int64_t>& size : {std::vector<std::int64_t>{24, 31},
                                                  {9, 14, 12},
                                                  {1, 1},
                                                  {40, 17},
                                                  {6, 5, 8},
                                                  {1, 20},
                                                  {33, 33},
                                                  {1, 12, 9},
                                                  {60, 80},
                                                  {3, 3}})
      if (!flat_ || size.size() == 2) sizes.push_back(size);
    return sizes[(index_ + 3 * number) % sizes.size()];
  }

  static std::vector<Painted> boxes(std::initializer_list<std::uint64_t> key, const std::vector<std::int64_t>& size,
                                    std::uint64_t count) {
    Random random{key};
    std::vector<Painted> made(count);
    for (auto& box : made) {
      std::array<double, 9> u{};
      for (auto& one : u) one = random.uniform();
      for (std::size_t axis = 0; axis < size.size(); ++axis) {
        const auto side = static_cast<double>(size[axis]);
        box.begin.push_back(static_cast<std::int64_t>(u[2 * axis] * side));
        box.end.push_back(box.begin.back() + 1 + static_cast<std::int64_t>(u[2 * axis + 1] * side / 2));
      }
      box.more = {u[6], u[7], u[8]};
    }
    return made;
  }
  static void paint(at::Tensor labels, const Painted& box, std::int64_t value, std::int64_t moved = 0) {
    const auto inside = [&](std::int64_t position, std::size_t axis) {
      return std::clamp<std::int64_t>(position + moved, 0, labels.size(static_cast<std::int64_t>(axis)));
    };
    auto part = labels;
    for (std::size_t axis = 0; axis < box.begin.size(); ++axis) {
      const auto begin = inside(box.begin[axis], axis);
      part = part.narrow(static_cast<std::int64_t>(axis), begin,
                         std::max<std::int64_t>(0, inside(box.end[axis], axis) - begin));
    }
    part.fill_(value);
  }

  std::uint64_t index_;
  bool per_class_, flat_;
};

inline bool is_as_measured(double found, const nlohmann::json& expected) {
  if (expected.is_null()) return std::isnan(found);
  if (expected.is_string()) return std::isinf(found);
  return std::abs(found - expected.get<double>()) <= 1e-9 * std::max(1., std::abs(expected.get<double>()));
}

// Also splits each set over metrics that are merged in the other order: equal to the last bit.
inline void compare_with_surface_cases(const std::string& name) {
  std::ifstream file(SECTILE_SOURCE_DIR "/tests/parity/metrics/" + name + ".json");
  const auto stored = nlohmann::json::parse(file);
  const auto &variants = stored["variants"], &results = stored["results"];
  REQUIRE(results.size() == 200);
  for (std::size_t i = 0; i < results.size(); ++i) {
    auto json = variants[i % variants.size()];
    const bool per_class = i / variants.size() % 2 == 1;
    json["type"] = name;
    CAPTURE(i);
    CAPTURE(json.dump());
    CAPTURE(per_class);
    const SurfaceCase one(i, per_class, stored["flat"].get<bool>());
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
    const auto report = metric->compute(), again = merged->compute();
    REQUIRE(report.values.size() == results[i][0].size());
    for (std::size_t v = 0; v < report.values.size(); ++v) {
      CAPTURE(report.values[v].name);
      const double value = report.values[v].value, other = again.values[v].value;
      CAPTURE(value);
      CHECK(is_as_measured(value, results[i][0][v]));
      CHECK((value == other || (std::isnan(value) && std::isnan(other))));
    }
    REQUIRE(report.per_class.size() == static_cast<std::size_t>(one.classes()));
    REQUIRE(report.columns.size() == results[i][1].size());
    for (std::size_t column = 0; column < report.columns.size(); ++column) {
      CAPTURE(report.columns[column]);
      int undefined = 0, infinite = 0;
      double sum = 0;
      for (std::size_t row = 0; row < report.per_class.size(); ++row) {
        const double cell = report.per_class[row].at(column);
        undefined += std::isnan(cell), infinite += std::isinf(cell);
        if (std::isfinite(cell)) sum += cell * static_cast<double>(row + 1);
      }
      const auto& expected = results[i][1][column];
      CHECK(undefined == expected[0].get<int>());
      CHECK(infinite == expected[1].get<int>());
      CHECK(is_as_measured(sum, expected[2]));
    }
  }
}

// Rows of digits; '.' is ignored.
inline at::Tensor drawn_map(const std::vector<std::string>& rows) {
  auto made = at::empty({static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(rows[0].size())}, at::kLong);
  auto* to = made.data_ptr<std::int64_t>();
  for (const auto& row : rows)
    for (const char one : row) *to++ = one == '.' ? kIgnore : one - '0';
  return made;
}

// Zeros with a box of ones: rows from y, columns from x.
inline at::Tensor box_map(at::IntArrayRef size, std::int64_t y, std::int64_t x, std::int64_t height,
                          std::int64_t width) {
  auto made = at::zeros(size, at::kLong);
  made.narrow(0, y, height).narrow(1, x, width).fill_(1);
  return made;
}

// What all metrics of surfaces do with nothing, bad labels, bad states and classes that do not count.
inline void check_surface_metric(const std::string& name) {
  const auto spec = [&](const std::string& more) { return "{\"type\": \"" + name + "\"" + more + "}"; };
  const auto metric = make<Metric>(spec(""), context(2));
  const auto update = [&](const at::Tensor& prediction, const at::Tensor& truth) {
    metric->update({.id = "a.png", .labels = prediction}, {.labels = truth});
  };
  metric->update({.id = "a.png"}, {});
  update(at::zeros({0, 3}, at::kLong), at::zeros({0, 3}, at::kLong));
  update(at::zeros({2, 3}, at::kLong), at::full({2, 3}, kIgnore, at::kLong));
  CHECK(std::isnan(metric->compute().values.front().value));
  CHECK(!metric->compute().convention.empty());
  CHECK_THROWS_WITH_AS(update(at::full({1, 1}, 2, at::kLong), at::zeros({1, 1}, at::kLong)),
                       "a.png: has a class number outside 0..1: truth 0, prediction 2", DataError);
  CHECK_THROWS_WITH_AS(update(at::zeros({1, 2}, at::kLong), at::zeros({1, 1}, at::kLong)),
                       doctest::Contains("do not fit"), DataError);
  CHECK_THROWS_AS(metric->update({}, {.labels = at::zeros({1, 1}, at::kLong)}), PluginError);
  CHECK_THROWS_AS(metric->merge(make<Metric>(spec(""), context(3))->state()), PluginError);

  const auto background = make<Metric>(spec(", \"include_background\": false"), context(3));
  const auto named = make<Metric>(spec(", \"include\": [\"2\"]"), context(3));
  for (const auto& one : {background, named}) {
    const auto labels = drawn_map({"012", "012"});
    one->update({.labels = labels}, {.labels = labels});
    const auto rows = one->compute().per_class;
    CHECK(std::isnan(rows[0][0]));
    CHECK(std::isnan(rows[1][0]) == (one == named));
    CHECK(!std::isnan(rows[2][0]));
  }
  CHECK_THROWS_AS(make<Metric>(spec(", \"include\": [\"9\"]"), context(3)), SpecError);
  CHECK_THROWS_WITH_AS(make<Metric>(spec(", \"include\": [\"2\", \"2\"]"), context(3)),
                       doctest::Contains("/part/include/1: names the class \"2\" again, as include/0 does"), SpecError);
  CHECK_THROWS_AS(make<Metric>(spec(", \"include_background\": false"), context(1)), SpecError);
  CHECK_THROWS_AS(make<Metric>(spec(", \"include_background\": false"), context(3, 3, true)), SpecError);
  CHECK_THROWS_AS(make<Metric>(spec(", \"include_background\": false, \"include\": [\"1\"]"), context(3)), SpecError);
}

}  // namespace sectile::test
