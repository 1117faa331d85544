"""Expected values of the generalized Dice loss by MONAI's GeneralizedDiceLoss, which takes probabilities; those of
ignored pixels are set to 0, so that they add nothing to any area.

    python tests/parity/losses/generalized_dice.py
"""

from monai.losses import GeneralizedDiceLoss

from cases import probabilities, target_of, write


def generalized_dice(logits, labels, options):
    target, counted = target_of(labels, logits)
    p = probabilities(logits, labels, options) * counted
    chosen = [int(name) for name in options.get("include", range(p.shape[1]))]
    smooth = options.get("smooth", 1e-5)
    made = GeneralizedDiceLoss(w_type=options.get("weight_type", "square"), batch=options.get("over") == "batch",
                               smooth_nr=smooth, smooth_dr=smooth)
    return made(p[:, chosen], target[:, chosen])


if __name__ == "__main__":
    write(__file__, generalized_dice, [
        {}, {"over": "batch"}, {"weight_type": "simple", "smooth": 1}, {"weight_type": "uniform", "over": "batch"},
        {"include": ["1"], "smooth": 0.1}, {"include": ["1", "0"], "activation": "sigmoid"},
        {"weight_type": "simple", "over": "batch"},
    ], classes=[3, 2, 4, 5, 2, 3])
