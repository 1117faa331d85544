"""Expected values of the losses, in float64, of float32 inputs made by formula.py. Writes losses.json beside itself.

Cross entropy is torch.nn.functional's. Dice is 1 - (2 * overlap + smooth) / (predicted + true + smooth) per class
(Milletari et al. 2016), focal loss -alpha * (1 - p)^gamma * log p (Lin et al. 2017).
"""
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

from formula import uniform

IGNORE = -1


def number_map(seed, stream, shape, classes, absent, ignored):
    """int64 [N, …]: the first number decides whether a pixel is ignored, the second its class."""
    n = int(np.prod([shape[0], *shape[2:]]))
    u = uniform((seed, stream), 2 * n).reshape(n, 2)
    present = np.array([c for c in range(classes) if c not in absent])
    labels = present[(u[:, 1] * len(present)).astype(np.int64)]
    labels[u[:, 0] < ignored] = IGNORE
    return torch.from_numpy(labels.reshape(shape[0], *shape[2:]))


def one_hot(labels, classes):
    return F.one_hot(labels.clamp_min(0), classes).movedim(-1, 1).double()


def make_labels(case):
    shape, seed, classes = case["shape"], case["seed"], case["shape"][1]
    absent, ignored = case.get("absent", []), case.get("ignored", 0.2)
    if case["labels"] == "numbers":
        return number_map(seed, 1, shape, classes, absent, ignored)
    if case["labels"] == "soft":  # two label maps mixed, as mixup does
        a = number_map(seed, 1, shape, classes, absent, ignored)
        b = number_map(seed, 2, shape, classes, absent, ignored)
        share = torch.tensor(0.7, dtype=torch.float32).double()
        mixed = share * one_hot(a, classes) + (1 - share) * one_hot(b, classes)
        mixed[((a < 0) | (b < 0)).unsqueeze(1).expand_as(mixed)] = IGNORE
        return mixed
    u = torch.from_numpy(uniform((seed, 3), int(np.prod(shape)))).reshape(shape)  # each class by itself
    labels = (u < ignored + (1 - ignored) / 2).double()
    for c in absent:
        labels[:, c] = 0
    labels[u < ignored] = IGNORE
    return labels


def per_class(values, logits):
    return torch.tensor(values, dtype=torch.float64).view(-1, *[1] * (logits.dim() - 2))


def cross_entropy(logits, labels, case):
    options, classes = case["options"], logits.shape[1]
    weights = torch.tensor(options.get("class_weights", [1.0] * classes), dtype=torch.float64)
    smoothing = options.get("label_smoothing", 0.0)
    if case["labels"] == "numbers":
        loss = F.cross_entropy(logits, labels, weights, ignore_index=IGNORE, label_smoothing=smoothing)
        return torch.where(torch.isnan(loss), logits.sum() * 0, loss)
    if case["labels"] == "soft":
        counted = (labels >= 0).all(1)
        last = lambda t: t.movedim(1, -1)[counted]
        loss = F.cross_entropy(last(logits), last(labels), weights, label_smoothing=smoothing, reduction="sum")
        return loss / (last(labels) * weights).sum()  # PyTorch's mean of class numbers; of soft labels, it counts pixels
    counted = labels >= 0
    target = labels.clamp_min(0) * (1 - smoothing) + smoothing / 2
    factor = per_class(options.get("class_weights", [1.0] * classes), logits) * counted
    return (F.binary_cross_entropy_with_logits(logits, target, reduction="none") * factor).sum() / factor.sum()


def uses_sigmoid(case):
    chosen = case["options"].get("activation", "auto")
    return case["labels"] == "per_class" if chosen == "auto" else chosen == "sigmoid"


def as_per_class(labels, logits, case):
    """Target and mask, both [N, C, …]."""
    if case["labels"] == "numbers":
        return one_hot(labels, logits.shape[1]), (labels >= 0).unsqueeze(1).expand_as(logits)
    return labels.clamp_min(0), labels >= 0


def dice(logits, labels, case):
    options = case["options"]
    smooth = options.get("smooth", 1.0)
    p = torch.sigmoid(logits) if uses_sigmoid(case) else torch.softmax(logits, 1)
    y, counted = as_per_class(labels, logits, case)
    p, y = (p * counted).flatten(2), (y * counted).flatten(2)
    dims = (2,) if options.get("over", "batch") == "sample" else (0, 2)
    overlap, size, wanted = (p * y).sum(dims), (p + y).sum(dims), y.sum(dims)
    loss = 1 - (2 * overlap + smooth) / (size + smooth)
    keep = torch.ones_like(loss, dtype=torch.bool)
    if options.get("absent", "count") == "skip":
        keep &= wanted > 0
    if options.get("include"):
        keep &= torch.tensor([str(c) in options["include"] for c in range(logits.shape[1])])
    return loss[keep].mean()


