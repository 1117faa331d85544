// The kinds of component: their names in a spec, and the options common to all components of a kind.
// Part of the ground floor, so that specs are read and checked without LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <sectile/abi.h>

namespace sectile {

class Options;
class Problems;
class SECTILE_EXPORT Backbone;
class SECTILE_EXPORT Dataset;
class SECTILE_EXPORT Loss;
class SECTILE_EXPORT Metric;
class SECTILE_EXPORT Model;
class SECTILE_EXPORT Optimizer;
class SECTILE_EXPORT Sampler;
class SECTILE_EXPORT Schedule;
class SECTILE_EXPORT Transform;

// For a kind without common options, and a component without options of its own.
struct NoOptions {
  void declare(Options&) {}
};

enum class WeightsChannels { rgb, bgr };  // of the images that weights were trained on

template <class Interface>
struct Kind;

template <>
struct Kind<Dataset> {
  static constexpr const char* name = "dataset";
  using Common = NoOptions;
};
template <>
struct Kind<Transform> {
  static constexpr const char* name = "transform";
  using Common = NoOptions;
};
template <>
struct Kind<Model> {
  static constexpr const char* name = "model";
  struct SECTILE_EXPORT Common {
    std::filesystem::path weights;
    std::string weights_key;
    bool weights_strict = true;
    WeightsChannels weights_channels = WeightsChannels::rgb;
    void declare(Options& options);
    void check(Problems& problems) const;
  };
};
template <>
struct Kind<Backbone> {
  static constexpr const char* name = "backbone";
  struct SECTILE_EXPORT Common {
    std::filesystem::path weights;
    std::string weights_key;
    bool weights_strict = true;
    WeightsChannels weights_channels = WeightsChannels::rgb;
    int freeze = 0;  // how many stages, by WeightRules::depth
    void declare(Options& options);
    void check(Problems& problems) const;
  };
};
template <>
struct Kind<Loss> {
  static constexpr const char* name = "loss";
  struct SECTILE_EXPORT Common {
    double weight = 1;              // of all its terms
    std::vector<double> auxiliary;  // one per Outputs::auxiliary; one value: for all; empty: the model's own
    std::string output;             // a name in Outputs::named; empty: the logits
    std::string target;             // a name in Batch::targets; empty: the labels
    void declare(Options& options);
  };
};
template <>
struct Kind<Metric> {
  static constexpr const char* name = "metric";
  using Common = NoOptions;
};

template <>
struct Kind<Optimizer> {
  static constexpr const char* name = "optimizer";
  struct SECTILE_EXPORT Common {
    struct SECTILE_EXPORT Group {
      std::string match;  // a pattern for whole parameter names, with * and ?
      double lr_scale = 1;
      std::optional<bool> decay;
      std::optional<bool> freeze;
      void declare(Options& options);
    };
    double lr = 1e-3;          // for parameter groups with scale 1, before the schedule's factor
    double layer_decay = 1;    // by WeightRules::depth
    double head_lr_scale = 1;  // by WeightRules::head
    bool decay_norms = false;
    std::vector<Group> groups;
    void declare(Options& options);
  };
};
template <>
struct Kind<Schedule> {
  static constexpr const char* name = "schedule";
  struct SECTILE_EXPORT Common {
    enum class By { step, epoch };
    std::int64_t warmup = 0;              // steps
    std::optional<double> warmup_factor;  // at the first step
    By by = By::step;
    void declare(Options& options);
  };
};

template <>
struct Kind<Sampler> {
  static constexpr const char* name = "sampler";
  struct SECTILE_EXPORT Common {
    std::optional<std::int64_t> samples;  // per epoch; none: set by the sampler
    void declare(Options& options);
  };
};

constexpr const char* kKinds[] = {"dataset", "transform", "sampler",  "model", "backbone",
                                  "loss",    "optimizer", "schedule", "metric"};

}  // namespace sectile
