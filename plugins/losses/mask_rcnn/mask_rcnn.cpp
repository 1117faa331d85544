// The losses of Mask R-CNN (He et al. 2017, arXiv:1703.06870) and Faster R-CNN, with torchvision's numbers: of where
// objects may be (objectness, rpn_box), of what they are and where (classifier, box), and of their masks.
#include <ATen/ops/binary_cross_entropy_with_logits.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/smooth_l1_loss.h>

#include <sectile/loss.h>

namespace {

constexpr double kBeta = 1. / 9;  // where the loss of boxes becomes linear

struct MaskRcnnLossOptions {
  double objectness_weight = 1, rpn_box_weight = 1, classifier_weight = 1, box_weight = 1, mask_weight = 1;

  void declare(sectile::Options& options) {
    const auto add = [&](const char* name, double* weight, const char* help) {
      options.add(name, weight, help).at_least(0);
    };
    add("objectness_weight", &objectness_weight, "Weight of whether an anchor stands for an object.");
    add("rpn_box_weight", &rpn_box_weight, "Weight of the boxes that are proposed.");
    add("classifier_weight", &classifier_weight, "Weight of the objects' classes.");
    add("box_weight", &box_weight, "Weight of the objects' boxes.");
    add("mask_weight", &mask_weight, "Weight of the objects' masks. Not all of the weights are 0.");
  }
  void check(sectile::Problems& problems) const {
    if (objectness_weight + rpn_box_weight + classifier_weight + box_weight + mask_weight == 0)
      problems.add("mask_weight",
                   "is 0, as all other weights are: nothing would be learned; expected at least one weight above 0");
  }
};

class MaskRcnnLoss final : public sectile::Loss {
 public:
  explicit MaskRcnnLoss(const MaskRcnnLossOptions& options) : options_(options) {}

  sectile::LossTerms operator()(const sectile::Outputs& outputs, const sectile::Batch&) const override {
    const auto objectness = wide(outputs.at("rpn/objectness")), classes = wide(outputs.at("box/logits"));
    const auto &anchors = outputs.at("rpn/labels"), &labels = outputs.at("box/labels");
    sectile::LossTerms terms{
        {"objectness", options_.objectness_weight *
                           at::binary_cross_entropy_with_logits(objectness, anchors.to(objectness.scalar_type()))},
        {"rpn_box", options_.rpn_box_weight * boxes(outputs, "rpn", anchors.numel())},
        {"classifier",
         options_.classifier_weight * (labels.numel() == 0 ? classes.sum() : at::cross_entropy_loss(classes, labels))},
        {"box", options_.box_weight * boxes(outputs, "box", labels.numel())}};
    if (const auto masks = outputs.named.find("mask/logits"); masks != outputs.named.end()) {
      const auto logits = wide(masks->second), targets = outputs.at("mask/targets").to(logits.scalar_type());
      // Without an object there is nothing to learn of masks.
      terms.push_back(
          {"mask", options_.mask_weight *
                       (logits.numel() == 0 ? logits.sum() : at::binary_cross_entropy_with_logits(logits, targets))});
    }
    return terms;
  }
  bool reads_values() const override { return true; }

 private:
  static at::Tensor wide(const at::Tensor& tensor) {
    return tensor.scalar_type() == at::kDouble ? tensor : tensor.to(at::kFloat);
  }
  static at::Tensor boxes(const sectile::Outputs& outputs, const std::string& name, std::int64_t count) {
    const auto deltas = wide(outputs.at(name + "/deltas"));
    return at::smooth_l1_loss(deltas, outputs.at(name + "/targets").to(deltas.scalar_type()), at::Reduction::Sum,
                              kBeta) /
           std::max<std::int64_t>(count, 1);
  }

  MaskRcnnLossOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::loss<MaskRcnnLoss, MaskRcnnLossOptions>("mask_rcnn",
                                                                         "The losses of Mask R-CNN and Faster R-CNN."))
