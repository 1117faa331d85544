// Samples drawn by given weights, with replacement: torch.utils.data.WeightedRandomSampler. In one epoch, a sample of
// weight 2 comes twice as often as one of weight 1 on average, and some do not come at all.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <sectile/data/list_file.h>
#include <sectile/dataset.h>
#include <sectile/error.h>
#include <sectile/sampler.h>

namespace {

struct WeightedOptions {
  std::vector<double> weights;
  std::filesystem::path weights_file;

  void declare(sectile::Options& options) {
    options
        .add("weights", &weights,
             "Weight of each training sample, in the order of the data: 0 or more, and not all 0. Empty, and without "
             "weights_file: all samples are equally likely.")
        .at_least(0);
    options.add(
        "weights_file", &weights_file,
        "Text file of the weights, instead of weights: one number per line, in the order of the data; or a "
        "sample's name and a number in each line, in any order, once for every sample; names of other samples are "
        "ignored, so that one file serves parts of the data. Names are those that \"sectile data preview\" prints; a "
        "tab separates name and number where they have spaces.");
  }
  void check(sectile::Problems& problems) const {
    if (!weights.empty() && !weights_file.empty())
      problems.add("weights_file", "cannot be combined with \"weights\": remove one of both");
  }
};

double number_in(const std::string& word, const std::filesystem::path& file, const sectile::ListLine& line) {
  double number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc() || end != word.data() + word.size() || !std::isfinite(number) || number < 0)
    throw sectile::DataError(sectile::list_place(file, line),
                             std::string("has \"").append(word).append("\" as a weight; expected a number, 0 or more"));
  return number;
}

std::string counted(std::size_t number, const char* what) {
  return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

// The first three.
std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kShown); ++i)
    text.append(i > 0 ? ", \"" : "\"").append(names[i]).append("\"");
  return names.size() > kShown ? text + " and others" : text;
}

std::vector<double> by_name(const std::vector<sectile::ListLine>& lines, const std::filesystem::path& file,
                            const sectile::Dataset& data) {
  std::map<std::string, double> given;
  for (const auto& line : lines) {
    if (line.words.size() != 2)
      throw sectile::DataError(sectile::list_place(file, line),
                               "has " + counted(line.words.size(), "word") +
                                   "; expected a sample's name and its weight, with a tab between them where the name "
                                   "has spaces");
    if (!given.emplace(line.words[0], number_in(line.words[1], file, line)).second)
      throw sectile::DataError(sectile::list_place(file, line),
                               std::string("gives a weight to \"").append(line.words[0]).append("\" again"));
  }
  std::vector<double> weights;
  std::vector<std::string> without;
  for (std::size_t i = 0; i < data.size(); ++i) {
    const auto name = data.id_of(i);
    if (const auto found = given.find(name); found != given.end())
      weights.push_back(found->second);
    else
      without.push_back(name);
  }
  if (!without.empty())
    throw sectile::OptionError("weights_file", "gives no weight to " + counted(without.size(), "training sample") +
                                                   ": " + listed(without) +
                                                   "; add a line with a name and a number for each. The file names " +
                                                   listed({lines.front().words.front()}) + ", for example");
  return weights;
}

std::vector<double> weights_in(const std::filesystem::path& file, const sectile::BuildContext& context) {
  const auto lines = sectile::read_list(file);
  if (lines.front().words.size() != 1) {
    if (!context.data)
      throw sectile::OptionError("weights_file", "names samples, and there is no training data here that has them");
    return by_name(lines, file, *context.data);
  }
  std::vector<double> weights;
  for (const auto& line : lines) {
    if (line.words.size() != 1)
      throw sectile::DataError(sectile::list_place(file, line), "has " + counted(line.words.size(), "word") +
                                                                    "; expected a number, as in the first line");
    weights.push_back(number_in(line.words.front(), file, line));
  }
  return weights;
}

std::string counts(std::size_t weights, std::size_t samples) {
  return counted(weights, "value") + ", and the training data has " + counted(samples, "sample");
}

class Weighted final : public sectile::Sampler {
 public:
  Weighted(const WeightedOptions& options, const sectile::BuildContext& context) {
    const char* option = options.weights_file.empty() ? "weights" : "weights_file";
    const auto weights = options.weights_file.empty() ? options.weights : weights_in(options.weights_file, context);
    if (weights.empty()) return;
    if (context.data && weights.size() != context.data->size())
      throw sectile::OptionError(option, std::string("has ")
                                             .append(counts(weights.size(), context.data->size()))
                                             .append(": give one value per sample"));
    double sum = 0;
    for (const double weight : weights) sums_.push_back(sum += weight);
    if (!(sum > 0) || !std::isfinite(sum))
      throw sectile::OptionError(option, sum > 0 ? "has a sum that is not finite (NaN or Inf); give smaller values"
                                                 : "has weights that are all 0; expected at least one above 0");
  }

  std::vector<std::size_t> draw(const sectile::EpochRequest& wanted, sectile::Random random) const override {
    if (!sums_.empty() && sums_.size() != wanted.available)
      throw sectile::DataError("weighted", std::string("has ").append(counts(sums_.size(), wanted.available)));
    std::vector<std::size_t> indexes(wanted.samples);
    for (auto& index : indexes)
      index = sums_.empty() ? static_cast<std::size_t>(random.below(static_cast<std::int64_t>(wanted.available)))
                            : drawn(random.uniform());
    return indexes;
  }

 private:
  // The first sample whose sum is above this share of all: never one of weight 0.
  std::size_t drawn(double share) const {
    const auto found = std::upper_bound(sums_.begin(), sums_.end(), share * sums_.back());
    if (found != sums_.end()) return static_cast<std::size_t>(found - sums_.begin());
    // Rounding reached the whole sum: the last sample that adds to it.
    return static_cast<std::size_t>(std::lower_bound(sums_.begin(), sums_.end(), sums_.back()) - sums_.begin());
  }

  std::vector<double> sums_;  // of the weights up to and with each sample's; empty: all alike
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::sampler<Weighted, WeightedOptions>(
                            "weighted", "Samples drawn at random by their weights, with replacement."))
