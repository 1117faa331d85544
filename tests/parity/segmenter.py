"""Expected values of Segmenter, logits at the size of the image:

    python tests/parity/segmenter.py   # with mmsegmentation 1.2.2, mmengine 0.10.7 and mmcv-lite 2.1.0

With position embeddings for 512 x 512, and for 640 x 640 with vit_large, as mmsegmentation's configurations have them.
"linear" is the linear decoder, which mmsegmentation makes of a head for fully convolutional networks.
"""

import mmseg_operators  # noqa: F401
import network
from mmseg.models.segmentors import EncoderDecoder
from mmseg.utils import register_all_modules

ODD, OWN, SMALL, WIDE = [2, 3, 75, 99], [1, 3, 512, 512], [1, 3, 51, 90], [1, 3, 64, 96]
SIZES = {"vit_tiny": (192, 12, 3), "vit_small": (384, 12, 6), "vit_base": (768, 12, 12), "vit_large": (1024, 24, 16)}


def original(name, linear=False):
    width, depth, heads = SIZES[name]
    side = 640 if name == "vit_large" else 512
    backbone = {
        "type": "VisionTransformer",
        "img_size": (side, side),
        "embed_dims": width,
        "num_layers": depth,
        "num_heads": heads,
        "drop_path_rate": 0.0,
        "final_norm": True,
        "norm_cfg": {"type": "LN", "eps": 1e-6, "requires_grad": True},
        "interpolate_mode": "bicubic",
    }
    head = {"in_channels": width, "channels": width, "num_classes": 150, "dropout_ratio": 0.0}
    if linear:
        head |= {"type": "FCNHead", "num_convs": 0, "concat_input": False}
    else:
        head |= {
            "type": "SegmenterMaskTransformerHead",
            "num_layers": 2,
            "num_heads": heads,
            "embed_dims": width,
            "drop_path_rate": 0.0,
        }
    return EncoderDecoder(backbone=backbone, decode_head=head, test_cfg={"mode": "whole"})


def enlarged(net, images):
    return [net.encode_decode(images, [{"img_shape": tuple(images.shape[2:])}])]


def main():
    register_all_modules(init_default_scope=True)
    networks = {"vit_tiny": network.expected(original("vit_tiny"), [ODD], enlarged, 24, only_eval=[OWN])}
    assert networks["vit_tiny"]["parameters"] == 6713196  # of the published network
    for name in ("vit_small", "vit_base", "vit_large"):
        networks[name] = network.expected(original(name), [SMALL], enlarged, 8, only_eval=[WIDE])
    for name in SIZES:
        networks[f"{name} linear"] = network.expected(original(name, linear=True), [SMALL], enlarged, 8)
    network.write(__file__, networks)


if __name__ == "__main__":
    main()
