"""Expected values of vision transformers with patches of 16, the last level after its norm:

    python tests/parity/vit.py   # with timm 1.0.31, and mmsegmentation 1.2.2, mmengine 0.10.7 and mmcv-lite 2.1.0

All have position embeddings for 224 x 224. timm's are resized by bicubic interpolation with antialias, mmsegmentation's
without. Both fill up images at the right and at the bottom; timm where it is told so.
"""

import timm
import torch

import mmseg_operators  # noqa: F401
import network
from mmseg.models.backbones import VisionTransformer
from renamed import VIT, InFloat64, Renamed, by_rules

ODD, OWN, WIDE, SMALL = [2, 3, 70, 90], [1, 3, 224, 224], [1, 3, 64, 96], [1, 3, 51, 90]


def timm_net(name):
    return timm.create_model(f"{name}_patch16_224", num_classes=0, dynamic_img_size=True, dynamic_img_pad=True)


def as_map(net, images):
    """Of timm's: [N, C, ceil(H / 16), ceil(W / 16)]."""
    with InFloat64():
        tokens = net.forward_features(images)[:, 1:]
    height, width = (-(-side // 16) for side in images.shape[2:])
    return [tokens.transpose(1, 2).unflatten(2, (height, width))]


def mmseg_net(size=224, width=192, depth=12, heads=3):
    return VisionTransformer(
        img_size=(size, size),
        embed_dims=width,
        num_layers=depth,
        num_heads=heads,
        final_norm=True,
        norm_cfg={"type": "LN", "eps": 1e-6},
    )


def main():
    networks = {}
    for name, trained, evaluated in (
        ("vit_tiny", [ODD], [OWN, WIDE]),
        ("vit_small", [SMALL], [WIDE]),
        ("vit_base", [SMALL], [WIDE]),
        ("vit_large", [SMALL], [WIDE]),
    ):
        net = Renamed(timm_net(name), by_rules(VIT), as_map)
        networks[name] = network.expected(net, trained, network.run, 12, only_eval=evaluated)
    networks["vit_tiny mmseg"] = network.expected(
        mmseg_net(), [ODD], lambda net, images: list(net(images)), 12, only_eval=[OWN, WIDE]
    )
    network.write(__file__, networks)


if __name__ == "__main__":
    main()
