// Names that a SegFormer's modules have in version 5 of transformers, of those in its files.
#pragma once

#include <string>
#include <utility>

namespace sectile::test {

inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

// Of a backbone's tensor ("encoder.block.0.1.layer_norm_1.weight").
inline std::string transformers_5_name(const std::string& name) {
  const std::string encoder = "encoder.", block = "encoder.block.";
  if (!name.starts_with(block)) {
    const auto dot = name.find('.', encoder.size());
    const auto layer = name.substr(encoder.size(), dot - encoder.size());  // patch_embeddings or layer_norm
    return "stages." + name.substr(dot + 1, 1) + "." + layer + name.substr(dot + 2);
  }
  auto theirs = "stages." + name.substr(block.size(), 1) + ".blocks" + name.substr(block.size() + 1);
  for (const auto& [ours, new_one] : {std::pair{".layer_norm_1.", ".layernorm_before."},
                                      {".layer_norm_2.", ".layernorm_after."},
                                      {".attention.self.query.", ".attention.q_proj."},
                                      {".attention.self.key.", ".attention.k_proj."},
                                      {".attention.self.value.", ".attention.v_proj."},
                                      {".attention.output.dense.", ".attention.o_proj."},
                                      {".attention.self.sr.", ".attention.sequence_reduction.sequence_reduction."},
                                      {".attention.self.layer_norm.", ".attention.sequence_reduction.layer_norm."},
                                      {".mlp.dense1.", ".mlp.fc1."},
                                      {".mlp.dense2.", ".mlp.fc2."}})
    theirs = replaced(theirs, ours, new_one);
  return theirs;
}

}  // namespace sectile::test
