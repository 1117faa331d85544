"""Expected values of the networks with any backbone (segmentation_models_pytorch 0.6.0).

    python tests/parity/decoders.py   # with torch 2.11 and segmentation_models_pytorch 0.6.0
"""

import segmentation_models_pytorch as smp

import network
from renamed import MIT_OF_SMP, Renamed, by_rules, in_encoder

BACKBONES = {"resnet18": "resnet18", "mobilenet_v2": "mobilenet_v2", "efficientnet_b0": "efficientnet-b0"}
MODELS = {
    "unet_encoder": smp.Unet,
    "unetplusplus": smp.UnetPlusPlus,
    "deeplabv3plus": smp.DeepLabV3Plus,
    "fpn": smp.FPN,
    "pspnet": smp.PSPNet,
    "linknet": smp.Linknet,
}
VARIANTS = {
    "unet_encoder scse": ("unet_encoder", {"decoder_attention_type": "scse", "decoder_interpolation": "bilinear"}),
    "unet_encoder depth 3": (
        "unet_encoder",
        {"encoder_depth": 3, "decoder_channels": [24, 16, 8], "decoder_use_norm": False},
    ),
    "unetplusplus scse": ("unetplusplus", {"decoder_attention_type": "scse", "decoder_interpolation": "bilinear"}),
    "unetplusplus depth 3": ("unetplusplus", {"encoder_depth": 3, "decoder_channels": [24, 16, 8]}),
    "deeplabv3plus stride 8": (
        "deeplabv3plus",
        {"encoder_output_stride": 8, "decoder_atrous_rates": [2, 3, 5], "decoder_aspp_separable": False},
    ),
    "deeplabv3plus depth 4": ("deeplabv3plus", {"encoder_depth": 4, "decoder_channels": 40}),
    "fpn cat": ("fpn", {"decoder_merge_policy": "cat", "decoder_interpolation": "bilinear"}),
    # The original enlarges by 4 at any depth, unless it is told what makes the image's size.
    "fpn depth 4": ("fpn", {"encoder_depth": 4, "upsampling": 2, "decoder_pyramid_channels": 48}),
    "fpn depth 3": ("fpn", {"encoder_depth": 3, "upsampling": 1, "decoder_segmentation_channels": 64}),
    "pspnet depth 5": ("pspnet", {"encoder_depth": 5, "upsampling": 32, "psp_out_channels": 96}),
    "pspnet bare": ("pspnet", {"decoder_use_norm": False}),
    "linknet depth 4": ("linknet", {"encoder_depth": 4}),
    "linknet bare": ("linknet", {"decoder_use_norm": False}),
}
# Of these networks, those that the original makes with a mix transformer; it refuses UnetPlusPlus and Linknet.
WITH_MIT = {
    "unet_encoder mit_b0": ("unet_encoder", {}),
    "unet_encoder scse mit_b0": ("unet_encoder", {"decoder_attention_type": "scse"}),
    "deeplabv3plus mit_b0": ("deeplabv3plus", {}),
    "deeplabv3plus stride 8 mit_b0": ("deeplabv3plus", {"encoder_output_stride": 8}),
    "fpn mit_b0": ("fpn", {}),
    "pspnet mit_b0": ("pspnet", {}),
}


def shapes(model):
    if model == "unet_encoder":
        return [[2, 3, 97, 75], [1, 3, 64, 96]]
    # Batch norm of a pooled image needs two images.
    return [[2, 3, 64, 96], [2, 3, 128, 64]]


def of(model, backbone, options, cases=slice(None)):
    net = MODELS[model](backbone, encoder_weights=None, classes=5, **options)
    if backbone.startswith("efficientnet"):
        net.encoder._drop_connect_rate = 0.0
    if backbone.startswith("mit"):
        net = Renamed(net, in_encoder(by_rules(MIT_OF_SMP)))
    return network.expected(net, shapes(model)[cases], lambda net, images: [net(images)], samples=12)


networks = {
    f"{model} {name}": of(model, backbone, {}) for model in MODELS for name, backbone in BACKBONES.items()
}
for name, (model, options) in VARIANTS.items():
    networks[name] = of(model, "resnet18", options, slice(1))
for name, (model, options) in WITH_MIT.items():
    networks[name] = of(model, "mit_b0", options, slice(1) if "scse" in name else slice(None))
network.write(__file__, networks)
