"""Segments one image with torchvision's light network: predict_torchvision.py WEIGHTS IMAGE OUTPUT ("make WEIGHTS" writes random weights)"""
import sys

import torch
import torchvision
from torchvision.io import decode_image, write_png
from torchvision.transforms import v2

net = torchvision.models.segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None)
if sys.argv[1] == "make":
    torch.save(net.state_dict(), sys.argv[2])
    raise SystemExit
net.eval().load_state_dict(torch.load(sys.argv[1], weights_only=True))
transform = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))])
image = transform(decode_image(sys.argv[2]))[None]
with torch.inference_mode():
    labels = net(image)["out"].argmax(1).to(torch.uint8)
write_png(labels, sys.argv[3])
