"""A network under other names, of which the weights by name, the digest of names and the gradients then are.

Some libraries renamed the tensors of a network, or put several into one, while Sectile has the names of the published
files. `Renamed` holds the tensors under Sectile's names, and gives the original its own at each call.
"""

import re

import torch

import network


class _Call(torch.nn.Module):
    """functional_call knows only a module's forward."""

    def __init__(self, net, forward):
        super().__init__()
        self.net, self.forward_of = net, forward

    def forward(self, *inputs):
        return self.forward_of(self.net, *inputs)


class Renamed(torch.nn.Module):
    """parts(name): the new names of the original's tensor, which is theirs put together in dimension 0."""

    def __init__(self, net, parts, forward=lambda net, images: net(images)):
        super().__init__()
        network.without_dropout(net.double())
        # In a tuple, so that the original's own names stay out of the state dict.
        self.original = (_Call(net, forward),)
        self.parts = {}
        parameters = dict(net.named_parameters())
        for name, tensor in net.state_dict().items():
            names = parts(name)
            self.parts["net." + name] = names
            for part, piece in zip(names, tensor.chunk(len(names)) if len(names) > 1 else [tensor], strict=True):
                self._place(part, piece, name in parameters)

    def _place(self, name, tensor, trained):
        *path, leaf = name.split(".")
        module = self
        for step in path:
            if step not in module._modules:
                module.add_module(step, torch.nn.Module())
            module = module._modules[step]
        if trained:
            module.register_parameter(leaf, torch.nn.Parameter(tensor.detach()))
        else:
            module.register_buffer(leaf, tensor.detach())

    def train(self, mode=True):
        self.original[0].train(mode)
        return super().train(mode)

    def forward(self, *inputs):
        own = dict(self.named_parameters()) | dict(self.named_buffers())
        tensors = {
            name: own[parts[0]] if len(parts) == 1 else torch.cat([own[part] for part in parts])
            for name, parts in self.parts.items()
        }
        return torch.func.functional_call(self.original[0], tensors, inputs)


class InFloat64(torch.overrides.TorchFunctionMode):
    """Some originals resize position embeddings in float32 whatever their type; here all is compared in float64."""

    def __torch_function__(self, function, types, arguments=(), options=None):
        options = options or {}
        narrows = function is torch.Tensor.float or (
            function is torch.Tensor.to and torch.float32 in (*arguments[1:], options.get("dtype"))
        )
        if narrows and arguments[0].dtype == torch.float64:
            return arguments[0]
        return function(*arguments, **options)


def by_rules(rules):
    """[(pattern, replacement or several)], all applied in their order; several: the tensor is split into as many."""

    def parts(name):
        names = [name]
        for pattern, replacement in rules:
            several = [replacement] if isinstance(replacement, str) else replacement
            if re.search(pattern, name):
                names = [re.sub(pattern, one, old) for old in names for one in several]
        return names

    return parts


# transformers 5 to the files of transformers 4, which it still writes.
SEGFORMER = [
    (r"\bstages\.(\d+)\.patch_embeddings\.", r"encoder.patch_embeddings.\1."),
    (r"\bstages\.(\d+)\.blocks\.", r"encoder.block.\1."),
    (r"\bstages\.(\d+)\.layer_norm\.", r"encoder.layer_norm.\1."),
    (r"\.layernorm_before\.", ".layer_norm_1."),
    (r"\.layernorm_after\.", ".layer_norm_2."),
    (r"\.attention\.q_proj\.", ".attention.self.query."),
    (r"\.attention\.k_proj\.", ".attention.self.key."),
    (r"\.attention\.v_proj\.", ".attention.self.value."),
    (r"\.attention\.o_proj\.", ".attention.output.dense."),
    (r"\.attention\.sequence_reduction\.sequence_reduction\.", ".attention.self.sr."),
    (r"\.attention\.sequence_reduction\.layer_norm\.", ".attention.self.layer_norm."),
    (r"\.mlp\.fc(\d)\.", r".mlp.dense\1."),
    (r"\.linear_projections\.", ".linear_c."),
]
DINOV2 = [
    (r"\.attention\.q_proj\.", ".attention.attention.query."),
    (r"\.attention\.k_proj\.", ".attention.attention.key."),
    (r"\.attention\.v_proj\.", ".attention.attention.value."),
    (r"\.attention\.o_proj\.", ".attention.output.dense."),
]
# timm's vision transformer to mmsegmentation's.
VIT = [
    (r"\bpatch_embed\.proj\.", "patch_embed.projection."),
    (r"^norm\.", "ln1."),
    (r"\bblocks\.", "layers."),
    (r"\.norm(\d)\.", r".ln\1."),
    (r"\.attn\.qkv\.", ".attn.attn.in_proj_"),
    (r"\.attn\.proj\.", ".attn.attn.out_proj."),
    (r"\.mlp\.fc1\.", ".ffn.layers.0.0."),
    (r"\.mlp\.fc2\.", ".ffn.layers.1."),
]

# segmentation_models_pytorch's mit, which has the names of SegFormer's own code, to transformers 4's.
MIT_OF_SMP = [
    rule
    for stage in range(4)
    for rule in (
        (rf"^patch_embed{stage + 1}\.norm\.", f"encoder.patch_embeddings.{stage}.layer_norm."),
        (rf"^patch_embed{stage + 1}\.", f"encoder.patch_embeddings.{stage}."),
        (rf"^block{stage + 1}\.(\d+)\.norm(\d)\.", rf"encoder.block.{stage}.\1.layer_norm_\2."),
        (rf"^block{stage + 1}\.", f"encoder.block.{stage}."),
        (rf"^norm{stage + 1}\.", f"encoder.layer_norm.{stage}."),
    )
] + [
    (r"\.attn\.q\.", ".attention.self.query."),
    (r"\.attn\.kv\.", [".attention.self.key.", ".attention.self.value."]),
    (r"\.attn\.sr\.", ".attention.self.sr."),
    (r"\.attn\.norm\.", ".attention.self.layer_norm."),
    (r"\.attn\.proj\.", ".attention.output.dense."),
    (r"\.mlp\.fc(\d)\.", r".mlp.dense\1."),
]


def in_encoder(parts):
    """Of an encoder inside a network, where only its names change."""

    def inside(name):
        rest = name.removeprefix("encoder.")
        return [name] if rest == name else ["encoder." + part for part in parts(rest)]

    return inside
