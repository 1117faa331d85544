"""Expected losses and parameters of 20 training steps, by PyTorch. Writes training.json.

    python training.py PATH_OF_A_CHECKOUT_OF_milesial/Pytorch-UNet              # with mmsegmentation, as for fast_scnn.py
    python training.py PATH_OF_A_CHECKOUT … --compare FOLDER                    # with what the C++ test left there

U-Net is put together from the original's own parts, at small widths; Fast-SCNN is mmsegmentation's, without dropout.
Weights are filled by name; every step has a batch of its own, of numbers by name too: pictures "pictures/STEP" in
[-1, 1), labels floor((u + 1) / 2 * (classes + 1)) - 1 of "labels/STEP", -1 being ignored. Learning rates are low enough
for rounding in float32 not to grow beyond 1e-3 of the loss within the run: Fast-SCNN so filled doubles it every step.
The loss is cross entropy of
logits brought to the pictures' size, that of auxiliary heads by 0.4. Tensors of two or more dimensions decay.

Of every float tensor b in the state dict after 20 steps in float64 are stored its norm and its inner products with 8
vectors h_k = name hash of "NAME/k", uniform in [-1, 1): enough to estimate the norm of a difference d = a - b, since
3/8 * sum <h_k, d>^2 is |d|^2 times a chi-square variable of 8 degrees of freedom over 8, whose chance to lie below 0.01
is under 1e-6. So a tensor whose estimated distance is at most a tenth of a limit keeps that limit.
With SECTILE_DUMP=FOLDER the C++ test writes all its tensors as FOLDER/CASE.pth, and --compare compares them in full.
"""
import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import name_hash

STEPS, CLASSES, PROJECTIONS = 20, 5, 8
sys.path.insert(0, sys.argv[1])


class UNet(torch.nn.Module):
    def __init__(self, widths):
        super().__init__()
        from unet import unet_parts as parts
        self.inc = parts.DoubleConv(3, widths[0])
        self.depth = len(widths) - 1
        for i in range(self.depth):
            setattr(self, f"down{i + 1}", parts.Down(widths[i], widths[i + 1]))
        for i in range(self.depth):
            setattr(self, f"up{i + 1}", parts.Up(widths[-1 - i], widths[-2 - i], bilinear=False))
        self.outc = parts.OutConv(widths[0], CLASSES)

    def forward(self, images):
        levels = [self.inc(images)]
        for i in range(self.depth):
            levels.append(getattr(self, f"down{i + 1}")(levels[-1]))
        x = levels.pop()
        for i in range(self.depth):
            x = getattr(self, f"up{i + 1}")(x, levels.pop())
        return [self.outc(x)]


class FastScnn(torch.nn.Module):
    def __init__(self):
        super().__init__()
        from fast_scnn import configuration, MODELS
        config = configuration()
        for head in (config.decode_head, *config.auxiliary_head):
            head.dropout_ratio = 0
            head.num_classes = CLASSES
        self.net = MODELS.build(config)

    def forward(self, images):
        features = self.net.backbone(images)
        return [head(features) for head in (self.net.decode_head, *self.net.auxiliary_head)]


MODELS = {
    "unet": ({"type": "unet", "widths": [4, 8, 16]}, [2, 3, 32, 48], lambda: UNet([4, 8, 16])),
    "fast_scnn": ({"type": "fast_scnn", "dropout": 0, "momentum": 0.01}, [4, 3, 64, 96], FastScnn),
}
OPTIMIZERS = {
    "adam": (dict(weight_decay=1e-3), torch.optim.Adam),
    "adamw": (dict(weight_decay=1e-2), torch.optim.AdamW),
    "sgd": (dict(momentum=0.9, weight_decay=1e-3), torch.optim.SGD),
}
LEARNING_RATES = {"unet": dict(adam=1e-3, adamw=2e-3, sgd=0.02), "fast_scnn": dict(adam=1e-4, adamw=1e-4, sgd=3e-4)}


def batch(step, shape, dtype):
    pictures = name_hash.uniform(f"pictures/{step}", int(np.prod(shape))).reshape(shape)
    u = name_hash.uniform(f"labels/{step}", shape[0] * shape[2] * shape[3]).reshape(shape[0], *shape[2:])
    labels = np.floor((u + 1) / 2 * (CLASSES + 1)) - 1
    return torch.from_numpy(pictures).to(dtype), torch.from_numpy(labels).long()


def train(model, optimizer, dtype):
    spec, shape, make = MODELS[model]
    net = make()
    net = net.to(dtype).train()
    inner = getattr(net, "net", net)
    name_hash.fill(inner)
    options, kind = OPTIMIZERS[optimizer]
    options = dict(options, lr=LEARNING_RATES[model][optimizer])
    decay = options.pop("weight_decay")
    groups = [{"params": [p for p in net.parameters() if p.dim() >= 2], "weight_decay": decay},
              {"params": [p for p in net.parameters() if p.dim() < 2], "weight_decay": 0.0}]
    optimizer = kind(groups, **options)
    losses = []
    for step in range(STEPS):
        pictures, labels = batch(step, shape, dtype)
        outputs = [F.interpolate(logits, size=shape[2:], mode="bilinear", align_corners=False)
                   for logits in net(pictures)]
        first, *others = [F.cross_entropy(logits, labels, ignore_index=-1) for logits in outputs]
        loss = first + 0.4 * sum(others)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, {name: t.detach() for name, t in inner.state_dict().items() if t.is_floating_point()}


def projected(name, tensor):
    flat = tensor.double().flatten().numpy()
    vectors = np.stack([name_hash.uniform(f"{name}/{k}", flat.size) for k in range(PROJECTIONS)])
    return [float(np.linalg.norm(flat)), *(vectors @ flat).tolist()]


def cases():
    for model in MODELS:
        for optimizer in OPTIMIZERS:
            yield f"{model}_{optimizer}", model, optimizer


def expected():
    for name, model, optimizer in cases():
        spec, shape, _ = MODELS[model]
        losses, tensors = train(model, optimizer, torch.float64)
        narrow, _ = train(model, optimizer, torch.float32)
        yield dict(name=name, model=spec, optimizer=dict(type=optimizer, lr=LEARNING_RATES[model][optimizer],
                                                            **OPTIMIZERS[optimizer][0]),
                   pictures=shape, losses=losses, losses_float32=narrow,
                   tensors={key: projected(key, tensor) for key, tensor in tensors.items()})


def compare(folder):
    for name, model, optimizer in cases():
        _, wanted = train(model, optimizer, torch.float64)
        found = torch.load(Path(folder) / f"{name}.pth", weights_only=True)
        assert set(wanted) <= set(found), set(wanted) - set(found)
        distances = {key: ((found[key] - b).norm() / b.norm()).item() for key, b in wanted.items()}
        worst = max(distances, key=distances.get)
        print(f"{name}: {len(wanted)} tensors, largest |a - b| / |b| {distances[worst]:.2e} ({worst})")


if sys.argv[2:3] == ["--compare"]:
    compare(sys.argv[3])
else:
    lines = ",\n".join(json.dumps(case) for case in expected())
    Path(__file__).with_suffix(".json").write_text(f'{{"cases": [\n{lines}\n]}}\n')
