"""Segments one image in plain PyTorch: predict_torch.py WEIGHTS IMAGE OUTPUT WIDTH... ("make WEIGHTS WIDTH..." writes random weights)"""
import sys

import numpy as np
import torch
from PIL import Image

from unet import UNet

if sys.argv[1] == "make":
    torch.save(UNet(11, [int(width) for width in sys.argv[3:]]).state_dict(), sys.argv[2])
    raise SystemExit
net = UNet(11, [int(width) for width in sys.argv[4:]]).eval()
net.load_state_dict(torch.load(sys.argv[1], weights_only=True))
image = torch.from_numpy(np.asarray(Image.open(sys.argv[2]).convert("RGB"))).permute(2, 0, 1).float() / 255
mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
image = (image - mean[:, None, None]) / deviation[:, None, None]
with torch.inference_mode():
    labels = net(image[None])[0].argmax(0).to(torch.uint8)
Image.fromarray(labels.numpy()).save(sys.argv[3])
