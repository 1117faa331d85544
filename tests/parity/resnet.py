"""Expected values of ResNets alone, all levels: python resnet.py

Needs torchvision, timm and segmentation_models_pytorch, and mmsegmentation 1.2.2 with mmengine 0.10.7 and mmcv-lite 2.1.0.
"""

import segmentation_models_pytorch as smp
import timm
import torchvision

import mmseg_operators  # noqa: F401
import network
from mmseg.models.backbones import ResNetV1c

ODD, EVEN, SMALL = [2, 3, 97, 75], [1, 3, 64, 96], [2, 3, 65, 64]


def levels(net, images):
    """Of torchvision's, and of timm's, whose first activation has another name."""
    activation = net.act1 if hasattr(net, "act1") else net.relu
    x = activation(net.bn1(net.conv1(images)))
    made = [x]
    x = net.maxpool(x)
    for layer in (net.layer1, net.layer2, net.layer3, net.layer4):
        x = layer(x)
        made.append(x)
    return made


def of_smp(net, images):
    return net(images)[1:]


def of_mmseg(net, images):
    stem = []
    hook = net.stem.register_forward_hook(lambda module, inputs, output: stem.append(output.clone()))
    levels = list(net(images))
    hook.remove()
    return stem + levels


def v1c(depth, dilated=False, **more):
    strides = {"strides": (1, 2, 1, 1), "dilations": (1, 1, 2, 4)} if dilated else {}
    return ResNetV1c(depth=depth, norm_cfg={"type": "BN", "requires_grad": True}, **strides, **more)


def main():
    expected = network.expected
    networks = {}
    for name in ("resnet18", "resnet34", "resnet50", "resnext50_32x4d", "wide_resnet50_2"):
        networks[name] = expected(torchvision.models.get_model(name), [ODD], levels)
    for name in ("resnet101", "resnet152", "resnext101_32x8d"):
        networks[name] = expected(torchvision.models.get_model(name), [SMALL], levels, 8)
    networks["resnet18_os8"] = expected(timm.create_model("resnet18", output_stride=8), [ODD], levels)
    networks["resnet18_os16"] = expected(timm.create_model("resnet18", output_stride=16), [EVEN], levels)
    dilated = {"replace_stride_with_dilation": [False, True, True]}
    networks["resnet50_os8"] = expected(torchvision.models.resnet50(**dilated), [ODD], levels)
    dilated = {"replace_stride_with_dilation": [False, False, True]}
    networks["resnet50_os16"] = expected(torchvision.models.resnet50(**dilated), [EVEN], levels)
    for name in ("resnet18", "resnet50"):
        for stride in (8, 16):
            net = smp.encoders.get_encoder(name, weights=None, output_stride=stride)
            networks[f"{name}_smp_os{stride}"] = expected(net, [EVEN], of_smp)
    for depth in (18, 34, 50):
        networks[f"resnet{depth}_v1c"] = expected(v1c(depth), [ODD], of_mmseg)
    for depth in (101, 152):
        networks[f"resnet{depth}_v1c"] = expected(v1c(depth), [SMALL], of_mmseg, 8)
    for depth in (18, 50):
        networks[f"resnet{depth}_v1c_os8"] = expected(v1c(depth, True, contract_dilation=True), [ODD], of_mmseg)
        networks[f"resnet{depth}_v1c_first_os8"] = expected(v1c(depth, True), [EVEN], of_mmseg)
    network.write(__file__, networks)


if __name__ == "__main__":
    main()
