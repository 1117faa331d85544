#include "loading_messages.h"

#include <map>

#include <sectile/error.h>

#include "../../ground/spec/suggestion.h"

namespace sectile {
namespace {

using Names = std::vector<std::string>;

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

}  // namespace

std::string told(const LoadReport& report, const WeightsFile& file) {
  std::string text =
      file.path.string() + ": " + std::to_string(report.loaded.size()) + " tensors loaded into " + file.network;
  if (const auto how = reading(report); !how.empty()) text += "; read " + how;
  const auto add_list = [&](std::size_t count, const char* what, const std::string& list) {
    if (count > 0) text += "; " + std::to_string(count) + " " + what + " (" + list + ")";
  };
  const auto add = [&](const Names& names, const char* what) { add_list(names.size(), what, first_few(names)); };
  add(report.weight_norms, "computed from the two parts of a weight norm");
  add(report.adapted, "adapted to the network's shape");
  add_list(report.reinitialized.size(),
           "in the head, which has another shape here (other classes, or other options), initial values kept",
           first_few(report.reinitialized, text_of));
  add(report.tied, "shared with another of the network");
  add(report.reversed, "with its input channels reversed (bgr)");
  add(report.without, "of optional layers missing in the file, initial values kept");
  add(report.missing, "missing in the file, initial values kept");
  add(report.uncounted, "batch counters left at 0, which this file is too old to have");
  add(report.ignored, "not needed by the network, ignored");
  add(report.unexpected, "unknown to the network, ignored");
  return text;
}

void refuse(const LoadReport& report, const WeightsFile& file) {
  const bool nothing = report.loaded.empty() && report.adapted.empty() && report.misfits.empty();
  const bool differs = !report.missing.empty() || !report.unexpected.empty();
  const bool untrained = file.whole && (!report.missing.empty() || !report.reinitialized.empty());
  if (!nothing && !untrained && report.misfits.empty() && !(file.strict && differs)) return;
  std::string text = nothing ? "has no weights for " : untrained ? "does not have all weights of " : "does not fit ";
  text += file.network;
  if (const auto how = reading(report); !how.empty()) text += ", read " + how;
  const auto line = [&](std::size_t count, const char* what, const std::string& list) {
    if (count > 0) text += std::string("\n  ") + what + " (" + std::to_string(count) + "): " + list;
  };
  line(report.misfits.size(), "of another shape or type", first_few(report.misfits, text_of));
  if (untrained)
    line(report.reinitialized.size(), "in the head, of another number of classes",
         first_few(report.reinitialized, text_of));
  line(report.missing.size(), "missing in the file", first_few(report.missing, "the file", report.unexpected));
  line(report.unexpected.size(), "unknown to the network", first_few(report.unexpected, "the network", report.missing));
  if (nothing)
    text += "\nis it a file of a different network?";
  else if (untrained)
    text +=
        "\nuse the model options and the classes that the file was made with: a network that is not trained needs all";
  else if (!report.misfits.empty())
    text += "\nuse the model options that the file was made with";
  else
    text += "\n\"weights_strict\": false loads what matches, and keeps the initial values of the rest";
  throw DataError(file.path, text);
}

}  // namespace sectile
