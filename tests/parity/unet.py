"""Writes the expected values of U-Net: python unet.py PATH_OF_A_CHECKOUT_OF_milesial/Pytorch-UNet"""

import sys

import torch

import name_hash

sys.path.insert(0, sys.argv[1])
from unet import UNet  # noqa: E402

CLASSES = 5

for up in ("transposed", "bilinear"):
    net = UNet(n_channels=3, n_classes=CLASSES, bilinear=up == "bilinear").eval()
    name_hash.fill(net)
    cases = []
    for shape in ([1, 3, 64, 96], [2, 3, 75, 101]):
        with torch.no_grad():
            cases.append({"input": shape, "outputs": [net(name_hash.picture(*shape))]})
    name_hash.write(__file__, f"unet_{up}", net, cases)
