#include "names.h"

#include <array>
#include <string>
#include <utility>

namespace mit {

void from_transformers_5(sectile::NamedTensors& file) {
  const std::array<std::pair<const char*, const char*>, 13> names{{
      {"stages.*.blocks.*.layernorm_before.*", "encoder.block.*.*.layer_norm_1.*"},
      {"stages.*.blocks.*.layernorm_after.*", "encoder.block.*.*.layer_norm_2.*"},
      {"stages.*.blocks.*.attention.q_proj.*", "encoder.block.*.*.attention.self.query.*"},
      {"stages.*.blocks.*.attention.k_proj.*", "encoder.block.*.*.attention.self.key.*"},
      {"stages.*.blocks.*.attention.v_proj.*", "encoder.block.*.*.attention.self.value.*"},
      {"stages.*.blocks.*.attention.o_proj.*", "encoder.block.*.*.attention.output.dense.*"},
      {"stages.*.blocks.*.attention.sequence_reduction.sequence_reduction.*", "encoder.block.*.*.attention.self.sr.*"},
      {"stages.*.blocks.*.attention.sequence_reduction.layer_norm.*", "encoder.block.*.*.attention.self.layer_norm.*"},
      {"stages.*.blocks.*.mlp.fc1.*", "encoder.block.*.*.mlp.dense1.*"},
      {"stages.*.blocks.*.mlp.fc2.*", "encoder.block.*.*.mlp.dense2.*"},
      {"stages.*.blocks.*.mlp.dwconv.*", "encoder.block.*.*.mlp.dwconv.*"},
      {"stages.*.patch_embeddings.*", "encoder.patch_embeddings.*.*"},
      {"stages.*.layer_norm.*", "encoder.layer_norm.*.*"},  // last: it would also match norms inside blocks
  }};
  for (const auto& [theirs, ours] : names) file.rename(theirs, ours);
}

void from_original(sectile::NamedTensors& file) {
  for (int stage = 0; stage < 4; ++stage) {
    const auto theirs = std::to_string(stage + 1), ours = std::to_string(stage);
    const auto block = "block" + theirs + ".*.", own = "encoder.block." + ours + ".*.";
    file.rename("patch_embed" + theirs + ".proj.*", "encoder.patch_embeddings." + ours + ".proj.*");
    file.rename("patch_embed" + theirs + ".norm.*", "encoder.patch_embeddings." + ours + ".layer_norm.*");
    file.rename("norm" + theirs + ".*", "encoder.layer_norm." + ours + ".*");
    for (const std::string kind : {"weight", "bias"})
      file.split(block + "attn.kv." + kind, 0,
                 {own + "attention.self.key." + kind, own + "attention.self.value." + kind});
    const std::array<std::pair<const char*, const char*>, 7> names{{
        {"norm1.*", "layer_norm_1.*"},
        {"norm2.*", "layer_norm_2.*"},
        {"attn.q.*", "attention.self.query.*"},
        {"attn.proj.*", "attention.output.dense.*"},
        {"attn.sr.*", "attention.self.sr.*"},
        {"attn.norm.*", "attention.self.layer_norm.*"},
        {"mlp.fc1.*", "mlp.dense1.*"},
    }};
    for (const auto& [from, to] : names) file.rename(block + from, own + to);
    file.rename(block + "mlp.fc2.*", own + "mlp.dense2.*");
    file.rename(block + "mlp.dwconv.*", own + "mlp.dwconv.*");
  }
}

}  // namespace mit
