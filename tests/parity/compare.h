// Compares a model with the expected values that lie in this folder. Included after support/test.h.
#pragma once

#include <fstream>
#include <set>
#include <sstream>

#include <sectile/model.h>

#include "name_hash.h"
#include "support/component.h"

namespace sectile::test {

inline std::string parity_file(const std::string& name) { return SECTILE_SOURCE_DIR "/tests/parity/" + name; }

// Names and sizes of everything in the state dict, as NAME_names.txt has them.
inline std::set<std::string> names_and_sizes(torch::nn::Module& module) {
  std::set<std::string> lines;
  const auto add = [&](const auto& items) {
    for (const auto& item : items) {
      std::ostringstream line;
      line << item.key();
      for (const auto size : item.value().sizes()) line << ' ' << size;
      lines.insert(line.str());
    }
  };
  add(module.named_parameters());
  add(module.named_buffers());
  return lines;
}

inline std::set<std::string> expected_names_and_sizes(const std::string& name) {
  std::ifstream file(parity_file(name + "_names.txt"));
  REQUIRE(file);
  std::set<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.insert(line);
  return lines;
}

inline void check_names(torch::nn::Module& module, const std::string& name) {
  const auto ours = names_and_sizes(module), theirs = expected_names_and_sizes(name);
  for (const auto& line : ours) CHECK_MESSAGE(theirs.count(line) == 1, "over: " << line);
  for (const auto& line : theirs) CHECK_MESSAGE(ours.count(line) == 1, "missing: " << line);
}

inline std::int64_t parameter_count(const torch::nn::Module& module) {
  std::int64_t count = 0;
  for (const auto& parameter : module.parameters()) count += parameter.numel();
  return count;
}

inline Json expected(const std::string& name) {
  std::ifstream file(parity_file(name + ".json"));
  REQUIRE(file);
  return Json::parse(file);
}

// The largest distance from the expected values, in units of the largest expected absolute value.
inline double distance(const at::Tensor& output, const Json& wanted) {
  REQUIRE(output.sizes().vec() == wanted["shape"].get<std::vector<std::int64_t>>());
  const auto flat = output.to(at::kDouble).contiguous().flatten();
  double most = 0;
  for (std::size_t i = 0; i < wanted["positions"].size(); ++i) {
    const double difference =
        flat[wanted["positions"][i].get<std::int64_t>()].item<double>() - wanted["values"][i].get<double>();
    most = std::isfinite(difference) ? std::max(most, std::abs(difference)) : INFINITY;
  }
  return most / wanted["largest"].get<double>();
}

inline Batch batch_of(at::IntArrayRef shape) {
  Batch batch;
  batch.images = formula_picture(shape);
  return batch;
}

inline at::Tensor logits(Model& model, at::IntArrayRef shape) { return model.forward(batch_of(shape)).logits; }

// Of b from a, in units of the largest value of a.
inline double distance(const at::Tensor& a, const at::Tensor& b) {
  REQUIRE(a.sizes() == b.sizes());
  return ((a - b).abs().max() / a.abs().max()).item<double>();
}

// Trains on one batch whose loss is the mean square of every output; each parameter must get a finite gradient, not all
// zero.
inline void check_gradients(Model& model, at::IntArrayRef shape) {
  model.module().train();
  const auto outputs = model.forward(batch_of(shape));
  auto loss = outputs.logits.square().mean();
  for (const auto& auxiliary : outputs.auxiliary) loss = loss + auxiliary.logits.square().mean();
  loss.backward();
  for (const auto& item : model.module().named_parameters()) {
    const auto& gradient = item.value().grad();
    REQUIRE_MESSAGE(gradient.defined(), item.key());
    CHECK_MESSAGE(gradient.isfinite().all().item<bool>(), item.key());
    CHECK_MESSAGE(gradient.any().item<bool>(), item.key());
  }
}

// Spoils every norm's running statistics: a network that is wholly folded does not notice.
inline void forget_statistics(torch::nn::Module& module) {
  for (auto& buffer : module.buffers()) buffer.fill_(7);
}

// What reading a spec's component answers to wrong options.
template <class Interface = Model>
std::string refusal(const std::string& json) {
  try {
    make<Interface>(json, context(3));
  } catch (const SpecError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace sectile::test
