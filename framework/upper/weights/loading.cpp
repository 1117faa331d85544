#include "loading.h"

#include <algorithm>
#include <compare>
#include <optional>
#include <set>
#include <utility>

#include <c10/core/GradMode.h>

#include <torch/nn/module.h>

#include <sectile/error.h>

#include "../../ground/spec/suggestion.h"
#include "each_role.h"
#include "files/mapped_file.h"
#include "wrapped_names.h"

namespace sectile {
namespace {

using Names = std::vector<std::string>;

constexpr const char* kCounter = "num_batches_tracked";

// Rules for the tensors of a network.
class Network {
 public:
  explicit Network(torch::nn::Module& module) : tensors(state_dict(module)) {
    each<WeightRules>(module, [&](const std::string& prefix, WeightRules& rules) {
      rules_.emplace_back(prefix, &rules);
      for (const auto& name : rules.head()) heads_.push_back(prefix + name);
    });
    // Rules of inner modules take precedence.
    std::stable_sort(rules_.begin(), rules_.end(),
                     [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
  }

  // The file's tensor in the shape of the network's tensor of that name; undefined if there is no rule for it.
  at::Tensor adapted(const std::string& name, const at::Tensor& theirs) const {
    const auto wanted = tensors.at(name).sizes();
    if (name.ends_with(kCounter) && theirs.numel() == 1) return theirs.reshape({});  // some tools save [1]
    for (const auto& [prefix, rules] : rules_) {
      if (!name.starts_with(prefix)) continue;
      const auto made = rules->adapt(name.substr(prefix.size()), theirs, wanted);
      if (made.defined() && made.sizes() == wanted) return made;
    }
    return {};
  }
  bool is_head(const std::string& name) const {
    return std::any_of(heads_.begin(), heads_.end(), [&](const auto& head) { return name.starts_with(head); });
  }
  // A head's tensor that differs only in the number of classes.
  bool of_other_classes(const std::string& name, const at::Tensor& theirs) const {
    const auto& ours = tensors.at(name);
    return is_head(name) && theirs.dim() > 0 && theirs.dim() == ours.dim() && theirs.size(0) != ours.size(0) &&
           theirs.sizes().slice(1) == ours.sizes().slice(1) && same_kind(name, theirs);
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

 private:
  std::vector<std::pair<std::string, const WeightRules*>> rules_;
  Names heads_;
};

// How well a translation matches a file; greater is better.
struct Score {
  std::int64_t fitting = 0, named = 0, unknown = 0;  // unknown names count negatively
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
      score.unknown -= !known;
    }
    return score;
  }

  const Network& network_;
  std::vector<Part> modules_;
};

// Prefixes that wrappers of a network add to all names: DataParallel, trainers, torch.compile.
std::string usual_prefix(const StateDict& file) {
  for (const std::string prefix : {"module.", "model.", "net.", "_orig_mod."})
    if (std::all_of(file.begin(), file.end(), [&](const auto& item) { return item.first.starts_with(prefix); }))
      return prefix;
  return {};
}

struct Plan {
  LoadReport report;
  std::vector<std::pair<at::Tensor, at::Tensor>> copies;  // to, from
};

std::string layer_of(const std::string& name) { return name.substr(0, name.find_last_of('.') + 1); }

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

void sort_out(Plan& plan, const Network& network, StateDict file) {
  auto& report = plan.report;
  const bool counts = std::any_of(file.begin(), file.end(), [](const auto& i) { return i.first.ends_with(kCounter); });
  std::set<std::string> of_other_classes;  // layers: weight and bias belong together
  for (const auto& [name, tensor] : file)
    if (network.tensors.count(name) && network.of_other_classes(name, tensor)) of_other_classes.insert(layer_of(name));
  for (const auto& [name, ours] : network.tensors) {
    const auto found = file.find(name);
    if (found == file.end()) {
      (!counts && name.ends_with(kCounter) ? report.uncounted : report.missing).push_back(name);
      continue;
    }
    const auto theirs = std::move(found->second);
    file.erase(found);
    if (!network.fits(name, theirs)) {
      report.misfits.push_back(misfit(name, theirs, ours, network.same_kind(name, theirs)));
    } else if (of_other_classes.count(layer_of(name)) && network.is_head(name)) {
      report.reinitialized.push_back(name);
    } else if (theirs.sizes() == ours.sizes()) {
      plan.copies.emplace_back(ours, theirs);
      report.loaded.push_back(name);
    } else {
      plan.copies.emplace_back(ours, network.adapted(name, theirs));
      report.adapted.push_back(name);
    }
  }
  for (const auto& item : file) report.unexpected.push_back(item.first);
}

Plan plan_for(torch::nn::Module& module, StateDict file) {
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
  for (auto next = usual_prefix(file); !next.empty() && !file.empty(); next = usual_prefix(file)) {
    StateDict bare;
    for (auto& [name, tensor] : file) bare.emplace(name.substr(next.size()), std::move(tensor));
    file = std::move(bare);
    prefix += next;
    if (auto other = translator.best(file); other.score > best.score)
      best = std::move(other), plan.report.prefix = prefix;
  }
  plan.report.translations = std::move(best.translations);
  sort_out(plan, network, std::move(best.tensors));
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

std::string text_of(const LoadReport::Misfit& misfit) {
  return misfit.name + " is " + misfit.file + " in the file and " + misfit.network + " in the network";
}

// "a, b, c and 4 more"
template <class Item, class Text>
std::string first_few(const std::vector<Item>& items, Text text) {
  constexpr std::size_t kShown = 3;
  std::string list;
  for (std::size_t i = 0; i < items.size() && i < kShown; ++i) list += (i ? ", " : "") + text(items[i]);
  return items.size() > kShown ? list + " and " + std::to_string(items.size() - kShown) + " more" : list;
}

std::string first_few(const Names& names) {
  return first_few(names, [](const std::string& name) { return name; });
}

// With a suggested name, which only the other side has.
std::string first_few(const Names& names, const char* other, const Names& others) {
  return first_few(names, [&](const std::string& name) {
    const auto near = nearest(name, others);
    return near ? name + " (" + other + " has " + *near + ")" : name;
  });
}

// How the file was read: "without the prefix "module." of its names, by the dialect "timm" of backbone".
std::string reading(const LoadReport& report) {
  std::string text = report.compiled ? "without the \"_orig_mod.\" of torch.compile in its names" : "";
  if (!report.prefix.empty())
    text += (text.empty() ? "" : ", ") + ("without the prefix \"" + report.prefix + "\" of its names");
  std::map<std::string, Names> modules;  // by dialect
  for (const auto& [module, dialect] : report.translations)
    modules[dialect].push_back(module.empty() ? "the network itself" : module);
  for (const auto& [dialect, of] : modules)
    text += (text.empty() ? "" : ", ") + ("by the dialect \"" + dialect + "\" of ") + first_few(of);
  return text;
}

std::string told(const LoadReport& report, const WeightsFile& file) {
  std::string text =
      file.path.string() + ": " + std::to_string(report.loaded.size()) + " tensors loaded into " + file.network;
  if (const auto how = reading(report); !how.empty()) text += "; read " + how;
  const auto add = [&](const Names& names, const char* what) {
    if (!names.empty()) text += "; " + std::to_string(names.size()) + " " + what + " (" + first_few(names) + ")";
  };
  add(report.weight_norms, "computed from the two parts of a weight norm");
  add(report.adapted, "adapted to the network's shape");
  add(report.reinitialized, "in the head, which has a different number of classes, initial values kept");
  add(report.missing, "missing in the file, initial values kept");
  add(report.uncounted, "batch counters left at 0, which this file is too old to have");
  add(report.unexpected, "unknown to the network, ignored");
  return text;
}

void refuse(const LoadReport& report, const WeightsFile& file) {
  const bool nothing = report.loaded.empty() && report.adapted.empty() && report.misfits.empty();
  const bool differs = !report.missing.empty() || !report.unexpected.empty();
  if (!nothing && report.misfits.empty() && !(file.strict && differs)) return;
  std::string text = nothing ? "has no weights for " + file.network : "does not fit " + file.network;
  if (const auto how = reading(report); !how.empty()) text += ", read " + how;
  const auto line = [&](std::size_t count, const char* what, const std::string& list) {
    if (count > 0) text += std::string("\n  ") + what + " (" + std::to_string(count) + "): " + list;
  };
  line(report.misfits.size(), "of another shape or type", first_few(report.misfits, text_of));
  line(report.missing.size(), "missing in the file", first_few(report.missing, "the file", report.unexpected));
  line(report.unexpected.size(), "unknown to the network", first_few(report.unexpected, "the network", report.missing));
  if (nothing)
    text += "\nis it a file of a different network?";
  else if (!report.misfits.empty())
    text += "\nuse the model options that the file was made with";
  else
    text += "\n\"weights_strict\": false loads what matches, and keeps the initial values of the rest";
  throw DataError(file.path, text);
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

Started start_from(torch::nn::Module& module, const StateDict& weights, const WeightsFile& file) {
  const auto plan = plan_for(module, weights);
  refuse(plan.report, file);
  write(plan);
  return {told(plan.report, file), plan.report.missing.empty() && plan.report.reinitialized.empty()};
}

}  // namespace sectile
