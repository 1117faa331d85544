"""Expected values of DeepLabV3: python deeplabv3.py

Those of torchvision, with their auxiliary heads, and of segmentation_models_pytorch.
"""

import segmentation_models_pytorch as smp
import torchvision

import network

ODD, SMALL, EVEN = [[2, 3, 97, 75]], [[2, 3, 33, 48]], [[2, 3, 64, 96], [2, 3, 128, 64]]


def outputs(net, images):
    made = net(images)
    return [made["out"], made["aux"]] if net.training else [made["out"]]


def of_torchvision(backbone):
    make = getattr(torchvision.models.segmentation, f"deeplabv3_{backbone}")
    return make(weights=None, weights_backbone=None, aux_loss=True)


def of_smp(backbone, **more):
    net = smp.DeepLabV3(backbone, encoder_weights=None, classes=5, **more)
    if backbone.startswith("efficientnet"):
        net.encoder._drop_connect_rate = 0.0
    return net


def main():
    networks = {
        "resnet50": network.expected(of_torchvision("resnet50"), ODD, outputs),
        "resnet101": network.expected(of_torchvision("resnet101"), SMALL, outputs),
        "mobilenet_v3_large": network.expected(of_torchvision("mobilenet_v3_large"), ODD, outputs),
    }
    for name, net in {
        "smp_resnet18": of_smp("resnet18"),
        "smp_resnet18_separable": of_smp(
            "resnet18",
            encoder_output_stride=16,
            decoder_channels=48,
            decoder_atrous_rates=(2, 3, 5),
            decoder_aspp_separable=True,
        ),
        "smp_mobilenet_v2": of_smp("mobilenet_v2"),
        "smp_efficientnet_b0": of_smp("efficientnet-b0"),
    }.items():
        networks[name] = network.expected(net, EVEN, lambda net, images: [net(images)])
    network.write(__file__, networks)


if __name__ == "__main__":
    main()
