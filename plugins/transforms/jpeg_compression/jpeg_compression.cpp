// Artifacts of JPEG or WebP, of random quality, as in albumentations' ImageCompression; but that takes red for blue, so
// that its colors have other artifacts than those of files, which these are.
#include <array>

#include <sectile/transform.h>
#include <sectile/transforms/lossy_compression.h>

namespace {

struct JpegCompressionOptions {
  std::array<int, 2> quality_range = {99, 100};
  sectile::LossyFormat compression_type = sectile::LossyFormat::jpeg;
  double probability = 0.5;

  void declare(sectile::Options& options) {
    options
        .add("quality_range", &quality_range,
             "[min, max] quality, from 1 (strong artifacts) to 100 (almost none). Files often have 75 to 95.")
        .at_least(1)
        .at_most(100);
    options
        .add("compression_type", &compression_type,
             "jpeg, or webp, whose artifacts are smoother. Both take 8-bit images, gray or RGB, and volumes slice by "
             "slice.")
        .one_of({"jpeg", "webp"});
    options.add("probability", &probability, "Probability of applying the transform.").at_least(0).at_most(1);
  }
  void check(sectile::Problems& problems) const {
    if (quality_range[0] > quality_range[1]) problems.add("quality_range", "the minimum is greater than the maximum");
  }
};

class JpegCompression final : public sectile::Transform {
 public:
  explicit JpegCompression(const JpegCompressionOptions& options) : options_(options) {}

  void apply(sectile::Sample& sample, sectile::Draw& draw) const override {
    if (sample.image.empty()) return;  // only the annotation was read
    // Before chance is asked, so that what cannot be taken is refused at the first sample.
    sectile::demand_compressible(sample.image, options_.compression_type, sample.id);
    if (!draw.random.chance(options_.probability)) return;
    const auto& [least, most] = options_.quality_range;
    const int quality = least + static_cast<int>(draw.random.below(most - least + 1));
    sample.image = sectile::after_compression(sample.image, options_.compression_type, quality, sample.id);
  }

 private:
  JpegCompressionOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<JpegCompression, JpegCompressionOptions>(
                            "jpeg_compression", "Compresses the image as JPEG or WebP, and decodes it."))
