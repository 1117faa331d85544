"""Networks of segmentation_models_pytorch, torchvision, transformers and timm on one image:

inference.py make MODEL WEIGHTS ONNX SIZE, then inference.py eager|channels_last|onnxruntime MODEL FILE SIZE WARM_UP RUNS
"""
import collections
import json
import os
import sys
import time

import torch

CLASSES, TRANSFORMER_CLASSES = 21, 150


class Logits(torch.nn.Module):
    """torchvision's networks return a dictionary."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, images):
        return self.net(images)["out"]


class VitLinear(torch.nn.Module):
    """ViT-S/16 with a linear head: batch norm and 1x1 convolution."""

    def __init__(self, classes, size):
        super().__init__()
        import timm
        self.backbone = timm.create_model("vit_small_patch16_224", img_size=size, num_classes=0)
        width = self.backbone.embed_dim
        self.decode_head = torch.nn.Sequential(collections.OrderedDict(
            bn=torch.nn.BatchNorm2d(width), conv_seg=torch.nn.Conv2d(width, classes, 1)))

    def forward(self, images):
        tokens = self.backbone.forward_features(images)[:, self.backbone.num_prefix_tokens:]
        features = tokens.transpose(1, 2).unflatten(2, self.backbone.patch_embed.grid_size)
        return torch.nn.functional.interpolate(self.decode_head(features), size=images.shape[2:], mode="bilinear")


def build(name, size):
    torch.manual_seed(0)
    if name == "unet_resnet34":
        import segmentation_models_pytorch as smp
        return smp.Unet("resnet34", encoder_weights=None, classes=CLASSES).eval()
    if name == "segformer_b0":
        from segformer import SegFormer
        return SegFormer(TRANSFORMER_CLASSES).eval()
    if name == "vit_small_linear":
        return VitLinear(TRANSFORMER_CLASSES, size).eval()
    from torchvision.models import segmentation
    return Logits(getattr(segmentation, name)(weights=None, weights_backbone=None, num_classes=CLASSES)).eval()


def state_of(net):
    return getattr(net, "net", net).state_dict()


def image(size):
    return torch.arange(3 * size * size, dtype=torch.float64).mul(0.1).sin().float().view(1, 3, size, size)


def make(name, weights, onnx, size):
    net = build(name, size)
    with torch.no_grad():  # statistics that say something
        for norm in net.modules():
            if isinstance(norm, torch.nn.BatchNorm2d):
                norm.running_mean.normal_(0, 0.1)
                norm.running_var.uniform_(0.8, 1.2)
    torch.save(state_of(net), weights)
    torch.onnx.export(net, (image(size),), onnx, opset_version=17, dynamo=False)


def forward_of(variant, name, file, size):
    if variant == "onnxruntime":
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        images = image(size).numpy()
        return lambda: torch.from_numpy(session.run(None, {session.get_inputs()[0].name: images})[0])
    net = build(name, size)
    getattr(net, "net", net).load_state_dict(torch.load(file))
    images = image(size)
    if variant == "channels_last":
        net, images = net.to(memory_format=torch.channels_last), images.to(memory_format=torch.channels_last)
    return lambda: net(images)


def main():
    if sys.argv[1] == "make":
        make(*sys.argv[2:5], int(sys.argv[5]))
        return
    size, warm_up, runs = map(int, sys.argv[4:7])
    forward = forward_of(*sys.argv[1:4], size)
    milliseconds = []
    with torch.inference_mode():
        for run in range(-warm_up, runs):
            start = time.perf_counter()
            logits = forward()
            if run >= 0:
                milliseconds.append((time.perf_counter() - start) * 1e3)
    flat = logits.contiguous().flatten()
    print(json.dumps({"ms": milliseconds, "logits": [flat[i * (flat.numel() // 32)].item() for i in range(32)]}))


if __name__ == "__main__":
    main()
