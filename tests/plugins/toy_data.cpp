// Drawn data with every kind of annotation, few-shot episodes over any dataset, and one transform of each sort.
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include <sectile/dataset.h>
#include <sectile/sampler.h>
#include <sectile/transform.h>

namespace {

using sectile::Sample;

struct ShapesOptions {
  enum class Truth { full, regions, tags, none };
  std::int64_t count = 4;
  std::array<int, 2> size = {24, 32};  // height, width; image i is i pixels wider
  std::optional<int> depth;
  int channels = 3;
  Truth truth = Truth::full;
  bool edges = false;

  void declare(sectile::Options& options) {
    options.add("count", &count, "Images.").at_least(0);
    options.add("size", &size, "Height and width of the first.").at_least(8);
    options.add("depth", &depth, "Makes volumes.").at_least(1);
    options.add("channels", &channels, "Of each image.").at_least(1).at_most(512);
    options.add("truth", &truth, "What is annotated.").one_of({"full", "regions", "tags", "none"});
    options.add("edges", &edges, "Adds the target \"edges\": 1 where an object ends.");
  }
};

// A bright box (class 1) and a dark disc (class 2) on grey ground (class 0).
class Shapes final : public sectile::Dataset {
 public:
  explicit Shapes(const ShapesOptions& options) : options_(options) {
    if (options.truth == ShapesOptions::Truth::regions) {
      labels_.overlapping = true;
      labels_.classes = {{.name = "any"}, {.name = "box", .category_id = 1}};
    } else {
      labels_.classes = {{.name = "ground"},
                         {.name = "box", .thing = true, .category_id = 1},
                         {.name = "disc", .thing = true, .category_id = 2}};
    }
  }
  std::size_t size() const override { return static_cast<std::size_t>(options_.count); }
  const sectile::LabelMap& labels() const override { return labels_; }

  Sample read(std::size_t index, sectile::Parts) const override {
    sectile::Random random{7, index};
    const int height = options_.size[0], width = options_.size[1] + static_cast<int>(index);
    cv::Mat box(height, width, CV_8U, cv::Scalar(0)), disc = box.clone();
    const cv::Rect where(int(random.below(width / 3)), int(random.below(height / 3)), width / 3, height / 3);
    box(where) = 1;
    cv::circle(disc, {width * 3 / 4, height * 3 / 4}, height / 6, cv::Scalar(1), cv::FILLED);
    disc.setTo(0, box);

    Sample sample;
    sample.id = "shape" + std::to_string(index);
    cv::Mat grey(height, width, CV_8U, cv::Scalar(120)), labels(height, width, CV_16S, cv::Scalar(0)),
        ids(height, width, CV_32S, cv::Scalar(1));
    grey.setTo(230, box), grey.setTo(20, disc);
    labels.setTo(1, box), labels.setTo(2, disc);
    ids.setTo(2, box), ids.setTo(3, disc);
    sample.image = channels(grey);
    if (options_.depth) {
      sample.image = volume(sample.image), sample.labels = volume(labels);
      return sample;
    }
    if (options_.edges) {
      cv::Mat smaller, edges(height, width, CV_32F, cv::Scalar(0));
      cv::erode(box | disc, smaller, cv::Mat());
      edges.setTo(1, (box | disc) & (1 - smaller));
      sample.targets["edges"] = edges;
    }
    switch (options_.truth) {
      case ShapesOptions::Truth::none:
        break;
      case ShapesOptions::Truth::tags:
        sample.tags = {0, 1, 2};
        break;
      case ShapesOptions::Truth::regions: {
        cv::Mat any = (box | disc), parts[2];
        any.convertTo(parts[0], CV_32F), box.convertTo(parts[1], CV_32F);
        cv::merge(parts, 2, sample.labels);
        break;
      }
      case ShapesOptions::Truth::full:
        sample.labels = labels, sample.segment_ids = ids;
        sample.instances.push_back({.category = 1, .box = cv::Rect2f(where), .mask = sectile::Mask(box), .id = 2});
        sample.instances.push_back(
            {.category = 2, .box = sectile::Mask(disc).box(), .mask = sectile::Mask(disc), .id = 3});
        sample.segments = {{.id = 1, .category = 0}, {.id = 2, .category = 1}, {.id = 3, .category = 2}};
    }
    return sample;
  }

 private:
  cv::Mat channels(const cv::Mat& grey) const {
    cv::Mat many;
    cv::merge(std::vector<cv::Mat>(static_cast<std::size_t>(options_.channels), grey), many);
    return many;
  }
  cv::Mat volume(const cv::Mat& slice) const {
    const int sizes[] = {*options_.depth, slice.rows, slice.cols};
    cv::Mat result(3, sizes, slice.type());
    for (int z = 0; z < sizes[0]; ++z) std::memcpy(result.ptr(z), slice.data, slice.total() * slice.elemSize());
    return result;
  }

