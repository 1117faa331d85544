#include "trained.h"

#include <charconv>
#include <iostream>

namespace sectile {
namespace {

namespace po = boost::program_options;

std::vector<double> numbers(const std::string& text) {
  std::vector<double> found;
  for (const char *at = text.data(), *const end = at + text.size(); at < end;) {
    double number = 0;
    const auto [next, problem] = std::from_chars(at, end, number);
    if (problem != std::errc() || (next < end && (*next != ',' || next + 1 == end)))
      throw po::error("--scales: \"" + text + "\" is not a list of numbers: write 0.75,1,1.25");
    found.push_back(number);
    at = next + 1;
  }
  return found;
}

Combination combination(const po::variables_map& given) {
  Combination how;
  const auto by = given["combine"].as<std::string>();
  if (by != "mean" && by != "vote") throw po::error("--combine: \"" + by + "\" is unknown; known: mean, vote");
  how.by = by == "vote" ? Combination::By::vote : Combination::By::mean;
  how.flip = given.count("flip") > 0;
  how.scales = numbers(given["scales"].as<std::string>());
  return how;
}

}  // namespace

void add_network_options(po::options_description& options) {
  auto add = options.add_options();
  add("device", po::value<std::string>()->default_value("cpu"), "cpu, cuda or cuda:N");
  add("ensemble", po::value<std::vector<std::string>>()->value_name("CHECKPOINT"),
      "another network of the same classes, whose predictions are joined with the first one's (repeatable)");
  add("combine", po::value<std::string>()->default_value("mean"),
      "how predictions of several networks and views are joined: mean of probabilities, or vote (scores are then "
      "shares of the votes)");
  add("flip", "predict each image mirrored left and right too, and join both (test-time augmentation)");
  add("scales", po::value<std::string>()->default_value("", "1")->value_name("LIST"),
      "predict each image at these scales, such as 0.75,1,1.25, and join them (test-time augmentation)");
}

Trained open_trained(const std::string& operand, const CommandLine& line, OpenOptions options) {
  const auto how = combination(line.given);
  options.device = line.given["device"].as<std::string>();
  options.changes = line.common.changes;
  options.plugin_path = line.common.plugin_path;
  options.spec_plugins = !line.common.no_spec_plugins;
  options.plugin_option = "--plugin-path";
  std::vector<std::string> files{operand};
  if (line.given.count("ensemble"))
    for (const auto& more : line.given["ensemble"].as<std::vector<std::string>>()) files.push_back(more);
  Trained made;
  std::vector<const Network*> networks;
  for (const auto& file : files) {
    made.networks.push_back(std::make_unique<Network>(open_network(file, options, [&](const std::string& note) {
      if (!line.common.quiet) std::cerr << "note: " << note << "\n";
    })));
    networks.push_back(made.networks.back().get());
    options.split.clear();  // an ensemble uses the first one's data and metrics
  }
  made.ensemble = std::make_unique<Ensemble>(std::move(networks), how);
  return made;
}

void refuse_joined(const CommandLine& line, const std::string& option, const std::string& why) {
  for (const char* joined : {"ensemble", "flip", "scales"})
    if (line.given.count(joined) && !line.given[joined].defaulted())
      throw boost::program_options::error(option + ": cannot be combined with --" + joined + ": " + why);
}

}  // namespace sectile
