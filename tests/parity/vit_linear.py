"""Expected values of the linear head of the papers on DINO (batch norm and a 1x1 convolution of the patches, enlarged):

    python tests/parity/vit_linear.py   # with timm 1.0.31, transformers 5.23, and mmsegmentation 1.2.2 for vit.py

The backbones are the originals'; the head is the papers', of PyTorch's layers.
"""

import torch

import network
from dinov2 import MASK_TOKEN, net_of
from dinov2 import as_map as dinov2_map
from renamed import DINOV2, VIT, Renamed, by_rules
from vit import as_map as timm_map
from vit import timm_net

CLASSES = 5


class Head(torch.nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.bn = torch.nn.BatchNorm2d(channels)
        self.conv_seg = torch.nn.Conv2d(channels, CLASSES, 1)


class Network(torch.nn.Module):
    def __init__(self, backbone, channels):
        super().__init__()
        self.backbone, self.decode_head = backbone, Head(channels)

    def forward(self, images):
        logits = self.decode_head.conv_seg(self.decode_head.bn(self.backbone(images)[0]))
        return [torch.nn.functional.interpolate(logits, images.shape[2:], mode="bilinear", align_corners=False)]


def main():
    networks = {}
    backbone = Renamed(timm_net("vit_tiny"), by_rules(VIT), timm_map)
    networks["vit_tiny"] = network.expected(Network(backbone, 192), [[2, 3, 70, 90]], network.run, 12)
    for registers, name in ((False, "dinov2_small"), (True, "dinov2_small registers")):
        backbone = Renamed(net_of("dinov2_small", registers, 98), by_rules(DINOV2), dinov2_map)
        networks[name] = network.expected(Network(backbone, 384), [[2, 3, 70, 98]], network.run, 12)
        assert networks[name]["unused"] == ["backbone." + token for token in MASK_TOKEN]
    network.write(__file__, networks)


if __name__ == "__main__":
    main()
