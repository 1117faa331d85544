#include "trained.h"

#include <iostream>

#include "../framework/ground/spec/spec_text.h"
#include "../framework/upper/inference/device.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

Pipeline of_checkpoint(const fs::path& file, const CommandLine& line, const at::Device& device) {
  const auto checkpoint = load_checkpoint(file);
  const auto text = open_resolved(checkpoint.spec, line.common.changes);
  const auto index = open_plugins(line.common, text.get());
  return Pipeline::from_checkpoint(read_and_tell(line.common, index, *text), checkpoint, file, device);
}

Pipeline of_spec(const fs::path& file, const CommandLine& line, const at::Device& device) {
  const auto text = open_spec(file, line.common.changes);
  const auto index = open_plugins(line.common, text.get());
  auto spec = read_and_tell(line.common, index, *text);
  if (spec.output.empty())
    throw SpecError("/output", "is missing: name the run's folder there, or give its checkpoint instead of the spec");
  auto weights = spec.output / "best.pth";
  if (!fs::exists(weights)) weights = spec.output / "last.pth";
  if (!fs::exists(weights))
    throw DataError(spec.output, "holds neither best.pth nor last.pth; train first: sectile train " + file.string());
  return Pipeline::from_checkpoint(std::move(spec), load_checkpoint(weights), weights, device);
}

}  // namespace

Pipeline open_trained(const std::string& operand, const CommandLine& line, const std::string& device) {
  const fs::path file = operand;
  const auto where = open_device(device);
  auto pipeline = file.extension() == ".json" ? of_spec(file, line, where) : of_checkpoint(file, line, where);
  if (!line.common.quiet)
    for (const auto& note : pipeline.notes) std::cerr << "note: " << note << "\n";
  return pipeline;
}

}  // namespace sectile
