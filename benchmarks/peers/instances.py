"""torchvision's Mask R-CNN from the pixels of an image to its objects, and what it is made of, on the CPU:

instances.py make FOLDER        weights, images and inputs of the parts; prints, by image, the least score of an object
instances.py predict WEIGHTS IMAGE LEAST_SCORE WARM_UP RUNS
instances.py roi_align|roi_align_backward|nms|paste_rle INPUTS WARM_UP RUNS
"""
import json
import os
import sys
import time

import numpy as np
import torch
from torchvision.io import decode_image, write_png
from torchvision.models.detection import maskrcnn_resnet50_fpn
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.ops import batched_nms, nms, roi_align

HEIGHT, WIDTH = 800, 1066  # of the network's input
CLASSES = 90


def build(least_score=0.05):
    torch.manual_seed(0)
    return maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, box_score_thresh=least_score).eval()


def image_of(file):
    return decode_image(file).float() / 255


def picture(height, width):
    """Blots of every size."""
    octaves = [torch.randn(1, 3, max(2, height // size), max(2, width // size)) * size**0.5 for size in (8, 32, 128)]
    total = sum(torch.nn.functional.interpolate(one, size=(height, width), mode="bicubic") for one in octaves)[0]
    return (total / total.std() * 50 + 128).clamp(0, 255).to(torch.uint8)


def least_score(net, image):
    """The one that lets 500 candidates into the last NMS, as trained weights would; at 0.05, random ones pass none."""
    seen = {}
    hook = net.roi_heads.box_predictor.register_forward_hook(lambda module, given, made: seen.update(logits=made[0]))
    with torch.inference_mode():
        net([image])
    hook.remove()
    return seen["logits"].softmax(-1)[:, 1:].flatten().topk(500).values[-1].item()


def boxes_of(count, size, objects=60):
    """Around some objects: size, in pixels, is that of the median."""
    x, y = torch.rand(objects) * WIDTH, torch.rand(objects) * HEIGHT
    sides = size * torch.randn(objects, 2).mul(0.5).exp()
    which = torch.randint(objects, (count,))
    width, height = (sides[which] * torch.randn(count, 2).mul(0.2).exp()).unbind(1)
    x = x[which] + torch.randn(count) * 0.15 * width
    y = y[which] + torch.randn(count) * 0.15 * height
    boxes = torch.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], 1)
    limits = torch.tensor([WIDTH, HEIGHT, WIDTH, HEIGHT])
    boxes = boxes.clamp(min=torch.zeros(4), max=limits)
    boxes[:, 2:] = torch.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    return boxes


def levels_of(boxes):
    sides = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).sqrt()
    return (4 + (sides / 224).log2() + 1e-6).floor().clamp(2, 5).long() - 2


def parts():
    """Inputs by name of the case: of sizes that an image of 800 x 1066 has."""
    boxes = torch.cat([boxes_of(250, size) for size in (32, 80, 160, 320)])
    yield "roi_align", {"boxes": boxes, "levels": levels_of(boxes),
                        **{f"features.{i}": torch.randn(1, 256, *size) for i, size in
                           enumerate([(200, 272), (100, 136), (50, 68), (25, 34)])}}
    boxes = torch.cat([boxes_of(1000, 32 * 2**level) for level in range(5)])
    yield "nms-proposals", {"boxes": boxes, "scores": torch.rand(5000), "classes": torch.arange(5).repeat_interleave(1000),
                            "iou_threshold": torch.tensor(0.7)}
    yield "nms-objects", {"boxes": boxes_of(500, 100, objects=20), "scores": torch.rand(500),
                          "classes": torch.randint(CLASSES, (500,)), "iou_threshold": torch.tensor(0.5)}
    yield "nms-one_class", {"boxes": boxes_of(5000, 100), "scores": torch.rand(5000), "iou_threshold": torch.tensor(0.5)}
    wave = torch.nn.functional.interpolate(torch.randn(100, 1, 5, 5), size=(28, 28), mode="bicubic")
    distance = torch.linspace(-1, 1, 28).square()
    masks = (4 * (0.8 - distance[:, None] - distance[None, :]) + 2 * wave).sigmoid()[:, 0]
    yield "paste_rle", {"boxes": torch.cat([boxes_of(25, size) for size in (32, 80, 160, 320)]), "masks": masks,
                        "image_size": torch.tensor([HEIGHT, WIDTH])}


