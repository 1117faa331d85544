#include <sectile/nn/names.h>

namespace sectile::nn {
namespace {

std::string below(const std::string& path, const std::string& name) { return path.empty() ? name : path + "." + name; }

}  // namespace

torch::nn::Module& nest(torch::nn::Module& owner, const std::string& path) {
  if (path.empty()) return owner;
  const auto dot = path.find('.');
  const auto name = path.substr(0, dot);
  const auto children = owner.named_children();
  const auto* found = children.find(name);
  auto& level = found ? **found : *owner.register_module(name, std::make_shared<torch::nn::Module>("Nest"));
  return dot == std::string::npos ? level : nest(level, path.substr(dot + 1));
}

Names conv_bn(const std::string& path) { return {below(path, "conv"), below(path, "bn")}; }

Names in_sequence(const std::string& path, int first) {
  return {below(path, std::to_string(first)), below(path, std::to_string(first + 1))};
}

}  // namespace sectile::nn
