"""A network trained in plain PyTorch: training.py MODEL CAMVID fp32|bf16 contiguous|channels_last STEPS

Prints when each step ended, in seconds since training began.
"""
import contextlib
import glob
import json
import sys
import time

import albumentations as A
import cv2
import torch
from albumentations.pytorch import ToTensorV2
from torch import nn
from torch.utils.data import DataLoader, Dataset

model, root, precision, layout, steps = *sys.argv[1:5], int(sys.argv[5])
memory_format = torch.channels_last if layout == "channels_last" else torch.contiguous_format


def network():
    if model == "unet":
        from unet import UNet
        return UNet(11)
    if model == "segformer_b0":
        from segformer import SegFormer
        return SegFormer(11)
    import segmentation_models_pytorch as smp
    return smp.Unet(model.removeprefix("unet_"), encoder_weights=None, classes=11)


class CamVid(Dataset):
    def __init__(self, transform):
        self.x = sorted(glob.glob(f"{root}/train/*.png"))[:4 * steps]
        self.y = sorted(glob.glob(f"{root}/trainannot/*.png"))[:4 * steps]
        self.transform = transform

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        made = self.transform(image=cv2.cvtColor(cv2.imread(self.x[i]), cv2.COLOR_BGR2RGB),
                              mask=cv2.imread(self.y[i], cv2.IMREAD_UNCHANGED))
        return made["image"], made["mask"].long()


def main():
    cv2.setNumThreads(1)
    torch.manual_seed(0)
    data = CamVid(A.Compose([A.RandomScale((-0.25, 0.5), p=1.0), A.PadIfNeeded(256, 256, fill_mask=11),
                             A.RandomCrop(256, 256), A.HorizontalFlip(p=0.5), A.RandomBrightnessContrast(p=0.5),
                             A.Normalize(), ToTensorV2()]))
    loader = DataLoader(data, 4, shuffle=True, num_workers=2, drop_last=True)
    net = network().to(memory_format=memory_format).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    autocast = torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()
    ends, start = [], time.perf_counter()
    for x, y in loader:
        x = x.to(memory_format=memory_format)
        optimizer.zero_grad(set_to_none=True)
        with autocast:
            logits = net(x)
        loss = nn.functional.cross_entropy(logits.float(), y, ignore_index=11)
        loss.backward()
        optimizer.step()
        loss.item()
        ends.append(time.perf_counter() - start)
    print(json.dumps(ends))


if __name__ == "__main__":
    main()
