"""Compares texts of gradus, recorded in the JSON file that is given, with those of PyTorch and IPython on this machine."""
import json
import sys
from collections import OrderedDict

try:
    import torch
except ImportError:
    sys.exit(77)
try:
    from IPython.lib.pretty import pretty
except ImportError:
    pretty = None

NUMBER = {"float32": float, "float64": float, "int64": int, "bool": lambda text: text == "1"}


def tensor(case):
    elements = [NUMBER[case["dtype"]](text) for text in case["data"]]
    x = torch.tensor(elements, dtype=getattr(torch, case["dtype"])).reshape(case["shape"])
    if case["place"]:
        x.requires_grad_()
    return {"": x, "leaf": x, "div": x / 1, "mul": x * 1}[case["place"]]


def expected(case):
    torch.set_printoptions(**case["options"])
    if "entries" not in case:
        return repr(tensor(case))
    state = OrderedDict((entry["name"], tensor(entry)) for entry in case["entries"])
    if not case["pretty"]:
        return repr(state)
    return pretty(state, max_width=case["width"]) if pretty else case["text"]


with open(sys.argv[1]) as file:
    cases = json.load(file)
wrong = [case for case in cases if expected(case) != case["text"]]
for case in wrong[:5]:
    print(case, "\nexpected:\n" + expected(case), "\ngot:\n" + case["text"])
print(f"{len(cases)} texts, {len(wrong)} differ, IPython {'asked' if pretty else 'missing'}")
sys.exit(bool(wrong))