def make(folder):
    net = build()
    with torch.no_grad():  # features of the size that training gives them: they double in each block otherwise
        for name, weight in net.backbone.body.named_parameters():
            if "bn3.weight" in name:
                weight.fill_(0.25)
    torch.save(net.state_dict(), os.path.join(folder, "weights.pth"))
    least = {}
    for name, size in (("image", (480, 640)), ("large", (HEIGHT, WIDTH))):
        file = os.path.join(folder, name + ".png")
        write_png(picture(*size), file)
        least[name] = least_score(net, image_of(file))
    for name, inputs in parts():
        torch.save(inputs, os.path.join(folder, name + ".pth"))
    print(json.dumps(least))


def timed(warm_up, runs, work):
    milliseconds = []
    for run in range(-warm_up, runs):
        answer = None  # not two at once
        start = time.perf_counter()
        answer = work()
        if run >= 0:
            milliseconds.append((time.perf_counter() - start) * 1e3)
    return milliseconds, answer


def predict(weights, file, least, *timing):
    net = build(float(least))
    net.load_state_dict(torch.load(weights))
    image = decode_image(file)
    with torch.inference_mode():
        ms, found = timed(*timing, lambda: net([image.float() / 255])[0])
    areas = (found["masks"] > 0.5).sum((1, 2, 3))
    return {"ms": ms, "scores": found["scores"].tolist(), "classes": (found["labels"] - 1).tolist(),
            "boxes": found["boxes"].flatten().tolist(), "areas": areas.tolist()}


def some(tensors):
    return [flat[i * (flat.numel() // 64)].item() for flat in map(torch.flatten, tensors) for i in range(64)]


def pooled(inputs, features):
    """As MultiScaleRoIAlign does."""
    boxes = torch.cat([torch.zeros(len(inputs["boxes"]), 1), inputs["boxes"]], 1)
    made = torch.zeros(len(boxes), 256, 7, 7)
    for level, of_level in enumerate(features):
        chosen = torch.where(inputs["levels"] == level)[0]
        made[chosen] = roi_align(of_level, boxes[chosen], 7, 1 / (4 << level), 2)
    return made


def forward(inputs, *timing):
    features = [inputs[f"features.{i}"] for i in range(4)]
    with torch.inference_mode():
        ms, made = timed(*timing, lambda: pooled(inputs, features))
    return {"ms": ms, "values": some([made])}


def backward(inputs, *timing):
    features = [inputs[f"features.{i}"].requires_grad_() for i in range(4)]
    made = pooled(inputs, features)
    gradient = torch.arange(made.numel(), dtype=torch.float64).mul(0.1).sin().float().view(made.shape)
    ms, found = timed(*timing, lambda: torch.autograd.grad(made, features, gradient, retain_graph=True))
    return {"ms": ms, "values": some(found)}


def suppressed(inputs, *timing):
    boxes, scores, threshold = inputs["boxes"], inputs["scores"], inputs["iou_threshold"].item()
    with torch.inference_mode():
        ms, kept = timed(*timing, lambda: batched_nms(boxes, scores, inputs["classes"], threshold)
                         if "classes" in inputs else nms(boxes, scores, threshold))
    return {"ms": ms, "kept": kept.tolist()}


def paste_rle(inputs, *timing):
    from pycocotools import mask

    def work():  # as torchvision's coco_eval.py
        masks = paste_masks_in_image(inputs["masks"][:, None], inputs["boxes"], inputs["image_size"].tolist()) > 0.5
        return [mask.encode(np.array(one[0, :, :, np.newaxis], dtype=np.uint8, order="F"))[0] for one in masks]
    with torch.inference_mode():
        ms, found = timed(*timing, work)
    return {"ms": ms, "areas": [int(mask.area(one)) for one in found]}


def main():
    action, *more = sys.argv[1:]
    if action == "make":
        make(*more)
        return
    timing = map(int, more[-2:])
    if action == "predict":
        print(json.dumps(predict(*more[:3], *timing)))
        return
    work = {"roi_align": forward, "roi_align_backward": backward, "nms": suppressed, "paste_rle": paste_rle}[action]
    print(json.dumps(work(torch.load(more[0]), *timing)))


if __name__ == "__main__":
    main()
