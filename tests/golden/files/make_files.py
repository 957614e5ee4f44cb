"""Writes the files beside this script with PyTorch 1.13 and NumPy. Elements are counted up, so that a test knows them."""

import collections
import copy
import json
import pathlib
import struct

import numpy as np
import torch
from torch import nn

here = pathlib.Path(__file__).parent


def count(*shape, dtype=torch.float32, start=0):
    numel = int(np.prod(shape))
    return torch.arange(start, start + numel).reshape(shape).to(dtype)


def fill(module):
    """Element i of tensor k is ((7 i + 3 k) mod 11 - 5) / 8, a variance is one more than its square."""
    with torch.no_grad():
        for k, (name, tensor) in enumerate(module.state_dict().items()):
            i = torch.arange(tensor.numel()).reshape(tensor.shape)
            value = ((7 * i + 3 * k) % 11 - 5) / 8
            tensor.copy_(value**2 + 1 if name.endswith("running_var") else value * 8 + 5 if tensor.dtype == torch.int64 else value)


def model():
    torch.manual_seed(0)
    net = nn.Sequential(
        collections.OrderedDict(
            hidden=nn.Linear(3, 4, bias=False), norm=nn.BatchNorm1d(4), relu=nn.ReLU(), out=nn.Linear(4, 2)
        )
    )
    fill(net)
    return net


def save_safetensors(state, path):
    """As the reference implementation: integers first, then by name; the header padded so that the data is aligned."""
    names = sorted(state, key=lambda name: (state[name].dtype != torch.int64, name))
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name in names:
        part = state[name].numpy().tobytes()
        dtype = {torch.int64: "I64", torch.float32: "F32"}[state[name].dtype]
        offsets = [len(data), len(data) + len(part)]
        header[name] = {"dtype": dtype, "shape": list(state[name].shape), "data_offsets": offsets}
        data += part
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


net = model()
torch.save(net.state_dict(), here / "state_dict.pt")
save_safetensors(net.state_dict(), here / "state_dict.safetensors")
np.savez(here / "state_dict.npz", **{name: tensor.numpy() for name, tensor in net.state_dict().items()})

torch.save(
    {
        "bool": torch.tensor([True, False, True]),
        "uint8": count(3, dtype=torch.uint8, start=253),
        "int8": count(3, dtype=torch.int8, start=-1),
        "int16": count(3, dtype=torch.int16, start=-300),
        "int32": count(3, dtype=torch.int32, start=-70000),
        "int64": count(3, dtype=torch.int64, start=2**40),
        "float16": count(3, dtype=torch.float16, start=-1) / 2,
        "bfloat16": count(3, dtype=torch.bfloat16, start=-1) / 2,
        "float32": count(3, dtype=torch.float32, start=-1) / 2,
        "float64": count(3, dtype=torch.float64, start=-1) / 3,
    },
    here / "dtypes.pt",
)

base = count(4, 6)
tied = nn.Parameter(count(2, 3))
torch.save(
    {
        "base": base,
        "transposed": base.t(),
        "rows": base[1:3],
        "columns": base[:, 2:5],
        "steps": base[::2, ::3],
        "expanded": base[1, :2].expand(3, 2),
        "diagonal": base.diagonal(),
        "scalar": base[2, 3],
        "empty": base[4:],
        "zero_by_three": torch.zeros(0, 3),
        "tied.a": tied,
        "tied.b": tied,
    },
    here / "views.pt",
)

optimizer = torch.optim.SGD(net.parameters(), lr=0.125, momentum=0.5)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2)
net.train()
x = count(5, 3) / 8 - 1
nn.functional.cross_entropy(net(x), torch.tensor([0, 1, 1, 0, 1])).backward()
optimizer.step()
scheduler.step()
net.eval()
torch.save(
    {
        "epoch": 3,
        "model_state_dict": net.state_dict(),
        "optimizer_state_dict": optimizer.state_dict(),
        "scheduler_state_dict": {k: v for k, v in scheduler.state_dict().items()},
        "input": x,
        "output": net(x).detach(),
        "best": 0.984375,
        "infinite": float("inf"),
        "name": "Größe 𝄞",
        "nothing": None,
        "flags": (True, False),
        "integers": [0, -1, 255, 256, 65535, 65536, -(2**31), 2**31, -(2**63), 2**63 - 1],
        "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
        "history": [{"loss": 0.5}, {}],
        "shape": x.shape,
        3: "three",
    },
    here / "checkpoint.pt",
)

