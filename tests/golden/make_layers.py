#!/usr/bin/env python3
"""Writes layers.json and infinite_logits.json: what PyTorch 1.13 computes, prints and refuses.

Usage: python3 make_layers.py FOLDER, with the torch of Debian 12.
"""
import json
import math
import sys

import torch
from torch import nn
from torch.nn import functional as F

torch.set_num_threads(1)
inf, nan = math.inf, math.nan


def tensor(x):
    if x is None:
        return None
    names = {torch.float32: "float32", torch.float64: "float64", torch.int64: "int64", torch.bool: "bool"}
    number = lambda v: v if isinstance(v, (bool, int)) or math.isfinite(v) else str(v)
    return {"dtype": names[x.dtype], "shape": list(x.shape), "data": [number(v) for v in x.detach().flatten().tolist()]}


def infinite_logits():
    cases = []
    for dtype in (torch.float32, torch.float64):
        for row in ([0, inf], [0, -inf], [-inf, -inf], [inf, inf], [0, -200], [nan, 0], [inf, -inf]):
            for target in (0, 1):
                for options in (
                    {},
                    {"reduction": "sum"},
                    {"reduction": "none"},
                    {"label_smoothing": 0.1},
                    {"weight": torch.tensor([0.0, 2.0], dtype=dtype)},
                    {"weight": torch.tensor([0.5, 2.0], dtype=dtype), "label_smoothing": 0.1, "reduction": "sum"},
                    {"ignore_index": target},
                    {"ignore_index": target, "reduction": "none"},
                    {"probabilities": True},
                    {"probabilities": True, "label_smoothing": 0.1},
                ):
                    options = dict(options)
                    x = torch.tensor([row, [1.0, 2.0]], dtype=dtype, requires_grad=True)
                    y = torch.tensor([target, 1 - target])
                    if options.pop("probabilities", False):
                        y = F.one_hot(y, 2).to(dtype)
                    loss = F.cross_entropy(x, y, **options)
                    loss.backward(torch.ones_like(loss))
                    cases.append({
                        "dtype": "float32" if dtype == torch.float32 else "float64", "x": tensor(x), "target": tensor(y),
                        "reduction": options.get("reduction", "mean"),
                        "label_smoothing": options.get("label_smoothing", 0.0),
                        "ignore_index": options.get("ignore_index", -100), "weight": tensor(options.get("weight")),
                        "loss": tensor(loss), "grad": tensor(x.grad)})
    return {"cases": cases}


LAYERS = [  # expression, shapes of the inputs (int64 below 5 for Embedding)
    ("nn.Embedding(5, 3)", [[4], [2, 3], [], [0]]),
    ("nn.Embedding(5, 3, padding_idx=1)", [[6], [2, 3]]),
    ("nn.Embedding(5, 3, padding_idx=-1)", [[6]]),
    ("nn.Conv1d(4, 6, 3)", [[2, 4, 7], [4, 7], [0, 4, 7], [1, 4, 3]]),
    ("nn.Conv1d(4, 6, 3, stride=2)", [[2, 4, 8]]),
    ("nn.Conv1d(4, 6, 3, padding=2, bias=False)", [[2, 4, 5]]),
    ("nn.Conv1d(4, 6, 3, padding='same')", [[2, 4, 5]]),
    ("nn.Conv1d(4, 6, 4, padding='same', dilation=3)", [[2, 4, 11]]),
    ("nn.Conv1d(4, 6, 3, padding='valid')", [[2, 4, 5]]),
    ("nn.Conv1d(4, 6, 2, stride=3, padding=1, dilation=2, groups=2)", [[3, 4, 10]]),
    ("nn.Conv1d(4, 8, 5, groups=4, padding=2)", [[2, 4, 9]]),
    ("nn.Conv1d(1, 16, 9)", [[3, 1, 20]]),
    ("nn.Conv1d(3, 2, 1)", [[2, 3, 5]]),
    ("nn.MaxPool1d(3)", [[2, 3, 10], [3, 9]]),
    ("nn.MaxPool1d(3, stride=1, padding=1)", [[2, 3, 5]]),
    ("nn.MaxPool1d(2, dilation=3)", [[2, 3, 9]]),
    ("nn.MaxPool1d(3, stride=2, ceil_mode=True)", [[2, 3, 8]]),
    ("nn.AvgPool1d(3)", [[2, 3, 10], [3, 9]]),
    ("nn.AvgPool1d(3, stride=2, padding=1)", [[2, 3, 8]]),
    ("nn.AvgPool1d(3, stride=2, padding=1, ceil_mode=True, count_include_pad=False)", [[2, 3, 8]]),
    ("nn.AvgPool1d(3, stride=2, ceil_mode=True)", [[2, 3, 8]]),
    ("nn.AdaptiveAvgPool1d(1)", [[2, 3, 7], [3, 7]]),
    ("nn.AdaptiveAvgPool1d(3)", [[2, 3, 7]]),
    ("nn.LayerNorm(4)", [[3, 4], [2, 3, 4], [4], [0, 4]]),
    ("nn.LayerNorm((3, 4), eps=0.1)", [[2, 3, 4], [5, 2, 3, 4]]),
    ("nn.LayerNorm(4, elementwise_affine=False)", [[3, 4]]),
    ("nn.LayerNorm(1)", [[3, 1]]),
    ("nn.ELU()", [[3, 4], []]),
    ("nn.ELU(alpha=0.5)", [[3, 4]]),
    ("nn.SiLU()", [[3, 4], [0, 2]]),
    ("nn.Hardtanh()", [[3, 4]]),
    ("nn.Hardtanh(-0.5, 0.25)", [[3, 4]]),
    ("nn.Unflatten(1, (2, 3))", [[4, 6]]),
    ("nn.Unflatten(-1, (3, -1))", [[4, 6]]),
]


