"""LR-ASPP on MobileNetV3-Large: torchvision 0.26's."""

from torchvision.models.segmentation import lraspp_mobilenet_v3_large

from network import expected, write


def logits(net, images):
    return [net(images)["out"]]


net = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=21)
write(__file__, {"lraspp": expected(net, [[2, 3, 97, 75], [2, 3, 64, 96]], logits)})
