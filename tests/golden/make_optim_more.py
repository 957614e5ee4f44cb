#!/usr/bin/env python3
"""Writes optim_more.json: runs of optimisers and schedules of PyTorch 1.13, in the form of optim.json."""
import json
import warnings
from pathlib import Path

import torch
from torch.optim import lr_scheduler

warnings.simplefilter("ignore")


def dump(x):
    if isinstance(x, torch.Tensor):
        return {"dtype": str(x.dtype)[6:], "shape": list(x.shape), "data": [v.item() for v in x.flatten()]}
    return x


def optimizer_run(name, args, dtype):
    generator = torch.Generator().manual_seed(3)
    initial = torch.randn(4, 3, generator=generator).to(dtype)
    p = torch.nn.Parameter(initial.clone())
    optimizer = getattr(torch.optim, name)([p], **args)
    run = {"dtype": str(dtype)[6:], "initial": dump(initial), "grads": [], "params": []}
    for _ in range(6):
        p.grad = torch.randn(4, 3, generator=generator).to(dtype)
        run["grads"].append(dump(p.grad))
        optimizer.step()
        run["params"].append(dump(p.detach().clone()))
    run["state"] = {key: dump(value) for key, value in optimizer.state_dict()["state"][0].items()}
    return run


OPTIMIZERS = [
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.05, "initial_accumulator_value": 0.2, "eps": 1e-6}),
    ("Adagrad", {"lr": 0.1, "maximize": True}),
    ("NAdam", {}),
    ("NAdam", {"lr": 0.05, "betas": [0.8, 0.95], "weight_decay": 0.1, "momentum_decay": 0.02, "eps": 1e-6}),
]

SCHEDULES = [
    ("LinearLR", {}, 9),
    ("LinearLR", {"start_factor": 0.1, "end_factor": 0.7, "total_iters": 4}, 8),
    ("LinearLR", {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 3}, 6),
    ("ConstantLR", {}, 9),
    ("ConstantLR", {"factor": 0.3, "total_iters": 2}, 5),
    ("CosineAnnealingWarmRestarts", {"T_0": 3}, 10),
    ("CosineAnnealingWarmRestarts", {"T_0": 2, "T_mult": 2, "eta_min": 0.01}, 16),
    ("LambdaLR", {}, 8),
]


def lambda_of(epoch):
    return 0.95**epoch


def rates(schedule, optimizer, steps, step=lambda schedule, i: schedule.step()):
    used = []
    for i in range(steps):
        used.append([group["lr"] for group in optimizer.param_groups])
        step(schedule, i)
    return used


def groups_of():
    leaf = lambda: torch.nn.Parameter(torch.zeros(2))
    return torch.optim.SGD([{"params": [leaf()]}, {"params": [leaf()], "lr": 0.3}], lr=0.7, momentum=0.9)


def schedule_run(name, args, steps):
    optimizer = groups_of()
    given = {"lr_lambda": lambda_of} if name == "LambdaLR" else args
    return {"scheduler": name, "args": args,
            "lr_used": rates(getattr(lr_scheduler, name)(optimizer, **given), optimizer, steps)}


METRICS = [3.0, 2.0, 2.0, 1.9999, 2.5, 2.1, 1.0, float("nan"), 1.2, 1.1, 1.3, 0.99995, 0.8, 0.9, 0.9, 0.9, 0.9]
PLATEAUS = [
    {"patience": 2},
    {"patience": 0, "factor": 0.5, "cooldown": 2, "min_lr": [0.1, 0.0]},
    {"mode": "max", "patience": 1, "factor": 0.3, "threshold": 0.1, "threshold_mode": "abs"},
    {"patience": 1, "threshold_mode": "abs", "threshold": 0.01, "eps": 0.01},
    {"mode": "max", "patience": 1, "threshold": 0.5},
]


def plateau_run(args):
    optimizer = groups_of()
    schedule = lr_scheduler.ReduceLROnPlateau(optimizer, **args)
    return {"args": args,
            "lr_used": rates(schedule, optimizer, len(METRICS), lambda s, i: s.step(METRICS[i]))}


FRACTIONS = [0, 0.5, 1.25, 2.75, 3, 4.5, 6.99, 7, 13.5, 30, 2.5]


def fraction_run(args):
    optimizer = groups_of()
    schedule = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, **args)
    used = []
    for epoch in FRACTIONS:
        schedule.step(epoch)
        used.append([group["lr"] for group in optimizer.param_groups])
    schedule.step()
    used.append([group["lr"] for group in optimizer.param_groups])
    return {"args": args, "lr_used": used}


def sequential_runs():
    makes = {
        "linear_cosine": (lambda o: [lr_scheduler.LinearLR(o, 0.1, 1.0, 3), lr_scheduler.CosineAnnealingLR(o, 7, 0.01)], [3]),
        "constant_step_exponential": (lambda o: [lr_scheduler.ConstantLR(o, 0.5, 2), lr_scheduler.StepLR(o, 2, 0.5),
                                                 lr_scheduler.ExponentialLR(o, 0.9)], [3, 8]),
        "lambda_restarts": (lambda o: [lr_scheduler.LambdaLR(o, lambda_of),
                                       lr_scheduler.CosineAnnealingWarmRestarts(o, 2, 2)], [4]),
    }
    runs = {}
    for name, (make, milestones) in makes.items():
        optimizer = groups_of()
        schedule = lr_scheduler.SequentialLR(optimizer, make(optimizer), milestones)
        runs[name] = rates(schedule, optimizer, 14)
    return runs


def averaged_run(use_buffers):
    torch.manual_seed(5)
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    averaged = torch.optim.swa_utils.AveragedModel(net, use_buffers=use_buffers)
    run = {"models": [], "averages": []}
    for _ in range(4):
        net(torch.randn(6, 3))
        with torch.no_grad():
            for p in net.parameters():
                p.add_(torch.randn_like(p))
        averaged.update_parameters(net)
        run["models"].append({key: dump(value) for key, value in net.state_dict().items()})
        run["averages"].append({key: dump(value) for key, value in averaged.state_dict().items()})
    batches = [torch.randn(5, 3), torch.randn(7, 3)]
    torch.optim.swa_utils.update_bn(batches, averaged)
    run["batches"] = [dump(x) for x in batches]
    run["recalibrated"] = {key: dump(value) for key, value in averaged.state_dict().items()}
    return run


def main():
    content = {
        "optimizers": [{"optimizer": name, "args": args,
                        "runs": [optimizer_run(name, args, dtype) for dtype in (torch.float32, torch.float64)]}
                       for name, args in OPTIMIZERS],
        "schedules": [schedule_run(*schedule) for schedule in SCHEDULES],
        "metrics": ["nan" if m != m else m for m in METRICS],
        "plateaus": [plateau_run(args) for args in PLATEAUS],
        "fractions": FRACTIONS,
        "warm_restarts": [fraction_run(args) for args in ({"T_0": 3}, {"T_0": 2, "T_mult": 2, "eta_min": 0.05})],
        "sequential": sequential_runs(),
        "averaged": [averaged_run(use_buffers) for use_buffers in (False, True)],
    }
    path = Path(__file__).with_name("optim_more.json")
    path.write_text("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in content.items()) + "\n}\n")


if __name__ == "__main__":
    main()
