"""IoU by the area of true objects: the rule written with scipy's connected components, object by object."""
import numpy as np
from scipy.ndimage import label

from counting_cases import CLASSES, IGNORE, divide, images, nanmean, write


def reference(index, per_class, options):
    small, large = options.get("small_below", 32 * 32), options.get("large_from", 96 * 96)
    classes = CLASSES[index % len(CLASSES)]
    of = lambda area: 0 if area < small else 1 if area < large else 2
    tp, pixels, wrong, objects = (np.zeros((classes, 3), np.int64) for _ in range(4))
    for truth, prediction, _ in images(index, per_class):
        for c in range(classes):
            if per_class:
                counted, wanted, found = truth[c] != IGNORE, truth[c] == 1, prediction[c] == 1
            else:
                counted, wanted, found = truth != IGNORE, truth == c, prediction == c
            found = found & counted
            neighbours = np.ones([3] * wanted.ndim)
            each, count = label(wanted, neighbours)
            areas = [int(np.sum(each == k)) for k in range(1, count + 1)]
            for k, area in enumerate(areas, 1):
                objects[c, of(area)] += 1
                pixels[c, of(area)] += area
                tp[c, of(area)] += np.sum(found[each == k])
            guesses, number = label(found, neighbours)
            for k in range(1, number + 1):
                inside = guesses == k
                covered = [int(np.sum(inside & (each == j))) for j in range(1, count + 1)]
                area = int(inside.sum())
                size = areas[int(np.argmax(covered))] if any(covered) else area
                wrong[c, of(size)] += area - sum(covered)
    iou, recall = divide(tp, pixels + wrong), divide(tp, pixels)
    rows = np.stack([iou, recall, objects], 2).reshape(classes, 9)
    return [nanmean(iou[:, k]) for k in range(3)], rows, []


write(__file__, reference, [{"small_below": 4, "large_from": 12}, {}, {"small_below": 2, "large_from": 2}])
