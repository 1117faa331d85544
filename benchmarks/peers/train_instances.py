"""torchvision's Mask R-CNN trained as its reference scripts do, without changing the size of the images:

train_instances.py make FOLDER IMAGES SIZE   a COCO dataset of polygons, and weights
train_instances.py FOLDER SIZE               one epoch in batches of 2; prints when each step ended, in seconds since
                                             training began, and the loss of each
"""
import json
import os
import sys
import time

import numpy as np
import torch
from PIL import Image
from pycocotools import mask
from pycocotools.coco import COCO
from torch.utils.data import DataLoader, Dataset
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.models.resnet import resnet50
from torchvision.ops.misc import FrozenBatchNorm2d
from torchvision.transforms.functional import to_tensor

CLASSES, OBJECTS = 90, 8
TRAINED_LAYERS = 3  # torchvision's default for a pretrained backbone


def build(size):
    torch.manual_seed(0)
    body = resnet50(weights=None, norm_layer=FrozenBatchNorm2d)
    for name, scale in body.named_buffers():  # features of the size that training gives them
        if "bn3.weight" in name:
            scale.fill_(0.25)
    return MaskRCNN(_resnet_fpn_extractor(body, TRAINED_LAYERS), CLASSES + 1, min_size=size, max_size=size)


def make(folder, count, size):
    random = np.random.default_rng(0)
    torch.save(build(size).state_dict(), os.path.join(folder, "weights.pth"))
    images, objects = [], []
    y, x = np.mgrid[:size, :size]
    for image in range(1, count + 1):
        pixels = random.integers(0, 256, (size // 16, size // 16, 3), dtype=np.uint8)
        pixels = np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC)).copy()
        for _ in range(OBJECTS):
            rx, ry = size * np.exp(random.uniform(np.log(0.04), np.log(0.25), 2))
            cx, cy = random.uniform(rx, size - rx), random.uniform(ry, size - ry)
            angle = np.linspace(0, 2 * np.pi, 32, endpoint=False)
            ring = np.stack([cx + rx * np.cos(angle), cy + ry * np.sin(angle)], 1)
            pixels[((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1] = random.integers(0, 256, 3)
            objects.append({"id": len(objects) + 1, "image_id": image, "category_id": int(random.integers(1, CLASSES + 1)),
                            "iscrowd": 0, "segmentation": [ring.round(2).flatten().tolist()],
                            "bbox": [cx - rx, cy - ry, 2 * rx, 2 * ry], "area": np.pi * rx * ry})
        name = f"{image:06d}.png"
        Image.fromarray(pixels).save(os.path.join(folder, name))
        images.append({"id": image, "width": size, "height": size, "file_name": name})
    with open(os.path.join(folder, "objects.json"), "w") as file:
        json.dump({"images": images, "annotations": objects,
                   "categories": [{"id": i, "name": f"class {i}"} for i in range(1, CLASSES + 1)]}, file)


class Objects(Dataset):
    """As torchvision's references/detection/coco_utils.py."""

    def __init__(self, folder):
        self.folder, self.coco = folder, COCO(os.path.join(folder, "objects.json"))
        self.ids = sorted(self.coco.imgs)

    def __len__(self):
        return len(self.ids)

    def __getitem__(self, i):
        info = self.coco.imgs[self.ids[i]]
        image = to_tensor(Image.open(os.path.join(self.folder, info["file_name"])).convert("RGB"))
        found = self.coco.imgToAnns[self.ids[i]]
        boxes = torch.tensor([one["bbox"] for one in found], dtype=torch.float32)
        boxes[:, 2:] += boxes[:, :2]
        masks = [mask.decode(mask.frPyObjects(one["segmentation"], info["height"], info["width"])).any(2) for one in found]
        return image, {"boxes": boxes, "labels": torch.tensor([one["category_id"] for one in found]),
                       "masks": torch.from_numpy(np.stack(masks).astype(np.uint8))}


def collated(batch):
    return tuple(zip(*batch))


def main():
    if sys.argv[1] == "make":
        make(sys.argv[2], *map(int, sys.argv[3:]))
        return
    folder, size = sys.argv[1], int(sys.argv[2])
    net = build(size).train()
    net.load_state_dict(torch.load(os.path.join(folder, "weights.pth")))
    data = Objects(folder)
    loader = DataLoader(data, 2, num_workers=2, collate_fn=collated)
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=1e-3, momentum=0.9, weight_decay=1e-4)
    ends, losses, start = [], [], time.perf_counter()
    for images, targets in loader:
        loss = sum(net(images, targets).values())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        ends.append(time.perf_counter() - start)
    print(json.dumps({"ends": ends, "losses": losses}))


if __name__ == "__main__":
    main()