def focal(logits, labels, case):
    options, classes = case["options"], logits.shape[1]
    gamma = options.get("gamma", 2.0)
    alpha = options.get("alpha")
    alpha = None if alpha is None else per_class(alpha * classes if len(alpha) == 1 else alpha, logits)
    y, counted = as_per_class(labels, logits, case)
    if uses_sigmoid(case):
        p = torch.sigmoid(logits)
        entropy = -(y * F.logsigmoid(logits) + (1 - y) * F.logsigmoid(-logits))
        loss = entropy * (1 - (p * y + (1 - p) * (1 - y))) ** gamma
        loss = loss if alpha is None else loss * (alpha * y + (1 - alpha) * (1 - y))
        return loss[counted].mean()
    log_p = torch.log_softmax(logits, 1)
    loss = -y * (1 - log_p.exp()) ** gamma * log_p
    loss = loss if alpha is None else loss * alpha
    return loss.sum(1)[counted.all(1)].mean()


def cases():
    flat, odd, volume, single, many = [2, 4, 5, 7], [1, 5, 3, 3], [2, 3, 2, 5, 4], [2, 1, 4, 5], [2, 19, 6, 5]

    def case(loss, shape, labels="numbers", options=None, **more):
        return {"loss": loss, "shape": shape, "labels": labels, "options": options or {}, **more}

    for shape in (flat, odd, volume, single, many):
        yield case("cross_entropy", shape)
        yield case("cross_entropy", shape, options={"label_smoothing": 0.1})
        yield case("dice", shape)
        yield case("focal", shape)
    for layout in ({"channels_last": True}, {"channels_last": True, "absent": [0, 3]}):
        for shape in (flat, many):
            weights = [0.25 + c * 0.5 for c in range(shape[1])]
            yield case("cross_entropy", shape, options={"class_weights": weights}, **layout)
            yield case("cross_entropy", shape, options={"class_weights": weights, "label_smoothing": 0.2}, **layout)
            yield case("dice", shape, options={"smooth": 0}, **layout)
            yield case("focal", shape, options={"gamma": 1.5}, **layout)
    yield case("cross_entropy", flat, ignored=1.1)
    yield case("cross_entropy", flat, "soft", {"class_weights": [1, 2, 0.5, 3]})
    yield case("cross_entropy", flat, "soft", {"label_smoothing": 0.1})
    yield case("cross_entropy", volume, "per_class", {"class_weights": [1, 2, 0.5]})
    yield case("cross_entropy", single, "per_class", {"label_smoothing": 0.1})
    for over in ("batch", "sample"):
        for absent in ("count", "skip"):
            yield case("dice", flat, options={"over": over, "absent": absent}, absent=[1, 2])
            yield case("dice", volume, "per_class", {"over": over, "absent": absent}, absent=[1])
    yield case("dice", flat, options={"activation": "sigmoid", "smooth": 1e-5})
    yield case("dice", flat, options={"include": ["1", "3"]})
    yield case("dice", flat, "soft", {})
    yield case("dice", single, "per_class", {})
    for alpha in ([0.25], [0.1, 0.9, 0.5, 0.75]):
        for activation in ("softmax", "sigmoid"):
            yield case("focal", flat, options={"alpha": alpha, "activation": activation})
    yield case("focal", flat, options={"gamma": 0})
    yield case("focal", flat, options={"gamma": 0.5, "activation": "sigmoid"})
    yield case("focal", flat, "soft", {"alpha": [0.1, 0.9, 0.5, 0.75]})
    yield case("focal", volume, "per_class", {"alpha": [0.1, 0.9, 0.5]})
    yield case("focal", single, "per_class", {})


def main():
    made = []
    for seed, case in enumerate(cases(), start=1):
        case["seed"] = seed
        count = int(np.prod(case["shape"]))
        values = (-4 + 8 * uniform((seed, 0), count)).astype(np.float32).astype(np.float64)
        logits = torch.from_numpy(values).reshape(case["shape"]).requires_grad_()
        loss = globals()[case["loss"]](logits, make_labels(case), case)
        loss.backward()
        gradient = logits.grad.flatten()
        case["value"] = loss.item()
        case["gradient_norm"] = gradient.norm().item()
        case["gradient"] = [gradient[i * count // 5].item() for i in range(5)]
        made.append(case)
    text = "[\n" + ",\n".join(json.dumps(case) for case in made) + "\n]\n"
    pathlib.Path(__file__).with_suffix(".json").write_text(text)


main()
