// Percentile of the distances between the surfaces of truth and prediction: that of 95 is HD95, of 100 the Hausdorff
// distance. Numbers equal those of MONAI 1.6 (compute_hausdorff_distance) and medpy 0.5 (hd95), except where a mask is
// empty: MONAI gives NaN there, which its means leave out, so that missed objects improve the mean; medpy fails.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include <sectile/surface_metric.h>

namespace {

using sectile::MetricReport;

enum class PercentileOf { larger, pooled };

struct Hausdorff95Options : sectile::SpacingOptions {
  double percentile = 95;
  PercentileOf convention = PercentileOf::larger;
  std::optional<double> penalty{};

  void declare(sectile::Options& options) {
    options.add("percentile", &percentile, "Percentile of the distances, from 0 to 100. 100: the Hausdorff distance.")
        .at_least(0)
        .at_most(100);
    options
        .add("convention", &convention,
             "monai: the larger one of two percentiles, of the distances from truth to prediction and of those from "
             "prediction to truth. medpy: the percentile of all these distances together, as in nnU-Net v1. Results of "
             "the two cannot be compared.")
        .one_of({"monai", "medpy"});
    options
        .add("penalty", &penalty,
             "Distance that counts for a class that has pixels in only one of truth and prediction, in millimetres or "
             "pixels; for example the diagonal of the images. Not given: infinite.")
        .at_least(0);
    SpacingOptions::declare(options);
  }
};

// Between two values linearly, as numpy's. Of infinite ones infinite.
double percentile(std::vector<double>& values, double percent) {
  const double rank = percent / 100 * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(rank);
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(below);
  std::nth_element(values.begin(), at, values.end());
  const double share = rank - static_cast<double>(below);
  if (share == 0) return *at;
  return *at + share * (*std::min_element(at + 1, values.end()) - *at);
}

class Hausdorff95 final : public sectile::SurfaceMetric {
 public:
  Hausdorff95(const Hausdorff95Options& options, const sectile::BuildContext& context)
      : SurfaceMetric("hausdorff95", kSums, options, options.spacing, context), of_(options) {}

  MetricReport compute() const override {
    auto report = distances("HD" + (of_.percentile == 100 ? "" : short_text(of_.percentile)));
    report.convention =
        std::string(of_.convention == PercentileOf::larger
                        ? "The larger one of the two directed percentiles (MONAI)"
                        : "The percentile of both directions' distances together (medpy, nnU-Net v1)")
            .append(
                " of the distances between surfaces, which are the pixels of a mask with a 4-neighbour (6 in "
                "volumes) outside it; beyond the border of the image is outside. Percentiles by linear "
                "interpolation; distances in millimetres, or in pixels where no spacing is known. Ignored pixels "
                "leave both masks first. Per image and class, then the mean over images, then over classes. A "
                "class in neither mask is left out; in one only, it is missed, and its distance ")
            .append(of_.penalty ? "counts as " + short_text(*of_.penalty) : "is infinite, and so is the mean")
            .append("; \"found\" are means without missed ones.");
    return report;
  }

 private:
  enum Sum { kAll, kFound, kSums };  // as distances() has them

  static std::string short_text(double value) {
    auto text = std::to_string(value);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.' || text.back() == ',') text.pop_back();
    return text;
  }

  void add(const sectile::MaskPair& masks, std::span<sectile::ExactSum> sums) const override {
    if (!masks.in_truth || !masks.in_prediction) {
      sums[kAll].add(of_.penalty.value_or(std::numeric_limits<double>::infinity()));
      return;
    }
    auto [of_prediction, of_truth] = surface_distances(masks, masks.spacing);
    double distance = 0;
    if (of_.convention == PercentileOf::larger) {
      distance = std::max(percentile(of_prediction, of_.percentile), percentile(of_truth, of_.percentile));
    } else {
      of_truth.insert(of_truth.end(), of_prediction.begin(), of_prediction.end());
      distance = percentile(of_truth, of_.percentile);
    }
    sums[kAll].add(distance), sums[kFound].add(distance);
  }

  Hausdorff95Options of_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::metric<Hausdorff95, Hausdorff95Options>(
                            "hausdorff95", "95th percentile of the distances between the surfaces of masks (HD95)."))