def layer_case(expression, shape, dtype):
    layer = eval(expression).to(dtype)
    for p in layer.parameters():
        p.data = torch.randn(p.shape, dtype=dtype) * 0.5 + 0.25
    embedding = isinstance(layer, nn.Embedding)
    x = torch.randint(5, shape) if embedding else torch.randn(shape, dtype=dtype)
    x.requires_grad_(not embedding)
    y = layer(x)
    dy = torch.randn_like(y)
    case = {"layer": expression, "dtype": str(dtype)[6:], "repr": repr(layer), "state": {k: tensor(v) for k, v in layer.state_dict().items()},
            "input": tensor(x), "output": tensor(y), "grad_output": tensor(dy)}
    if y.grad_fn:
        case["grad_fn"] = y.grad_fn.name()
    y.backward(dy)
    case["grad_input"] = tensor(None if embedding else x.grad)
    case["grads"] = {k: tensor(p.grad) for k, p in layer.named_parameters()}
    return case


LOSSES = [
    "nn.HuberLoss()", "nn.HuberLoss(delta=0.5)", "nn.HuberLoss(reduction='sum')", "nn.HuberLoss(reduction='none')",
    "nn.SmoothL1Loss()", "nn.SmoothL1Loss(beta=0.5, reduction='sum')", "nn.SmoothL1Loss(beta=0, reduction='none')",
    "nn.KLDivLoss()", "nn.KLDivLoss(reduction='batchmean')", "nn.KLDivLoss(reduction='sum', log_target=True)",
    "nn.KLDivLoss(reduction='none')", "nn.KLDivLoss(reduction='batchmean', log_target=True)",
    "nn.BCELoss()", "nn.BCELoss(reduction='sum')", "nn.BCELoss(reduction='none')",
    "nn.BCELoss(weight=torch.tensor([0.5, 1, 2, 0], dtype=dtype))",
]


def loss_case(expression, dtype):
    loss = eval(expression, {"nn": nn, "torch": torch, "dtype": dtype})
    x, t = torch.randn(3, 4, dtype=dtype) * 1.5, torch.randn(3, 4, dtype=dtype) * 1.5
    if "BCE" in expression:
        x, t = torch.sigmoid(x), torch.sigmoid(t)
        x[0, 0], t[0, 0], x[1, 1], t[1, 1], x[2, 2], t[2, 2] = 0, 0, 1, 1, 0, 1
    if "KLDiv" in expression:
        x, t = x.log_softmax(1), t.log_softmax(1) if "log_target" in expression else t.softmax(1)
        if "log_target" not in expression:
            t[0, 0] = 0
    if "Huber" in expression or "Smooth" in expression:
        x[0, 0] = t[0, 0]
    x.requires_grad_()
    y = loss(x, t)
    dy = torch.randn_like(y)
    y.backward(dy)
    return {"loss": expression, "dtype": str(dtype)[6:], "repr": repr(loss), "input": tensor(x), "target": tensor(t),
            "output": tensor(y), "grad_output": tensor(dy), "grad_fn": y.grad_fn.name(), "grad_input": tensor(x.grad)}


