// A component of every kind whose interface needs LibTorch, as far as reading a spec sees it: whole specs are checked
// without LibTorch in the process. None of them can be built.
#include <sectile/component.h>
#include <sectile/dataset.h>

namespace {

struct ModelOptions {
  sectile::Ref<sectile::Backbone> backbone{"part_backbone"};
  std::vector<int> widths{16, 32};
  void declare(sectile::Options& options) {
    options.add("backbone", &backbone, "What finds features.");
    options.add("widths", &widths, "Channels of each stage.").at_least(1).not_empty();
  }
};

struct LossOptions {
  double smooth = 1;
  void declare(sectile::Options& options) { options.add("smooth", &smooth, "Added to both terms.").at_least(0); }
};

struct DatasetOptions {
  std::filesystem::path root;
  void declare(sectile::Options& options) { options.add("root", &root, "Folder of the images.").required(); }
};

std::shared_ptr<void> refuse(const void*, const sectile::BuildContext&) {
  throw sectile::PluginError("part", "is only there to be described");
}

template <class Interface, class OwnOptions = sectile::NoOptions>
constexpr sectile::Component part(const char* name) {
  return {sectile::Kind<Interface>::name,
          name,
          "Stands for any component of its kind.",
          &sectile::kValueType<OwnOptions>,
          &sectile::kValueType<typename sectile::Kind<Interface>::Common>,
          &refuse};
}

}  // namespace

SECTILE_PLUGIN("0.1.0", part<sectile::Model, ModelOptions>("part_model"), part<sectile::Backbone>("part_backbone"),
               part<sectile::Loss, LossOptions>("part_loss"), part<sectile::Metric>("part_metric"),
               part<sectile::Optimizer>("part_optimizer"), part<sectile::Dataset, DatasetOptions>("part_dataset"))