  ShapesOptions options_;
  sectile::LabelMap labels_;
};

struct EpisodesOptions {
  sectile::Ref<sectile::Dataset> data;
  int shots = 2;
  int category = 1;
  void declare(sectile::Options& options) {
    options.add("data", &data, "Where images come from.").required();
    options.add("shots", &shots, "Support images of each query.").at_least(1);
    options.add("category", &category, "The class to find.").at_least(0);
  }
};

// Query i with the next images as its support; the labels are background and object.
class Episodes final : public sectile::Dataset {
 public:
  Episodes(const EpisodesOptions& options, const sectile::BuildContext& context)
      : options_(options), data_(options.data.build(context)) {
    labels_.classes = {{.name = "background"}, {.name = "object", .thing = true}};
  }
  std::size_t size() const override { return data_->size(); }
  const sectile::LabelMap& labels() const override { return labels_; }
  Sample read(std::size_t index, sectile::Parts) const override {
    Sample query = binary(index);
    for (int shot = 1; shot <= options_.shots; ++shot)
      query.support.push_back(binary((index + static_cast<std::size_t>(shot)) % size()));
    return query;
  }

 private:
  Sample binary(std::size_t index) const {
    Sample sample = data_->read(index, {});
    cv::Mat object = sample.labels == options_.category;
    object.convertTo(sample.labels, CV_16S, 1.0 / 255);
    sample.instances.clear(), sample.segment_ids = cv::Mat(), sample.segments.clear();
    return sample;
  }

  EpisodesOptions options_;
  std::shared_ptr<sectile::Dataset> data_;
  sectile::LabelMap labels_;
};

struct RecordsOptions {
  std::vector<std::string> ids;
  int channels = 3;
  void declare(sectile::Options& options) {
    options.add("ids", &ids, "One image each; those with \"damaged\" in it cannot be read.").required();
    options.add("channels", &channels, "Of each image.").at_least(1).at_most(512);
  }
};

// 16-bit images that are in no file, with neither classes nor labels: those of a test set.
class Records final : public sectile::Dataset {
 public:
  explicit Records(const RecordsOptions& options) : options_(options) {}
  std::size_t size() const override { return options_.ids.size(); }
  const sectile::LabelMap& labels() const override { return labels_; }
  Sample read(std::size_t index, sectile::Parts wanted) const override {
    Sample sample;
    sample.id = options_.ids[index];
    if (wanted.labels || wanted.objects) throw sectile::DataError(sample.id, "has no annotation");
    if (!wanted.image) return sample;
    if (sample.id.find("damaged") != std::string::npos) throw sectile::DataError(sample.id, "is damaged");
    sample.image = cv::Mat(20 + static_cast<int>(index), 30, CV_16UC(options_.channels));
    cv::RNG random(index + 1);
    random.fill(sample.image, cv::RNG::UNIFORM, 0, 256);
    return sample;
  }

 private:
  RecordsOptions options_;
  sectile::LabelMap labels_;
};

struct FlipOptions {
  enum class Axis { x, y, z };
  Axis axis = Axis::x;
  double probability = 0.5;
  void declare(sectile::Options& options) {
    options.add("axis", &axis, "Which one is mirrored.").one_of({"x", "y", "z"});
    options.add("probability", &probability, "Of flipping.").at_least(0).at_most(1);
  }
};

class Flip final : public sectile::GeometricTransform {
 public:
  explicit Flip(const FlipOptions& options) : options_(options) {}

 protected:
  sectile::Warp warp(const Sample& sample, sectile::Draw& draw) const override {
    const auto size = sectile::extent(sample.image);
    return draw.random.chance(options_.probability) ? sectile::Warp::flip(size, static_cast<int>(options_.axis))
                                                    : sectile::Warp::crop(0, 0, 0, size);
  }

 private:
  FlipOptions options_;
};

struct SizeOptions {
  std::array<int, 2> size = {16, 16};
  void declare(sectile::Options& options) { options.add("size", &size, "Height and width of the result.").at_least(1); }
};

class Resize final : public sectile::GeometricTransform {
 public:
  explicit Resize(const SizeOptions& options) : options_(options) {}

 protected:
  sectile::Warp warp(const Sample& sample, sectile::Draw&) const override {
    const auto from = sectile::extent(sample.image);
    return sectile::Warp::resize(from, {from.depth, options_.size[0], options_.size[1]});
  }

