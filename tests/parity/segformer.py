"""Expected values of SegFormer, logits at the size of the image:

    python tests/parity/segformer.py   # with transformers 5.23
"""

import torch
from transformers import SegformerForSemanticSegmentation

import network
from mit import SIZES, SMALL, configuration
from renamed import SEGFORMER, Renamed, by_rules

ODD, OWN, WIDE = [2, 3, 97, 75], [1, 3, 512, 512], [1, 3, 480, 640]


def enlarged(net, images):
    """As the original's loss does."""
    logits = net(images).logits
    return [torch.nn.functional.interpolate(logits, images.shape[2:], mode="bilinear", align_corners=False)]


def original(name):
    width = 256 if name in ("mit_b0", "mit_b1") else 768
    net = SegformerForSemanticSegmentation(configuration(name, num_labels=150, decoder_hidden_size=width))
    return Renamed(net, by_rules(SEGFORMER), enlarged)


def main():
    networks = {"mit_b0": network.expected(original("mit_b0"), [ODD], network.run, 24, only_eval=[OWN, WIDE])}
    for name in list(SIZES)[1:]:
        networks[name] = network.expected(original(name), [SMALL], network.run, 8)
    assert set(networks) == set(SIZES)
    network.write(__file__, networks)


if __name__ == "__main__":
    main()
