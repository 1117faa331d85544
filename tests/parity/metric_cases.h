// The pictures that metrics.py measured with torchmetrics, made anew from the same formula.
#pragma once

#include <fstream>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include <sectile/metric.h>
#include <sectile/random.h>

#include "support/component.h"
#include "support/test.h"

namespace sectile::test {

struct Picture {
  Prediction prediction;
  Truth truth;
};

inline Picture with_classes(std::uint64_t seed, std::uint64_t index, at::IntArrayRef size, std::int64_t classes,
                            const std::vector<std::int64_t>& present) {
  Random random{seed, index};
  Picture made{{.labels = at::empty(size, at::kLong)}, {.labels = at::empty(size, at::kLong)}};
  for (std::int64_t i = 0; i < made.truth.labels.numel(); ++i) {
    const bool ignored = random.uniform() < 0.2;
    const auto number = present[static_cast<std::size_t>(random.uniform() * static_cast<double>(present.size()))];
    const double mistake = random.uniform();
    made.truth.labels.data_ptr<std::int64_t>()[i] = ignored ? kIgnore : number;
    made.prediction.labels.data_ptr<std::int64_t>()[i] =
        mistake < 0.3 ? static_cast<std::int64_t>(mistake / 0.3 * static_cast<double>(classes)) : number;
  }
  return made;
}

inline Picture with_labels_per_class(std::uint64_t seed, std::uint64_t index, std::vector<std::int64_t> size,
                                     std::int64_t classes) {
  size.insert(size.begin(), classes);
  Random random{seed, index};
  Picture made{{.labels = at::empty(size, at::kBool)}, {.labels = at::empty(size)}};
  for (std::int64_t i = 0; i < made.truth.labels.numel(); ++i) {
    const double truth = random.uniform();
    made.truth.labels.data_ptr<float>()[i] = truth < 0.2 ? kIgnore : truth < 0.5;
    made.prediction.labels.data_ptr<bool>()[i] = random.uniform() < 0.4;
  }
  return made;
}

// Every stored case: calls use(expected, report) with the metric's report over all its pictures.
template <class Use>
void compare_metric(const std::string& name, Use use) {
  std::ifstream file(SECTILE_SOURCE_DIR "/tests/parity/metrics.json");
  const auto cases = nlohmann::json::parse(file);
  REQUIRE(!cases.empty());
  for (const auto& expected : cases) {
    const auto classes = expected["classes"].get<int>();
    const bool overlapping = expected["overlapping"];
    CAPTURE(classes);
    CAPTURE(overlapping);
    const auto metric = make<Metric>("{\"type\": \"" + name + "\"}", context(classes, 3, overlapping));
    std::uint64_t index = 0;
    for (const auto& size : expected["sizes"].get<std::vector<std::vector<std::int64_t>>>()) {
      const auto seed = expected["seed"].get<std::uint64_t>();
      const auto picture = overlapping ? with_labels_per_class(seed, index, size, classes)
                                       : with_classes(seed, index, size, classes, expected["present"]);
      metric->update(picture.prediction, picture.truth);
      ++index;
    }
    use(expected, metric->compute());
  }
}

inline void check_close(double found, const nlohmann::json& expected) {  // null: not defined; torchmetrics has float32
  if (expected.is_null())
    CHECK(std::isnan(found));
  else
    CHECK(found == doctest::Approx(expected.get<double>()).epsilon(1e-6));
}

}  // namespace sectile::test