ERRORS = [
    "nn.Embedding(5, 3)(torch.tensor([1, 5]))", "nn.Embedding(5, 3)(torch.tensor([-1]))",
    "nn.Embedding(5, 3)(torch.tensor([1.0]))", "nn.Embedding(5, 3, padding_idx=5)", "nn.Embedding(5, 3, padding_idx=-6)",
    "nn.Conv1d(4, 6, 3)(torch.zeros(2, 3, 7))", "nn.Conv1d(4, 6, 3)(torch.zeros(2, 4, 2))",
    "nn.Conv1d(4, 6, 3)(torch.zeros(7))", "nn.Conv1d(4, 6, 3)(torch.zeros(1, 2, 4, 7))",
    "nn.Conv1d(4, 6, 3)(torch.zeros(2, 4, 7, dtype=torch.float64))", "nn.Conv1d(4, 6, 3, groups=3)",
    "nn.Conv1d(4, 6, 3, groups=4)", "nn.Conv1d(4, 6, 3, groups=0)", "nn.Conv1d(4, 6, 3, stride=2, padding='same')",
    "nn.Conv1d(4, 6, 3, stride=0)(torch.zeros(2, 4, 7))", "nn.Conv1d(4, 6, 3, padding=-1)(torch.zeros(2, 4, 7))",
    "nn.Conv1d(4, 6, 3, dilation=0)(torch.zeros(2, 4, 7))",
    "nn.MaxPool1d(3)(torch.zeros(2, 3, 2))", "nn.MaxPool1d(3)(torch.zeros(2))", "nn.MaxPool1d(3, padding=2)(torch.zeros(2, 3, 9))",
    "nn.MaxPool1d(0)(torch.zeros(2, 3, 9))", "nn.MaxPool1d(3, stride=0)(torch.zeros(2, 3, 9))",
    "nn.MaxPool1d(3, dilation=0)(torch.zeros(2, 3, 9))",
    "nn.AvgPool1d(3)(torch.zeros(2, 3, 2))", "nn.AvgPool1d(3, padding=2)(torch.zeros(2, 3, 9))", "nn.AvgPool1d(3)(torch.zeros(2))",
    "nn.AvgPool1d(3, stride=0)(torch.zeros(2, 3, 9))", "nn.AvgPool1d(0)(torch.zeros(2, 3, 9))",
    "nn.AdaptiveAvgPool1d(1)(torch.zeros(2))", "nn.AdaptiveAvgPool1d(-1)(torch.zeros(2, 3, 4))",
    "nn.LayerNorm(4)(torch.zeros(3, 5))", "nn.LayerNorm((3, 4))(torch.zeros(4))",
    "nn.LayerNorm(4)(torch.zeros(3, 4, dtype=torch.float64))", "nn.LayerNorm(4)(torch.zeros(3, 4, dtype=torch.int64))",
    "nn.LayerNorm(())", "nn.Hardtanh(1, 0)", "nn.ELU()(torch.tensor([1]))", "nn.SiLU()(torch.tensor([1]))",
    "nn.Unflatten(1, (2, 3))(torch.zeros(4, 5))", "nn.Unflatten(2, (2, 3))(torch.zeros(4, 6))",
    "nn.HuberLoss(delta=0)(torch.zeros(2), torch.zeros(2))", "nn.SmoothL1Loss(beta=-1)(torch.zeros(2), torch.zeros(2))",
    "nn.HuberLoss()(torch.zeros(2), torch.zeros(3))", "nn.KLDivLoss()(torch.zeros(2), torch.zeros(3))",
    "nn.BCELoss()(torch.tensor([1.5]), torch.tensor([1.0]))", "nn.BCELoss()(torch.tensor([float('nan')]), torch.tensor([1.0]))",
    "nn.BCELoss()(torch.zeros(2), torch.zeros(3))", "nn.BCELoss()(torch.zeros(2), torch.zeros(2, dtype=torch.int64))",
]


def error_case(expression):
    try:
        eval(expression)
    except Exception as error:
        return {"python": expression, "raises": type(error).__name__, "message": str(error)}
    return {"python": expression, "raises": None, "message": ""}


def layers():
    torch.manual_seed(0)
    dtypes = (torch.float32, torch.float64)
    first = {}
    for expression in ("nn.Embedding(5, 3)", "nn.Embedding(5, 3, padding_idx=2)", "nn.Conv1d(4, 6, 3, groups=2)",
                       "nn.Conv1d(4, 6, 3, bias=False)"):
        torch.manual_seed(1)
        first[expression] = {k: tensor(v) for k, v in eval(expression).state_dict().items()}
    return {
        "layers": [layer_case(e, s, d) for e, shapes in LAYERS for s in shapes for d in dtypes],
        "losses": [loss_case(e, d) for e in LOSSES for d in dtypes],
        "errors": [error_case(e) for e in ERRORS],
        "initial": first,
    }


for name, make in (("infinite_logits", infinite_logits), ("layers", layers)):
    with open(f"{sys.argv[1]}/{name}.json", "w", encoding="utf-8") as file:
        json.dump(make(), file, allow_nan=False, separators=(",", ":"))
        file.write("\n")
