"""Expected values of resized position embeddings, all of them, by the tools' own functions in float64:

    python tests/parity/position_embedding.py   # with timm 1.0.31, transformers 5.23, and mmsegmentation 1.2.2

The input is [1, prefix + side * side, 2]: the numbers of name_hash.uniform("position embeddings").
"""

import json
from pathlib import Path

import torch
from timm.layers import resample_abs_pos_embed
from transformers import Dinov2Config, Dinov2Model, Dinov2WithRegistersConfig, Dinov2WithRegistersModel

import mmseg_operators  # noqa: F401
import name_hash
from mmseg.models.backbones import VisionTransformer
from renamed import InFloat64

CHANNELS = 2
GRIDS = [(4, 5, 7), (4, 2, 3), (14, 9, 9), (7, 7, 7), (4, 2, 9)]  # side → rows x columns


def by_mmseg(mode):
    return lambda positions, prefix, side, size: VisionTransformer.resize_pos_embed(positions, size, (side, side), mode)


def by_timm(positions, prefix, side, size):
    return resample_abs_pos_embed(positions, size, (side, side), num_prefix_tokens=prefix)


def by_transformers(network, configuration):
    """Its position embeddings never count the registers."""

    def resize(positions, prefix, side, size):
        options = {"hidden_size": CHANNELS, "num_attention_heads": 1, "num_hidden_layers": 1}
        net = network(configuration(image_size=14 * side, patch_size=14, **options)).double()
        net.embeddings.position_embeddings.data = positions
        tokens = torch.zeros(1, 1 + size[0] * size[1], CHANNELS)
        return net.embeddings.interpolate_pos_encoding(tokens, 14 * size[0], 14 * size[1])

    return resize


TOOLS = [
    ("mmsegmentation", "bicubic", by_mmseg("bicubic"), [1]),
    ("mmsegmentation", "bilinear", by_mmseg("bilinear"), [1]),
    ("timm", "bicubic_antialias", by_timm, [0, 1, 5]),
    ("transformers' DINOv2", "bicubic", by_transformers(Dinov2Model, Dinov2Config), [1]),
    (
        "transformers' DINOv2 with registers",
        "bicubic_antialias",
        by_transformers(Dinov2WithRegistersModel, Dinov2WithRegistersConfig),
        [1],
    ),
]


def cases():
    for tool, how, resize, prefixes in TOOLS:
        for prefix in prefixes:
            # One grid tells how the tokens before it are treated.
            for side, rows, columns in GRIDS if prefix == 1 else GRIDS[:1]:
                shape = (1, prefix + side * side, CHANNELS)
                count = shape[1] * CHANNELS
                positions = torch.from_numpy(name_hash.uniform("position embeddings", count)).view(shape)
                with InFloat64(), torch.no_grad():
                    made = resize(positions, prefix, side, (rows, columns))
                assert made.shape == (1, prefix + rows * columns, CHANNELS)
                yield {
                    "tool": tool,
                    "interpolate": how,
                    "prefix": prefix,
                    "side": side,
                    "size": [rows, columns],
                    "values": [float(f"{value:.10g}") for value in made.flatten().tolist()],
                }


lines = [json.dumps(case) for case in cases()]
Path(__file__).with_suffix(".json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
