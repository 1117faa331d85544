"""Expected values of Mask R-CNN: SECTILE_DATA=FOLDER python mask_rcnn.py

torchvision 0.26's, v1 with frozen batch norm and v2, in float64, on parts of three images of coco128 that are given at
the network's size; and its losses, with all anchors and proposals counted, so that nothing is drawn at random.
"""

import json
import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.models.detection import MaskRCNN, maskrcnn_resnet50_fpn_v2
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.models.resnet import resnet50
from torchvision.ops.misc import FrozenBatchNorm2d

import name_hash
import network

IMAGES = ["000000000061", "000000000394", "000000000474"]
HEIGHT, WIDTH = 160, 224
OPTIONS = {"min_size": HEIGHT, "max_size": WIDTH, "image_mean": [0, 0, 0], "image_std": [1, 1, 1], "num_classes": 91,
           "box_score_thresh": 0.0, "rpn_pre_nms_top_n_train": 200, "rpn_pre_nms_top_n_test": 200,
           "rpn_post_nms_top_n_train": 60, "rpn_post_nms_top_n_test": 60, "box_detections_per_img": 30}
ALL = {"rpn_batch_size_per_image": 10**7, "box_batch_size_per_image": 10**7, "rpn_positive_fraction": 0.5}


def part(name):
    file = Path(os.environ["SECTILE_DATA"]) / "coco128/train2017" / f"{name}.jpg"
    pixels = np.asarray(Image.open(file).convert("RGB"))[:HEIGHT, :WIDTH]
    return torch.from_numpy(pixels.astype(np.float64) / 255 - 0.45).permute(2, 0, 1).contiguous()


def target(index):
    """Three objects: their boxes, and ellipses in them."""
    boxes = torch.tensor([[20.0, 30, 100, 110], [60, 40, 210, 150], [170, 10, 200, 60]], dtype=torch.float64) + index * 5
    y, x = torch.meshgrid(torch.arange(HEIGHT) + 0.5, torch.arange(WIDTH) + 0.5, indexing="ij")
    masks = []
    for left, top, right, bottom in boxes.tolist():
        masks.append(((x - (left + right) / 2) / (right - left)) ** 2 + ((y - (top + bottom) / 2) / (bottom - top)) ** 2 <= 0.25)
    return {"boxes": boxes, "labels": torch.tensor([1, 17, 90]), "masks": torch.stack(masks).to(torch.uint8)}


def v1(**more):
    body = resnet50(weights=None, norm_layer=FrozenBatchNorm2d)
    return MaskRCNN(_resnet_fpn_extractor(body, 5), **OPTIONS, **more)


def v2(**more):
    return maskrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None, **OPTIONS, **more)


# Logits of a few units, as trained networks have: where they are huge, scores are equal, and their order is by chance.
FACTORS = {"v1": {"bbox_pred": 0.02, "cls_score": 0.001, "cls_logits": 0.002, "mask_fcn_logits": 0.01},
           "v2": {"bbox_pred": 0.002, "cls_score": 0.001, "cls_logits": 0.002, "mask_fcn_logits": 0.01}}


def filled(net, version):
    net = net.double()
    name_hash.fill(net)
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            for part_of_name, factor in FACTORS[version].items():
                if part_of_name in name:
                    tensor.mul_(factor)
    return net


def detections(net):
    net.eval()
    cases = []
    for name in IMAGES:
        seen = {}
        hook = net.rpn.register_forward_hook(lambda module, given, made: seen.update(proposals=made[0][0]))
        masks = net.roi_heads.mask_predictor.register_forward_hook(lambda module, given, made: seen.update(masks=made))
        with torch.no_grad():
            found = net([part(name)])[0]
        hook.remove()
        masks.remove()
        labels, scores = found["labels"], found["scores"]
        # Of equal scores, the order is by chance.
        assert (scores[:-1] - scores[1:]).min() > 1e-9, (name, (scores[:-1] - scores[1:]).min())
        small = seen["masks"][torch.arange(len(labels)), labels].sigmoid()
        cases.append({"image": name, "classes": (labels - 1).tolist(),
                      **{key: network._sample(value, 40) for key, value in
                         {"proposals": seen["proposals"], "boxes": found["boxes"], "scores": found["scores"],
                          "masks": small}.items()},
                      "areas": (found["masks"][:, 0] > 0.5).sum((1, 2)).tolist()})
    return cases


def losses(net):
    net.train()
    made = net([part(name) for name in IMAGES[:2]], [target(0), target(1)])
    sum(made.values()).backward()
    gradients = {name: p.grad for name, p in sorted(net.named_parameters()) if p.grad is not None}
    return {"losses": {name: value.item() for name, value in made.items()},
            "largest_gradient": max(g.abs().max().item() for g in gradients.values()),
            "gradients": [float(f"{network._projected(name, g):.10g}") for name, g in gradients.items()]}


def main():
    values = {}
    for name, make in {"v1": v1, "v2": v2}.items():
        net = filled(make(), name)
        lines = sorted(" ".join([key, *map(str, t.shape)]) for key, t in net.state_dict().items())
        values[name] = {"parameters": sum(p.numel() for p in net.parameters()), "tensors": len(lines),
                        "names": f"{name_hash.fnv1a(chr(10).join(lines)):016x}", "unused": [],
                        "detections": detections(net), "training": losses(filled(make(**ALL), name))}
        print(name, [len(one["classes"]) for one in values[name]["detections"]], values[name]["training"]["losses"])
    Path(__file__).with_suffix(".json").write_text(json.dumps(values, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
