// Options common to all components of a kind, and key functions of the kinds without LibTorch: each interface has one
// vtable and one typeinfo, shared by all plugins.
#include <sectile/kind.h>
#include <sectile/sampler.h>
#include <sectile/schedule.h>
#include <sectile/transform.h>

namespace sectile {
namespace {

template <class Common>
void declare_weights(Options& options, Common& common) {
  options.add("weights", &common.weights,
              "Weights file to load before training: of torch.save, TorchScript or safetensors, an index of several "
              "files, or a folder of Hugging Face.");
  options.add(
      "weights_key", &common.weights_key,
      "Dictionary of the weights file that holds the weights, such as \"state_dict\", or \"model/ema\" of one in "
      "another. Default: the first one of a usual name, or the whole file.");
  options.add("weights_strict", &common.weights_strict,
              "Require the weights file to match: every parameter must be in the file, and nothing else, except what "
              "the network allows, such as a head for other classes. With false, missing parameters keep their initial "
              "values, unknown ones are ignored, and a note lists both.");
  options
      .add(
          "weights_channels", &common.weights_channels,
          "Order of the channels of the images that the weights were trained on. With \"bgr\", as of Caffe and OpenCV, "
          "the input channels of the first convolution are reversed while loading, and the images stay RGB: give "
          "\"normalize\" its mean and standard deviation in the order R, G, B.")
      .one_of({"rgb", "bgr"});
}

template <class Common>
void check_weights(const Common& common, Problems& problems) {
  if (common.weights_channels == WeightsChannels::bgr && common.weights.empty())
    problems.add("weights_channels", "is \"bgr\", and there are no \"weights\" to load; remove it");
}

}  // namespace

Sampler::~Sampler() = default;
Schedule::~Schedule() = default;
Transform::~Transform() = default;

void Kind<Model>::Common::declare(Options& options) { declare_weights(options, *this); }
void Kind<Model>::Common::check(Problems& problems) const { check_weights(*this, problems); }
void Kind<Backbone>::Common::check(Problems& problems) const { check_weights(*this, problems); }
void Kind<Backbone>::Common::declare(Options& options) {
  declare_weights(options, *this);
  options
      .add("freeze", &freeze,
           "Number of stages to freeze, counted from the stem. Frozen stages keep their weights and batch norm "
           "statistics.")
      .at_least(0);
}
void Kind<Loss>::Common::declare(Options& options) {
  options.add("weight", &weight, "Weight of this loss in the total.").at_least(0);
  options
      .add("auxiliary", &auxiliary,
           "Weights of this loss on the model's auxiliary outputs: one number for all, or a list with one per output. "
           "Default: set by the model, usually 0.4.")
      .at_least(0)
      .also_single();
  options.add("output", &output,
              "Model output to apply the loss to, such as a second head. Default: the class logits.");
  options.add("target", &target, "Target to compare with, such as an edge map. Default: the labels.");
}
void Kind<Sampler>::Common::declare(Options& options) {
  options.add("samples", &samples,
              "Samples per epoch. Default: set by the sampler, usually the whole dataset.")
      .at_least(1)
      .at_most(100'000'000);  // the indexes are kept in memory
}

void Kind<Optimizer>::Common::declare(Options& options) {
  options.add("lr", &lr, "Base learning rate. The schedule multiplies it.").at_least(0);
  options
      .add("layer_decay", &layer_decay,
           "Layer-wise learning rate decay: each stage's learning rate is this factor times that of the next stage "
           "(0.65 to 0.9 when fine-tuning a pretrained transformer). 1 turns it off. Needs a model with stages.")
      .at_least(0)
      .at_most(1);
  options
      .add("head_lr_scale", &head_lr_scale,
           "Learning rate multiplier for the head, such as 10 with a pretrained backbone.")
      .at_least(0);
  options.add("decay_norms", &decay_norms, "Apply weight decay to norm layers and biases too.");
  options.add("groups", &groups,
              "Per-parameter settings, by name. If several rules match, the last one wins; learning rate multipliers "
              "are multiplied.");
}
void Kind<Optimizer>::Common::Group::declare(Options& options) {
  options
      .add("match", &match,
           "Parameter names as in the checkpoint, with the wildcards * and ?: \"encoder.*\", \"*.bias\".")
      .required()
      .not_empty();
  options.add("lr_scale", &lr_scale, "Learning rate multiplier.").at_least(0);
  options.add("decay", &decay, "Apply weight decay. Default: as without this rule.");
  options.add("freeze", &freeze,
              "Freeze the parameters, and the statistics of their batch norms; false trains parameters that an earlier "
              "rule or the backbone's \"freeze\" froze. Default: as without this rule.");
}
void Kind<Schedule>::Common::declare(Options& options) {
  options.add("warmup", &warmup, "Number of warmup steps: the learning rate rises linearly to the schedule's value.")
      .at_least(0);
  options
      .add("warmup_factor", &warmup_factor, "Learning rate factor at the first warmup step. Default: 1 / (warmup + 1).")
      .at_least(0)
      .at_most(1);
  options.add("by", &by, "Update the schedule every step or every epoch. Warmup is always in steps.")
      .one_of({"step", "epoch"});
}

}  // namespace sectile