 private:
  SizeOptions options_;
};

class Wobble final : public sectile::GeometricTransform {
 protected:
  sectile::Warp warp(const Sample& sample, sectile::Draw& draw) const override {
    sectile::Warp warp;
    warp.size = sectile::extent(sample.image);
    warp.displacement = cv::Mat(warp.size.height, warp.size.width, CV_32FC3);
    for (auto it = warp.displacement.begin<cv::Vec3f>(); it != warp.displacement.end<cv::Vec3f>(); ++it)
      *it = {float(draw.random.uniform(-1, 1)), float(draw.random.uniform(-1, 1)), 0};
    return warp;
  }
};

// Pastes the objects of another image: instances, labels and segments stay consistent.
class CopyPaste final : public sectile::Transform {
 public:
  void apply(Sample& sample, sectile::Draw& draw) const override {
    Sample other = draw.another();
    sectile::apply(sectile::Warp::crop(0, 0, 0, sectile::extent(sample.image)), other);
    for (auto& pasted : other.instances) {
      const cv::Mat on = pasted.mask.bitmap();
      for (auto& under : sample.instances) {
        cv::Mat left = under.mask.bitmap().clone();
        left.setTo(0, on);
        under.mask = sectile::Mask(left), under.box = under.mask.box();
      }
      other.image.copyTo(sample.image, on);
      sample.labels.setTo(pasted.category, on);
      pasted.id += 1000;
      sample.segment_ids.setTo(cv::Scalar(double(pasted.id)), on);
      sample.segments.push_back({.id = static_cast<std::int32_t>(pasted.id), .category = pasted.category});
      sample.instances.push_back(std::move(pasted));
    }
    std::erase_if(sample.instances, [](const auto& instance) { return instance.box.empty(); });
    std::erase_if(sample.segments,
                  [&](const auto& segment) { return cv::countNonZero(sample.segment_ids == segment.id) == 0; });
  }
};

struct MixupOptions {
  double alpha = 0.3;
  void declare(sectile::Options& options) {
    options.add("alpha", &alpha, "Largest share of the other image.").at_least(0).at_most(1);
  }
};

// Soft labels are labels per class. Objects cannot be mixed: they are refused.
class Mixup final : public sectile::Transform {
 public:
  Mixup(const MixupOptions& options, const sectile::BuildContext& context)
      : alpha_(options.alpha), classes_(static_cast<int>(context.labels->classes.size())), task_(context.task) {
    if (task_ != sectile::Task::semantic)
      throw sectile::SpecError("/task", "mixup mixes labels, not objects: only for the semantic task");
  }
  void apply(Sample& sample, sectile::Draw& draw) const override {
    Sample other = draw.another();
    sectile::apply(sectile::Warp::crop(0, 0, 0, sectile::extent(sample.image)), other);
    const double share = draw.random.uniform(0, alpha_);
    cv::addWeighted(sample.image, 1 - share, other.image, share, 0, sample.image);
    cv::addWeighted(soft(sample.labels), 1 - share, soft(other.labels), share, 0, sample.labels);
    sample.instances.clear(), sample.segments.clear(), sample.segment_ids = cv::Mat();
  }

 private:
  cv::Mat soft(const cv::Mat& labels) const {
    if (labels.depth() == CV_32F) return labels;
    std::vector<cv::Mat> planes(static_cast<std::size_t>(classes_));
    for (int c = 0; c < classes_; ++c)
      cv::Mat(labels == c).convertTo(planes[static_cast<std::size_t>(c)], CV_32F, 1.0 / 255);
    cv::Mat merged;
    cv::merge(planes, merged);
    return merged;
  }

  double alpha_;
  int classes_;
  sectile::Task task_;
};

// In the data's order, and the first sample once more in place of the last.
class Twice final : public sectile::Sampler {
 public:
  std::vector<std::size_t> draw(const sectile::EpochRequest& wanted, sectile::Random) const override {
    std::vector<std::size_t> indexes(wanted.samples);
    for (std::size_t i = 0; i < indexes.size(); ++i) indexes[i] = i % wanted.available;
    indexes.back() = 0;
    return indexes;
  }
};

// The first channel is a random number of the batch, the second one of the sample.
class OfBatch final : public sectile::Transform {
 public:
  void apply(Sample& sample, sectile::Draw& draw) const override {
    const auto shared = draw.batch.below(256), own = draw.random.below(256);
    sample.image = cv::Mat(sample.image.size(), CV_8UC3, cv::Scalar(double(shared), double(own), 0));
  }
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::dataset<Shapes, ShapesOptions>("toy_shapes", "Drawn boxes and discs."),
               sectile::dataset<Episodes, EpisodesOptions>("toy_episodes", "Few-shot episodes over another dataset."),
               sectile::dataset<Records, RecordsOptions>("toy_records", "Images without files and annotation."),
               sectile::transform<Flip, FlipOptions>("toy_flip", "Mirrors along one axis."),
               sectile::transform<Resize, SizeOptions>("toy_resize", "To an exact size."),
               sectile::transform<Wobble>("toy_wobble", "A random displacement of every pixel."),
               sectile::transform<CopyPaste>("toy_copy_paste", "Pastes the objects of another image."),
               sectile::transform<Mixup, MixupOptions>("toy_mixup", "Blends two images and their labels."),
               sectile::transform<OfBatch>("toy_of_batch", "Shows the random numbers of the batch and of the sample."),
               sectile::sampler<Twice>("toy_twice", "Draws the first sample twice."))
