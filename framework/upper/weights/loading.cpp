#include "loading.h"

#include <algorithm>
#include <compare>
#include <optional>
#include <set>
#include <utility>

#include <c10/core/GradMode.h>

#include <torch/nn/module.h>

#include <sectile/error.h>

#include "each_role.h"
#include "files/mapped_file.h"
#include "loading_messages.h"
#include "wrapped_names.h"

namespace sectile {
namespace {

using Names = std::vector<std::string>;

constexpr const char* kCounter = "num_batches_tracked";
constexpr const char* kAverages = "n_averaged";  // how many weights torch.optim.swa_utils.AveragedModel has averaged

std::string layer_of(const std::string& name) { return name.substr(0, name.find_last_of('.') + 1); }

// Rules for the tensors of a network.
class Network {
 public:
  explicit Network(torch::nn::Module& module) : tensors(state_dict(module)) {
    each<WeightRules>(module, [&](const std::string& prefix, WeightRules& rules) {
      rules_.emplace_back(prefix, &rules);
      for (const auto& name : rules.head()) heads_.push_back(prefix + name);
      for (const auto& name : rules.optional_layers()) optional_.push_back(prefix + name);
      for (const auto& name : rules.image_convs()) image_convs.push_back(prefix + name);
      for (const auto& name : rules.transient_buffers()) transient_.insert(prefix + name);
    });
    // Rules of inner modules take precedence.
    std::stable_sort(rules_.begin(), rules_.end(),
                     [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
  }

  // The file's tensor in the shape of the network's tensor of that name; undefined if there is no rule for it.
  at::Tensor adapted(const std::string& name, const at::Tensor& theirs) const {
    const auto wanted = tensors.at(name).sizes();
    if (name.ends_with(kCounter) && theirs.numel() == 1) return theirs.reshape({});  // some tools save [1]
    if (is_image_conv(name) && theirs.dim() == tensors.at(name).dim()) {
      const auto made = adapt_input_channels(theirs, wanted[1]);
      if (made.defined() && made.sizes() == wanted) return made;
    }
    for (const auto& [prefix, rules] : rules_) {
      if (!name.starts_with(prefix)) continue;
      const auto made = rules->adapt(name.substr(prefix.size()), theirs, wanted);
      if (made.defined() && made.sizes() == wanted) return made;
    }
    return {};
  }
  bool is_head(const std::string& name) const { return is_of(heads_, name); }
  bool is_optional(const std::string& name) const { return is_of(optional_, name); }
  bool is_unneeded(const std::string& name) const {
    return is_optional(name) || transient_.count(name) || name == kAverages || is_counter_of_frozen(name);
  }
  bool is_image_conv(const std::string& name) const {
    return std::find(image_convs.begin(), image_convs.end(), name) != image_convs.end();
  }
  // A head's tensor that differs only in the number of classes: the first size, or the second of tokens.
  bool of_other_classes(const std::string& name, const at::Tensor& theirs) const {
    const auto& ours = tensors.at(name);
    if (!is_head(name) || theirs.dim() == 0 || theirs.dim() != ours.dim() || !same_kind(name, theirs)) return false;
    const bool tokens = ours.dim() == 3 && ours.size(0) == 1;
    auto as_many = theirs.sizes().vec();
    const std::size_t classes = tokens ? 1 : 0;
    as_many[classes] = ours.sizes()[classes];
    return theirs.sizes() != ours.sizes() && ours.sizes() == as_many;
  }
  // Other kinds of numbers would lose information: quantized weights their scale, complex ones a part.
  bool same_kind(const std::string& name, const at::Tensor& theirs) const {
    if (name.ends_with(kCounter)) return !theirs.is_complex();  // averaging weights makes counters floating-point
    const auto kind = [](const at::Tensor& tensor) {
      return std::pair(tensor.is_floating_point(), tensor.is_complex() || tensor.scalar_type() == at::kBool);
    };
    return kind(theirs) == kind(tensors.at(name));
  }
  bool fits(const std::string& name, const at::Tensor& theirs) const {
    return same_kind(name, theirs) && (theirs.sizes() == tensors.at(name).sizes() || of_other_classes(name, theirs) ||
                                       adapted(name, theirs).defined());
  }

  bool has_weight_norm() const {
    return std::any_of(tensors.begin(), tensors.end(), [](const auto& item) {
      return item.first.ends_with("weight_g") || item.first.ends_with(".original0");
    });
  }

  const StateDict tensors;
  Names image_convs;

 private:
  // A frozen batch norm counts nothing, and the file is of one that was trained.
  bool is_counter_of_frozen(const std::string& name) const {
    return name.ends_with(kCounter) && tensors.count(layer_of(name) + "running_mean") > 0;
  }
  static bool is_of(const Names& layers, const std::string& name) {
    return std::any_of(layers.begin(), layers.end(), [&](const auto& layer) { return name.starts_with(layer); });
  }

  std::vector<std::pair<std::string, const WeightRules*>> rules_;
  Names heads_, optional_;
  std::set<std::string> transient_;
};

// How well a translation matches a file; greater is better.
struct Score {
  std::int64_t fitting = 0, named = 0, unknown = 0;  // unknown names count negatively
  std::int64_t same_shape = 0;                       // without heads of other classes, which fit too
  auto operator<=>(const Score&) const = default;
};

struct Translated {
  StateDict tensors;
  std::vector<LoadReport::Translation> translations;
  Score score;
};

// The tree of modules with dialects; the best dialect of each is found together with those of its inner modules.
class Translator {
 public:
  Translator(torch::nn::Module& module, const Network& network) : network_(network) {
    modules_.push_back({"", {{}}, {}});
    std::vector<std::pair<std::string, std::vector<Dialect>>> found;
    each<WeightRules>(module, [&](const std::string& prefix, WeightRules& rules) {
      auto dialects = rules.dialects();
      if (dialects.empty()) return;
      if (prefix.empty())
        std::move(dialects.begin(), dialects.end(), std::back_inserter(modules_[0].dialects));
      else
        found.emplace_back(prefix, std::move(dialects));
    });
    for (auto& [prefix, dialects] : found) {  // an outer module comes before those inside it
      std::size_t outer = 0;
      for (std::size_t i = 1; i < modules_.size(); ++i)
        if (prefix.starts_with(modules_[i].prefix)) outer = i;
      modules_[outer].inner.push_back(modules_.size());
      dialects.insert(dialects.begin(), Dialect{});
      modules_.push_back({prefix, std::move(dialects), {}});
    }
  }

  Translated best(const StateDict& file) const { return best(modules_[0], file); }

 private:
  struct Part {
    std::string prefix;
    std::vector<Dialect> dialects;   // the first one is the module's own names
    std::vector<std::size_t> inner;  // in modules_
  };

  // names: relative to the module
  Translated best(const Part& part, const StateDict& names) const {
    std::optional<Translated> best_one;
    for (const auto& dialect : part.dialects) {
      NamedTensors translated(names);
      Translated one;
      if (dialect.translate) {
        dialect.translate(translated);
        one.translations.push_back({part.prefix.substr(0, part.prefix.find_last_of('.')), dialect.name});
      }
      one.tensors = std::move(translated.tensors());
      for (const auto inner : part.inner) translate_inside(one, part, modules_[inner]);
      one.score = score(part.prefix, one.tensors);
      if (!best_one || one.score > best_one->score) best_one = std::move(one);
    }
    return std::move(*best_one);
  }

  void translate_inside(Translated& outer, const Part& part, const Part& inner) const {
    const auto prefix = inner.prefix.substr(part.prefix.size());
    StateDict names;
    for (const auto& [name, tensor] : outer.tensors)
      if (name.starts_with(prefix)) names.emplace(name.substr(prefix.size()), tensor);
    if (names.empty()) return;
    auto found = best(inner, names);
    std::erase_if(outer.tensors, [&](const auto& item) { return item.first.starts_with(prefix); });
    for (auto& [name, tensor] : found.tensors) outer.tensors.emplace(prefix + name, std::move(tensor));
    std::move(found.translations.begin(), found.translations.end(), std::back_inserter(outer.translations));
  }

  Score score(const std::string& prefix, const StateDict& names) const {
    Score score;
    for (const auto& [relative, tensor] : names) {
      const auto name = prefix + relative;
      const bool known = network_.tensors.count(name);
      score.fitting += known && network_.fits(name, tensor);
      score.named += known;
      score.same_shape += known && network_.tensors.at(name).sizes() == tensor.sizes();
      score.unknown -= !known;
    }
    return score;
  }

  const Network& network_;
  std::vector<Part> modules_;
};

// What wrappers of a network add to its names: DataParallel, trainers, torch.compile. The first part of most names,
// which may also be that of a module. Tensors beside the network, such as a loss's, have names without it.
std::string shared_prefix(const StateDict& file) {
  std::map<std::string, std::size_t> counts;
  for (const auto& item : file)
    if (const auto dot = item.first.find('.'); dot != std::string::npos) ++counts[item.first.substr(0, dot + 1)];
  for (const auto& [prefix, count] : counts)
    if (2 * count > file.size()) return prefix;
  return {};
}

// Nothing if two names would be the same.
std::optional<StateDict> without_prefix(const StateDict& file, const std::string& prefix) {
  StateDict bare;
  for (const auto& [name, tensor] : file)
    if (!bare.emplace(name.starts_with(prefix) ? name.substr(prefix.size()) : name, tensor).second) return {};
  return bare;
}

struct Plan {
  LoadReport report;
  std::vector<std::pair<at::Tensor, at::Tensor>> copies;  // to, from
  Names image_convs;
};

std::string shape_text(at::IntArrayRef shape) {
  std::string text;
  for (const auto size : shape) text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "[" + text + "]";
}

LoadReport::Misfit misfit(const std::string& name, const at::Tensor& theirs, const at::Tensor& ours, bool same_kind) {
  const auto text = [&](const at::Tensor& tensor) {
    return (same_kind ? "" : std::string(c10::toString(tensor.scalar_type())) + " ") + shape_text(tensor.sizes());
  };
  return {name, text(theirs), text(ours)};
}

void sort_out(Plan& plan, const Network& network, StateDict file, const std::set<std::string>& spare) {
  auto& report = plan.report;
  const bool counts = std::any_of(file.begin(), file.end(), [](const auto& i) { return i.first.ends_with(kCounter); });
  std::set<std::string> of_other_classes;  // layers: weight and bias belong together
  for (const auto& [name, tensor] : file)
    if (network.tensors.count(name) && network.of_other_classes(name, tensor)) of_other_classes.insert(layer_of(name));
  for (const auto& [name, ours] : network.tensors) {
    const auto found = file.find(name);
    if (found == file.end()) {
      (network.is_optional(name)             ? report.without
       : !counts && name.ends_with(kCounter) ? report.uncounted
                                             : report.missing)
          .push_back(name);
      continue;
    }
    const auto theirs = std::move(found->second);
    file.erase(found);
    if (!network.fits(name, theirs)) {
      report.misfits.push_back(misfit(name, theirs, ours, network.same_kind(name, theirs)));
    } else if (of_other_classes.count(layer_of(name)) && network.is_head(name)) {
      report.reinitialized.push_back(misfit(name, theirs, ours, true));
    } else if (theirs.sizes() == ours.sizes()) {
      plan.copies.emplace_back(ours, theirs);
      report.loaded.push_back(name);
    } else {
      plan.copies.emplace_back(ours, network.adapted(name, theirs));
      report.adapted.push_back(name);
    }
  }
  std::erase_if(report.missing, [&](const std::string& name) {  // one of two names of the same weights
    const bool shared = std::any_of(plan.copies.begin(), plan.copies.end(),
                                    [&](const auto& copy) { return copy.first.is_same(network.tensors.at(name)); });
    if (shared) report.tied.push_back(name);
    return shared;
  });
  for (const auto& [name, unused] : file) {
    const bool is_spare = spare.count(name) || spare.count(report.prefix + name);
    (network.is_unneeded(name) || is_spare ? report.ignored : report.unexpected).push_back(name);
  }
}

// Of the convolutions of the image, for images with their channels in the opposite order.
void reverse_channels(StateDict& file, const Network& network, LoadReport& report) {
  for (const auto& name : network.image_convs) {
    const auto found = file.find(name);
    if (found == file.end() || found->second.dim() < 2 || found->second.size(1) != 3) continue;
    found->second = found->second.flip(1);
    report.reversed.push_back(name);
  }
}

void refuse_unreversed(const Plan& plan, const WeightsFile& file) {
  if (file.channels == WeightsChannels::rgb || !plan.report.reversed.empty()) return;
  throw DataError(file.path, "has no input channels to reverse for \"weights_channels\": \"bgr\": " +
                                 (plan.image_convs.empty()
                                      ? file.network + " does not name its first convolution (WeightRules::image_convs)"
                                      : "no " + plan.image_convs.front() + " with 3 input channels"));
}

Plan plan_for(torch::nn::Module& module, StateDict file, WeightsChannels channels = WeightsChannels::rgb,
              const std::set<std::string>& spare = {}) {
  const c10::AutoGradMode no_grad(false);
  const Network network(module);
  const Translator translator(module, network);
  Plan plan;
  if (!network.has_weight_norm()) {
    auto unwrapped = unwrap(std::move(file));
    file = std::move(unwrapped.state);
    plan.report.compiled = unwrapped.compiled;
    plan.report.weight_norms = std::move(unwrapped.weight_norms);
  }
  auto best = translator.best(file);
  std::string prefix;
  constexpr int kMostPrefixes = 8;
  for (int i = 0; i < kMostPrefixes; ++i) {
    const auto next = shared_prefix(file);
    auto bare = next.empty() ? std::nullopt : without_prefix(file, next);
    if (!bare) break;
    file = std::move(*bare);
    prefix += next;
    if (auto other = translator.best(file); other.score > best.score)
      best = std::move(other), plan.report.prefix = prefix;
  }
  plan.report.translations = std::move(best.translations);
  plan.image_convs = network.image_convs;
  if (channels == WeightsChannels::bgr) reverse_channels(best.tensors, network, plan.report);
  sort_out(plan, network, std::move(best.tensors), spare);
  return plan;
}

// In parts, so that little of a mapped file is in memory at a time.
void copy_values(at::Tensor to, const at::Tensor& from) {
  constexpr std::int64_t kPart = 16 << 20;  // bytes
  const auto rows = from.dim() > 0 && from.sizes() == to.sizes() ? from.size(0) : 1;
  const auto bytes = from.numel() * static_cast<std::int64_t>(from.element_size());
  if (rows < 2 || bytes <= kPart) {
    to.copy_(from);
    return forget_pages(from);
  }
  const auto step = std::max<std::int64_t>(1, rows * kPart / bytes);
  for (std::int64_t row = 0; row < rows; row += step) {
    const auto part = from.narrow(0, row, std::min(step, rows - row));
    to.narrow(0, row, part.size(0)).copy_(part);
    forget_pages(part);
  }
}

void write(const Plan& plan) {
  const c10::AutoGradMode no_grad(false);
  for (const auto& [to, from] : plan.copies) copy_values(to, from);
}

}  // namespace

LoadReport load_state(torch::nn::Module& module, const StateDict& file) {
  auto plan = plan_for(module, file);
  if (!plan.report.misfits.empty()) {
    const auto& first = plan.report.misfits.front();
    throw DataError(first.name, "is " + first.file + " in the file and " + first.network +
                                    " in the network, and no rule covers it");
  }
  write(plan);
  return std::move(plan.report);
}

std::string start_from(torch::nn::Module& module, const StateDict& weights, const WeightsFile& file) {
  const auto plan = plan_for(module, weights, file.channels, file.spare);
  refuse(plan.report, file);
  refuse_unreversed(plan, file);
  write(plan);
  return told(plan.report, file);
}

}  // namespace sectile
