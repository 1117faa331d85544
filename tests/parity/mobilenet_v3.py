"""Features of MobileNetV3: torchvision 0.26's, as its segmentation networks take them."""

import torch
import torchvision

from network import expected, write

LEVELS = {"large": (0, 2, 4, 7, 16), "small": (0, 1, 2, 4, 12)}


def trunk(size, dilated=False):
    return getattr(torchvision.models, f"mobilenet_v3_{size}")(dilated=dilated).features


def levels(size):
    def outputs(net, images):
        found, x = [], images
        for index, layer in enumerate(net):
            x = layer(x)
            if index in LEVELS[size]:
                found.append(x.clone())
        return found

    return outputs


def at_stride_8(net, first, last):
    """As torchvision dilates the last stage, for two stages: dilation 2 from `first` on, 4 from `last` on."""
    for index in range(first, 16):
        rate = 4 if index >= last else 2
        for module in net[index].modules():
            if isinstance(module, torch.nn.Conv2d) and module.groups > 1:
                padding = module.kernel_size[0] // 2 * rate
                module.stride, module.dilation, module.padding = (1, 1), (rate, rate), (padding, padding)
    return net


odd, even, small = [2, 3, 97, 75], [2, 3, 64, 32], [2, 3, 49, 37]
write(
    __file__,
    {
        "large": expected(trunk("large"), [odd, even], levels("large")),
        "large_dilated": expected(trunk("large", True), [small], levels("large")),
        "large_stride_8": expected(at_stride_8(trunk("large"), 7, 13), [small], levels("large")),
        "small": expected(trunk("small"), [odd], levels("small")),
        "small_dilated": expected(trunk("small", True), [small], levels("small")),
    },
)
