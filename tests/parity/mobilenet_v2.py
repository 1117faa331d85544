"""Features of MobileNetV2: segmentation_models_pytorch 0.6.0's encoder, which is torchvision 0.26's network."""

import torch
from segmentation_models_pytorch.encoders import get_encoder
from torchvision.models import MobileNetV2

from network import expected, write

LEVELS = (1, 3, 6, 13)  # indexes in `features` of all levels but the last


def encoder(**options):
    return get_encoder("mobilenet_v2", weights=None, **options)


def features(net, images):
    return net(images)[1:]


def without_classifier(width_mult, last_conv=True, round_nearest=8):
    net = MobileNetV2(width_mult=width_mult, round_nearest=round_nearest)
    del net.classifier
    if not last_conv:
        del net.features[18]
    return net


def levels(net, images):
    found, x = [], images
    for index, layer in enumerate(net.features):
        x = layer(x)
        if index in LEVELS or index == len(net.features) - 1:
            found.append(x)
    return found


def as_in_tensorflow(net):
    """Output stride 8: rates 1 for blocks up to 7, 2 for 8 to 14, 4 for 15 to 17, without strides from block 7 on."""
    for index in range(7, 18):
        rate = 1 if index == 7 else 2 if index <= 14 else 4
        for module in net.features[index].modules():
            if isinstance(module, torch.nn.Conv2d) and module.groups > 1:
                module.stride, module.dilation, module.padding = (1, 1), (rate, rate), (rate, rate)
    return net


odd, even, small = [2, 3, 97, 75], [2, 3, 64, 32], [2, 3, 49, 37]
write(
    __file__,
    {
        "mobilenet_v2": expected(encoder(), [odd, even], features),
        "output_stride_16": expected(encoder(output_stride=16), [small], features),
        "output_stride_8": expected(encoder(output_stride=8), [small], features),
        "tensorflow_stride_8": expected(as_in_tensorflow(without_classifier(0.5, False, 1)), [small], levels),
        "width_1.4": expected(without_classifier(1.4), [[2, 3, 32, 64]], levels),
    },
)
