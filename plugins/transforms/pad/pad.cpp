// Pads images to a size or a multiple of a number. Never crops.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <sectile/error.h>
#include <sectile/transform.h>

namespace {

constexpr int kUsualDivisor = 32;  // of encoders with five downsampling steps

enum class Position { start, center, end };

struct PadOptions {
  std::vector<int> size;
  std::optional<int> divisor;
  Position position = Position::start;
  std::vector<double> fill = {0};
  std::string label_fill;

  void declare(sectile::Options& options) {
    options
        .add("size", &size,
             "Minimum size: [height, width] in pixels, or [depth, height, width] for volumes. Larger images are not "
             "changed. Default: none.")
        .at_least(1);
    options
        .add("divisor", &divisor,
             "Pad height and width (and depth, for volumes) to multiples of this. Default: 32, or 1 if size is set.")
        .at_least(1);
    options.add("position", &position, "Position of the image: start (top left), center, or end (bottom right).")
        .one_of({"start", "center", "end"});
    options
        .add("fill", &fill, "Pixel value of the padding: one number for all channels, or a list with one per channel.")
        .at_least(-1e9)
        .at_most(1e9)
        .also_single()
        .not_empty();
    options.add("label_fill", &label_fill, "Class of the padding. Default: ignored.");
  }
  void check(sectile::Problems& problems) const {
    if (!size.empty() && size.size() != 2 && size.size() != 3)
      problems.add("size", "has " + std::to_string(size.size()) +
                               " values; expected [height, width] or [depth, "
                               "height, width]");
  }
};

class Pad final : public sectile::GeometricTransform {
 public:
  Pad(const PadOptions& options, const sectile::BuildContext& context) : options_(options) {
    if (!options.label_fill.empty())
      label_fill_ = static_cast<std::int16_t>(context.class_number(options.label_fill, "label_fill"));
  }

 protected:
  sectile::Warp warp(const sectile::Sample& sample, sectile::Draw&) const override {
    const sectile::Extent from = sectile::extent(sample.image);
    const auto& size = options_.size;
    const bool volume = sample.image.dims == 3;
    if (size.size() == 3 && !volume)
      throw sectile::DataError(sample.id, "is an image, and pad's \"size\" has a depth: give [height, width]");
    const sectile::Extent to{volume ? padded(from.depth, size.size() == 3 ? size[0] : 0) : 1,
                             padded(from.height, size.empty() ? 0 : size.end()[-2]),
                             padded(from.width, size.empty() ? 0 : size.end()[-1])};
    sectile::Warp warp = sectile::Warp::crop(before(from.width, to.width), before(from.height, to.height),
                                             before(from.depth, to.depth), to);
    warp.image_fill = options_.fill;
    warp.label_fill = label_fill_;
    return warp;
  }

 private:
  int padded(int length, int least) const {
    const int wanted = std::max(length, least);
    const int divisor = options_.divisor.value_or(options_.size.empty() ? kUsualDivisor : 1);
    return (wanted + divisor - 1) / divisor * divisor;
  }
  int before(int length, int padded) const {  // negative: the result starts outside the image
    const int border = padded - length;
    return options_.position == Position::start ? 0 : options_.position == Position::center ? -(border / 2) : -border;
  }

  PadOptions options_;
  std::int16_t label_fill_ = sectile::kIgnore;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<Pad, PadOptions>("pad", "Adds a border up to a size or a multiple."))
