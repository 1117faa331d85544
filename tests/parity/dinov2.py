"""Expected values of DINOv2's vision transformers with patches of 14, the patches after the last norm:

    python tests/parity/dinov2.py   # with transformers 5.23

Position embeddings are for 518 x 518, those of "... 98" for 98 x 98. They are resized by bicubic interpolation, with
antialias only in the networks with registers. What is left of an image beyond a multiple of 14 is not looked at. The
mask token has no use outside training without labels.
"""

from transformers import Dinov2Config, Dinov2Model, Dinov2WithRegistersConfig, Dinov2WithRegistersModel

import network
from renamed import DINOV2, InFloat64, Renamed, by_rules

ODD, WIDE, OWN, LARGER = [1, 3, 75, 99], [1, 3, 56, 70], [1, 3, 98, 98], [1, 3, 126, 70]
SIZES = {"dinov2_small": (384, 12, 6), "dinov2_base": (768, 12, 12), "dinov2_large": (1024, 24, 16)}
MASK_TOKEN = ["embeddings.mask_token"]


def as_map(net, images):
    """[N, C, H // 14, W // 14]."""
    registers = getattr(net.config, "num_register_tokens", 0)
    with InFloat64():
        tokens = net(images).last_hidden_state[:, 1 + registers :]
    return [tokens.transpose(1, 2).unflatten(2, tuple(side // 14 for side in images.shape[2:]))]


def net_of(name, registers=False, size=518):
    width, depth, heads = SIZES[name]
    options = {"hidden_size": width, "num_hidden_layers": depth, "num_attention_heads": heads, "image_size": size}
    if registers:
        return Dinov2WithRegistersModel(Dinov2WithRegistersConfig(patch_size=14, num_register_tokens=4, **options))
    return Dinov2Model(Dinov2Config(patch_size=14, **options))


def original(*arguments):
    return Renamed(net_of(*arguments), by_rules(DINOV2), as_map)


def main():
    networks = {}
    for registers, suffix in ((False, ""), (True, " registers")):
        for name in SIZES:
            net = original(name, registers)
            networks[name + suffix] = network.expected(
                net, [ODD], network.run, 8, only_eval=[WIDE], unused=MASK_TOKEN
            )
        net = original("dinov2_small", registers, 98)
        networks[f"dinov2_small{suffix} 98"] = network.expected(
            net, [], network.run, 12, only_eval=[OWN, LARGER], unused=MASK_TOKEN
        )
    network.write(__file__, networks)


if __name__ == "__main__":
    main()
