// Average symmetric surface distance, equal to MONAI 1.6 (compute_average_surface_distance with symmetric=True) or to
// medpy 0.5 (assd), except where a mask is empty: MONAI's NaN is left out of its means, and medpy fails.
#include <limits>
#include <optional>

#include <sectile/surface_metric.h>

namespace {

using sectile::MetricReport;

enum class MeanOf { pooled, directed };

struct AssdOptions : sectile::SpacingOptions {
  MeanOf convention = MeanOf::pooled;
  std::optional<double> penalty{};

  void declare(sectile::Options& options) {
    options
        .add("convention", &convention,
             "monai: the mean of all distances, from truth to prediction and from prediction to truth. medpy: the mean "
             "of the two directions' means, where both weigh the same however many pixels their surfaces have.")
        .one_of({"monai", "medpy"});
    options
        .add("penalty", &penalty,
             "Distance that counts for a class that has pixels in only one of truth and prediction, in millimetres or "
             "pixels; for example the diagonal of the images. Not given: infinite.")
        .at_least(0);
    SpacingOptions::declare(options);
  }
};

double total(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum;
}

class Assd final : public sectile::SurfaceMetric {
 public:
  Assd(const AssdOptions& options, const sectile::BuildContext& context)
      : SurfaceMetric("assd", kSums, options, options.spacing, context), of_(options) {}

  MetricReport compute() const override {
    auto report = distances("ASSD");
    report.convention =
        std::string(of_.convention == MeanOf::pooled ? "The mean of both directions' distances together (MONAI)"
                                                     : "The mean of the two directions' mean distances (medpy)")
            .append(
                " between surfaces, which are the pixels of a mask with a 4-neighbour (6 in volumes) outside it; "
                "beyond the border of the image is outside. Distances in millimetres, or in pixels where no "
                "spacing is known. Ignored pixels leave both masks first. Per image and class, then the mean over "
                "images, then over classes. A class in neither mask is left out; in one only, it is missed, and "
                "its distance ")
            .append(of_.penalty ? "is the penalty of " + std::to_string(*of_.penalty)
                                : "is infinite, and so is the mean")
            .append("; \"found\" are means without missed ones.");
    return report;
  }

 private:
  enum Sum { kAll, kFound, kSums };  // as distances() has them

  void add(const sectile::MaskPair& masks, std::span<sectile::ExactSum> sums) const override {
    if (!masks.in_truth || !masks.in_prediction) {
      sums[kAll].add(of_.penalty.value_or(std::numeric_limits<double>::infinity()));
      return;
    }
    const auto [of_prediction, of_truth] = surface_distances(masks, masks.spacing);
    const auto predicted = static_cast<double>(of_prediction.size()), expected = static_cast<double>(of_truth.size());
    const double distance = of_.convention == MeanOf::pooled
                                ? (total(of_prediction) + total(of_truth)) / (predicted + expected)
                                : (total(of_prediction) / predicted + total(of_truth) / expected) / 2;
    sums[kAll].add(distance), sums[kFound].add(distance);
  }

  AssdOptions of_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::metric<Assd, AssdOptions>(
                            "assd", "Average symmetric distance between the surfaces of masks (ASSD, ASD)."))
