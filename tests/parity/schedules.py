"""Expected factors of the learning rate at every step, from torch.optim.lr_scheduler. Writes schedules.json.

Every case has its spec, the number of steps in all, and the factors. With "warmup", torch's ChainedScheduler of LinearLR
and the schedule; with "evaluations", ReduceLROnPlateau after each of them, the first factor being that before any.
"""
import json
import pathlib
import warnings

import torch
from torch.optim import lr_scheduler as torch_schedules

warnings.simplefilter("ignore")


def optimizer():
    return torch.optim.SGD([torch.zeros(1)], lr=1.0)


def run(make, total, warmup=0, warmup_factor=None):
    sgd = optimizer()
    schedule = make(sgd, total)
    if warmup:
        rise = torch_schedules.LinearLR(sgd, start_factor=warmup_factor or 1 / (warmup + 1), total_iters=warmup)
        schedule = torch_schedules.ChainedScheduler([rise, schedule])
    factors = []
    for _ in range(total):
        factors.append(sgd.param_groups[0]["lr"])
        sgd.step()
        if len(factors) < total:
            schedule.step()
    return factors


def constant(sgd, total):
    return torch_schedules.ConstantLR(sgd, factor=1.0)


def poly(power):
    return lambda sgd, total: torch_schedules.PolynomialLR(sgd, total_iters=total, power=power)


def step(step_size, gamma):
    return lambda sgd, total: torch_schedules.StepLR(sgd, step_size, gamma)


def multi_step(milestones, gamma):
    return lambda sgd, total: torch_schedules.MultiStepLR(sgd, milestones, gamma)


def cosine(min_factor=0.0):
    return lambda sgd, total: torch_schedules.CosineAnnealingLR(sgd, T_max=total, eta_min=min_factor)


def one_cycle(**options):
    return lambda sgd, total: torch_schedules.OneCycleLR(sgd, max_lr=1.0, total_steps=total, cycle_momentum=False, **options)


def steps():
    for spec, make, totals in (
            (dict(type="constant"), constant, (5,)),
            (dict(type="poly"), poly(0.9), (1, 7)),
            (dict(type="poly", power=2.0), poly(2.0), (10,)),
            (dict(type="step", step_size=3, gamma=0.5), step(3, 0.5), (11,)),
            (dict(type="step", step_size=4), step(4, 0.1), (3, 9)),
            (dict(type="multi_step", milestones=[2, 5, 5, 9, 40]), multi_step([2, 5, 5, 9, 40], 0.1), (12,)),
            (dict(type="multi_step", milestones=[0, 3], gamma=0.3), multi_step([0, 3], 0.3), (5,)),
            (dict(type="cosine"), cosine(), (1, 2, 25)),
            (dict(type="cosine", min_factor=0.2), cosine(0.2), (25,)),
            (dict(type="one_cycle"), one_cycle(), (1, 2, 3, 25)),
            (dict(type="one_cycle", anneal_strategy="linear", pct_start=0.45, div_factor=10.0, final_div_factor=100.0),
             one_cycle(anneal_strategy="linear", pct_start=0.45, div_factor=10.0, final_div_factor=100.0), (24,)),
            (dict(type="one_cycle", three_phase=True), one_cycle(three_phase=True), (7, 31)),
            (dict(type="one_cycle", three_phase=True, anneal_strategy="linear", pct_start=0.6),
             one_cycle(three_phase=True, anneal_strategy="linear", pct_start=0.6), (20,))):
        for total in totals:
            yield dict(spec=spec, total=total, factors=run(make, total))


def warm():
    for spec, make in ((dict(type="constant"), constant), (dict(type="poly"), poly(0.9)),
                       (dict(type="step", step_size=3, gamma=0.5), step(3, 0.5)),
                       (dict(type="multi_step", milestones=[2, 9]), multi_step([2, 9], 0.1)),
                       (dict(type="cosine"), cosine())):
        for warmup in (dict(warmup=4), dict(warmup=5, warmup_factor=0.01)):
            yield dict(spec=dict(spec, **warmup), total=13, factors=run(make, 13, **warmup))


NAN, INFINITY = float("nan"), float("inf")
RUNS = ([0.1, 0.2, 0.2, 0.19, 0.21, 0.21, 0.2101, 0.2, 0.2, 0.2, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3],
        [0.5, NAN, NAN, 0.6, NAN, NAN, NAN, NAN, 0.60001, INFINITY, 0.7, 0.7, 0.7, 0.8],
        [NAN, NAN, NAN, NAN, -0.5, -0.4, -0.6, -0.6, -0.6, -0.39999, 0.0, 0.0, 0.0])


def plateau():
    for options in (dict(patience=2), dict(patience=0, factor=0.5), dict(patience=1, mode="min", cooldown=2, factor=0.3),
                    dict(patience=1, threshold=0.05, threshold_mode="abs", min_factor=0.005),
                    dict(patience=1, threshold=0.05, threshold_mode="abs", mode="min"),
                    dict(patience=0, cooldown=1, threshold=0.5)):
        for values in RUNS:
            sgd = optimizer()
            known = dict(options)
            least = known.pop("min_factor", 0.0)
            schedule = torch_schedules.ReduceLROnPlateau(sgd, **{"mode": "max", **known}, min_lr=least, eps=0.0)
            factors = [1.0]
            for value in values:
                schedule.step(value)
                factors.append(sgd.param_groups[0]["lr"])
            written = ["NaN" if value != value else "Infinity" if value == INFINITY else value for value in values]
            yield dict(spec=dict(type="plateau", **options), evaluations=written, factors=factors)


def main():
    lines = lambda cases: "[\n" + ",\n".join(json.dumps(case, allow_nan=False) for case in cases) + "\n]"
    text = f'{{"steps": {lines(steps())},\n"warmup": {lines(warm())},\n"plateau": {lines(plateau())}}}\n'
    pathlib.Path(__file__).with_suffix(".json").write_text(text)


main()