# Trainings after three steps, with the losses of the ten that follow.
makers = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.125, momentum=0.875, weight_decay=0.0625),
    "adam": lambda p: torch.optim.Adam(p, lr=0.0625),
}
for name, make in makers.items():
    net = model()
    optimizer = make(net.parameters())
    x, y = (count(8, 3) * 5 % 13) / 4 - 1, torch.tensor([0, 1, 1, 0, 1, 0, 0, 1])
    losses = []
    for step in range(13):
        if step == 3:
            saved = copy.deepcopy({"model": net.state_dict(), "optimizer": optimizer.state_dict(), "x": x, "y": y})
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    torch.save({**saved, "losses": losses[3:]}, here / f"training_{name}.pt")

# The form before PyTorch 1.6, every protocol of pickle, and whole modules.
net = model()
old = {"_use_new_zipfile_serialization": False}
torch.save(count(2), here / "legacy.pt", **old)
torch.save(net.state_dict(), here / "legacy_state_dict.pt", **old)
torch.save({"base": base, "rows": base[1:3], "transposed": base.t(), "half": count(3).half(), "empty": base[4:]}, here / "legacy_views.pt", **old)
torch.save(count(2), here / "protocol4.pt", pickle_protocol=4)
for protocol in 3, 4, 5:
    torch.save({"model": net.state_dict(), "epoch": 3}, here / f"protocol{protocol}_checkpoint.pt", pickle_protocol=protocol)
    torch.save({"model": net.state_dict(), "epoch": 3}, here / f"legacy_protocol{protocol}.pt", pickle_protocol=protocol, **old)


class Net(nn.Module):
    """Everything that state_dict() leaves out or passes through."""

    def __init__(self):
        super().__init__()
        self.body = net
        self.twice = net.out
        self.no_bias = nn.Linear(2, 1, bias=False)
        self.register_buffer("kept", count(2))
        self.register_buffer("scratch", count(3), persistent=False)
        self.register_parameter("absent", None)
        self.scale = nn.Parameter(count(1, start=7))
        self.settings = {"lr": 0.1}
        self.stack = nn.ModuleList([nn.BatchNorm1d(2), nn.Dropout()])


whole = Net()
torch.save(nn.Identity(), here / "module.pt")
torch.save(whole, here / "whole_module.pt")
torch.save(whole, here / "legacy_whole_module.pt", **old)
torch.save(whole.state_dict(), here / "whole_module_state_dict.pt")


class Settings:
    def __init__(self):
        self.names = [self]  # refers to itself


for protocol in 2, 4:
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 5, 5])
    torch.save(
        {
            "model": net.state_dict(),
            "schedule": schedule.state_dict(),
            "counter": collections.Counter("abca"),
            "default": collections.defaultdict(list, a=[1]),
            "set": {3},
            "frozenset": frozenset(["x"]),
            "bytes": b"\x00\xffA",
            "no_bytes": b"",
            "float64": np.float64(0.5),
            "float32": np.float32(0.25),
            "int64": np.int64(-3),
            "bool_": np.bool_(True),
            "array": np.arange(6, dtype=np.int16).reshape(2, 3),
            "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
            "big_endian": np.arange(3, dtype=">f4"),
            "uint64": np.array([1, 2], dtype=np.uint64),
            "too_large": np.array([2**63], dtype=np.uint64),
            "texts": np.array(["cat", "dog"]),
            "python_objects": np.array([{}], dtype=object),
            "device": torch.device("cuda:1"),
            "dtype": torch.float16,
            "size": torch.Size([2, 3]),
            "large": 2**64,
            "complex": 1j,
            "complex_tensor": torch.zeros(2, dtype=torch.complex64),
            "class": collections.OrderedDict,
            "settings": Settings(),
            "optimizer": optimizer,
            "by_pair": {(0, 1): count(2)},
            "ellipsis": ...,
        },
        here / f"objects{protocol}.pt",
        pickle_protocol=protocol,
    )

# Refused.
torch.jit.save(torch.jit.script(nn.Identity()), here / "script.pt")

np.save(here / "c_order.npy", np.arange(6, dtype=np.float32).reshape(2, 3))
np.save(here / "fortran_order.npy", np.asfortranarray(np.arange(6, dtype=np.float64).reshape(2, 3)))
np.save(here / "scalar.npy", np.int64(-7))
np.save(here / "objects.npy", np.array([{}], dtype=object))
np.save(here / "big_endian.npy", np.arange(6, dtype=">i2").reshape(2, 3))
np.save(here / "uint64.npy", np.array([0, 2**63 - 1], dtype=np.uint64))
np.save(here / "structured.npy", np.array([(1, 2.0)], dtype=[("a", "<i4"), ("b", "<f8")]))
np.savez(here / "mixed.npz", x=np.eye(2), names=np.array(["cat", "dog"]), objects=np.array([{}], dtype=object))
np.savez(here / "stored.npz", np.arange(3), weight=np.ones((2, 0), dtype=np.float32))
np.savez_compressed(here / "deflated.npz", zeros=np.zeros((1000, 100)), flags=np.array([True, False]))
