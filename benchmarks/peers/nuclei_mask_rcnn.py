"""torchvision's Mask R-CNN, trained as specs/nuclei_mask_rcnn.json says: nuclei_mask_rcnn.py FOLDER [EPOCHS] [SEED]

FOLDER: nuclei-coco, with annotations/instances_{train,val}.json and the images in train/ and val/. The same network,
crops, flips and turns, optimizer and schedule, in one process; the random numbers are others. Prints the mask AP and
AP50 of the images in val/, by pycocotools with 300 objects per image, and the seconds of the training.
"""
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.models.resnet import resnet18

SIDE, BATCH, OBJECTS = 256, 4, 300
LR, WEIGHT_DECAY, WARM_UP, POWER = 1e-3, 0.01, 50, 0.9


def build():
    net = MaskRCNN(
        _resnet_fpn_extractor(resnet18(weights=None, norm_layer=torch.nn.BatchNorm2d), 5), num_classes=2,
        rpn_anchor_generator=AnchorGenerator(((8,), (16,), (32,), (64,), (128,)), ((0.5, 1.0, 2.0),) * 5),
        rpn_pre_nms_top_n_train=1000, rpn_post_nms_top_n_train=500, rpn_post_nms_top_n_test=500,
        box_batch_size_per_image=64, box_detections_per_img=OBJECTS)
    net.transform.resize = lambda image, target=None: (image, target)  # crops and images keep their size
    return net


def image_of(file):
    return np.asarray(Image.open(file).convert("RGB"))


def sample(coco, folder, image_id, random):
    image = image_of(folder / coco.imgs[image_id]["file_name"])
    masks = [coco.annToMask(one) for one in coco.imgToAnns[image_id] if not one["iscrowd"]]
    masks = np.stack(masks) if masks else np.zeros((0, *image.shape[:2]), np.uint8)
    y, x = (random.integers(0, side - SIDE + 1) for side in image.shape[:2])
    image, masks = image[y:y + SIDE, x:x + SIDE], masks[:, y:y + SIDE, x:x + SIDE]
    if random.random() < 0.5:
        image, masks = image[:, ::-1], masks[:, :, ::-1]
    if random.random() < 0.5:
        image, masks = image[::-1], masks[:, ::-1]
    turns = random.integers(4)
    image, masks = np.rot90(image, turns), np.rot90(masks, turns, (1, 2))
    masks = masks[masks.any((1, 2))]
    boxes = [[x.min(), y.min(), x.max() + 1, y.max() + 1] for y, x in (np.nonzero(mask) for mask in masks)]
    target = {"boxes": torch.tensor(np.array(boxes, np.float32).reshape(-1, 4)),
              "labels": torch.ones(len(masks), dtype=torch.int64), "masks": torch.from_numpy(masks.copy())}
    return torch.from_numpy(image.copy()).permute(2, 0, 1).float() / 255, target


def train(net, coco, folder, epochs, random):
    norms = {id(p) for module in net.modules() if isinstance(module, torch.nn.BatchNorm2d) for p in module.parameters()}
    plain = [p for name, p in net.named_parameters() if id(p) in norms or name.endswith("bias")]
    others = [p for name, p in net.named_parameters() if not (id(p) in norms or name.endswith("bias"))]
    optimizer = torch.optim.AdamW([{"params": others, "weight_decay": WEIGHT_DECAY},
                                   {"params": plain, "weight_decay": 0}], lr=LR)
    ids = sorted(coco.imgs)
    steps, step = epochs * (len(ids) // BATCH), 0
    net.train()
    for epoch in range(epochs):
        order = random.permutation(ids)
        for first in range(0, len(ids) - BATCH + 1, BATCH):
            images, targets = zip(*(sample(coco, folder, one, random) for one in order[first:first + BATCH]))
            rising = min(1, (step + 1) / (WARM_UP + 1))
            for group in optimizer.param_groups:
                group["lr"] = LR * rising * (1 - step / steps) ** POWER
            loss = sum(net(list(images), list(targets)).values())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            if step % 10 == 0:
                print(f"epoch {epoch + 1} step {step}/{steps} loss {loss.item():.4f}", file=sys.stderr, flush=True)


@torch.inference_mode()
def results(net, coco, folder):
    net.eval()
    found = []
    for image_id in sorted(coco.imgs):
        image = torch.from_numpy(image_of(folder / coco.imgs[image_id]["file_name"]).copy()).permute(2, 0, 1).float() / 255
        made = net([image])[0]
        for score, mask in zip(made["scores"].tolist(), made["masks"][:, 0].numpy() > 0.5):
            counts = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
            found.append({"image_id": image_id, "category_id": 1, "score": score, "segmentation": counts})
    return found


def main():
    root, epochs = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 8
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    truths = {split: COCO(root / f"annotations/instances_{split}.json") for split in ("train", "val")}
    net = build()
    start = time.perf_counter()
    train(net, truths["train"], root / "train", epochs, random)
    seconds = time.perf_counter() - start
    evaluation = COCOeval(truths["val"], truths["val"].loadRes(results(net, truths["val"], root / "val")), "segm")
    evaluation.params.maxDets = [1, 10, OBJECTS]
    evaluation.evaluate()
    evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, -1]
    print(json.dumps({"ap": precision.mean(), "ap50": precision[0].mean(), "seconds": round(seconds)}))


if __name__ == "__main__":
    main()
