"""Expected values of focal loss (Lin et al. 2017) by its formula; compared with segmentation_models_pytorch 0.6.0 and
torchvision (sigmoid), and MONAI 1.6.1 (softmax), where these do the same.

    python tests/parity/losses/focal.py
"""

import torch
import torch.nn.functional as F
from monai.losses import FocalLoss as MonaiFocalLoss
from segmentation_models_pytorch.losses import FocalLoss
from torchvision.ops import sigmoid_focal_loss

from cases import IGNORE, target_of, write

CLASSES = [3, 2, 4, 5, 1, 3, 7]
VARIANTS = [
    {},
    {"activation": "sigmoid"},
    {"activation": "sigmoid", "alpha": [0.25], "gamma": 1.5},
    {"alpha": [0.25]},
    {"gamma": 0.5},
    {"gamma": 3, "alpha": [0.1, 0.9, 0.5]},
    {"gamma": 0, "activation": "sigmoid", "alpha": [0.1, 0.9, 0.5, 0.2, 1, 0, 0.75]},
]
compared = {"smp": 0, "torchvision": 0, "monai": 0}


def reference(logits, labels, options):
    target, counted = target_of(labels, logits)
    gamma, alpha = options.get("gamma", 2), options.get("alpha")
    classes, axes = logits.shape[1], [1] * (logits.dim() - 2)
    weights = None if alpha is None else torch.tensor(alpha, dtype=torch.float64).expand(classes).view(-1, *axes)
    sigmoid = labels.is_floating_point() or options.get("activation") == "sigmoid"
    if not sigmoid:
        log_p = logits.log_softmax(1)
        missing = (1 - log_p.exp()).clamp_min(1e-12)  # for the gradient where there is one class only
        loss = -target * missing**gamma * log_p
        loss = loss if weights is None else loss * weights
        loss = loss.sum() / counted[:, 0].sum().clamp_min(1)
        if (labels >= 0).all() and alpha is None and classes > 1:
            # MONAI divides by the number of classes too, and computes in float32.
            by_monai = MonaiFocalLoss(gamma=gamma, use_softmax=True, to_onehot_y=True)(logits, labels.unsqueeze(1))
            assert torch.allclose(classes * by_monai.double(), loss, rtol=1e-5, atol=1e-7), (by_monai, loss)
            compared["monai"] += 1
        return loss
    p = logits.sigmoid()
    loss = -target * (1 - p) ** gamma * F.logsigmoid(logits) - (1 - target) * p**gamma * F.logsigmoid(-logits)
    if weights is not None:
        loss = target * weights * loss + (1 - target) * (1 - weights) * loss
    loss = (loss * counted).sum() / counted.sum().clamp_min(1)
    if (alpha is None or len(alpha) == 1) and counted.any():
        alpha = None if alpha is None else alpha[0]
        by_torchvision = sigmoid_focal_loss(logits, target, -1 if alpha is None else alpha, gamma)
        others = {"torchvision": by_torchvision[counted > 0].mean()}
        if not labels.is_floating_point():
            others["smp"] = FocalLoss("multiclass", alpha, gamma, IGNORE)(logits, labels)
        for name, other in others.items():
            assert torch.allclose(other, loss, rtol=1e-9, atol=0), (name, other, loss)
            compared[name] += 1
    return loss


if __name__ == "__main__":
    write(__file__, reference, VARIANTS, classes=CLASSES)
    print("compared with others:", compared)
    assert min(compared.values()) > 5
