"""Networks of segmentation_models_pytorch and torchvision on one image:

inference.py make MODEL WEIGHTS ONNX SIZE, then inference.py eager|channels_last|onnxruntime MODEL FILE SIZE WARM_UP RUNS
"""
import json
import os
import sys
import time

import torch

CLASSES = 21


class Logits(torch.nn.Module):
    """torchvision's networks return a dictionary."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, images):
        return self.net(images)["out"]


def build(name):
    torch.manual_seed(0)
    if name == "unet_resnet34":
        import segmentation_models_pytorch as smp
        return smp.Unet("resnet34", encoder_weights=None, classes=CLASSES).eval()
    from torchvision.models import segmentation
    return Logits(getattr(segmentation, name)(weights=None, weights_backbone=None, num_classes=CLASSES)).eval()


def state_of(net):
    return getattr(net, "net", net).state_dict()


def image(size):
    return torch.arange(3 * size * size, dtype=torch.float64).mul(0.1).sin().float().view(1, 3, size, size)


def make(name, weights, onnx, size):
    net = build(name)
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
    net = build(name)
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
