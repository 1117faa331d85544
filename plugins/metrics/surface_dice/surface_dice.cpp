// Normalized surface Dice (Nikolov et al. 2018, arXiv:1809.04430), equal to MONAI 1.6 (compute_surface_dice with
// use_subvoxels=False): surfaces are counted in pixels, not by area as in DeepMind's surface-distance.
#include <algorithm>

#include <sectile/surface_metric.h>

namespace {

using sectile::MetricReport;

struct SurfaceDiceOptions : sectile::SpacingOptions {
  double tolerance = 1;

  void declare(sectile::Options& options) {
    options
        .add("tolerance", &tolerance,
             "A surface pixel is right up to this distance from the other surface, in millimetres, or in pixels where "
             "no spacing is known. At least 0.")
        .at_least(0);
    SpacingOptions::declare(options);
  }
};

class SurfaceDice final : public sectile::SurfaceMetric {
 public:
  SurfaceDice(const SurfaceDiceOptions& options, const sectile::BuildContext& context)
      : SurfaceMetric("surface_dice", 1, options, options.spacing, context), tolerance_(options.tolerance) {}

  MetricReport compute() const override {
    MetricReport report;
    report.columns = {"surface Dice", "images"};
    std::vector<double> means;
    for (std::size_t c = 0; c < classes(); ++c) {
      means.push_back(sum(c, 0).mean());
      report.per_class.push_back({means.back(), static_cast<double>(sum(c, 0).finite())});
    }
    report.values = {{"surface Dice", mean(means)}};
    report.convention =
        "Share of the surface pixels of truth and prediction together that are at most " + std::to_string(tolerance_) +
        " from the other surface (normalized surface Dice; MONAI without subvoxels), in millimetres, or in pixels "
        "where no spacing is known. The surface is the pixels of a mask with a 4-neighbour (6 in volumes) outside it; "
        "beyond the border of the image is outside. Ignored pixels leave both masks first. Per image and class, then "
        "the mean over images, then over classes. A class in neither mask is left out; in one only, it gives 0.";
    return report;
  }

 private:
  void add(const sectile::MaskPair& masks, std::span<sectile::ExactSum> sums) const override {
    // Distances are rounded: three pixels of 0.1 mm are a little more than 0.3 mm.
    const double most = tolerance_ * (1 + 1e-12);
    const auto [of_prediction, of_truth] = surface_distances(masks, masks.spacing);
    const auto right = [&](const std::vector<double>& distances) {
      return std::count_if(distances.begin(), distances.end(), [&](double one) { return one <= most; });
    };
    sums[0].add(static_cast<double>(right(of_prediction) + right(of_truth)) /
                static_cast<double>(of_prediction.size() + of_truth.size()));
  }

  double tolerance_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::metric<SurfaceDice, SurfaceDiceOptions>(
                            "surface_dice", "Share of the surfaces of masks that agree within a tolerance (NSD)."))
