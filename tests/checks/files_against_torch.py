"""The other side of files_against_torch_test.cpp: `write FOLDER` makes files for gradus, `check FOLDER` reads its files."""
import json
import pickle
import struct
import sys
from collections import OrderedDict

try:
    import numpy as np
    import torch
    from torch import nn
except ImportError:
    sys.exit(77)

BATCHES, BEFORE, AFTER = 3, 5, 10


def nets():
    layers = lambda i, o: [nn.Linear(i, o, bias=False), nn.BatchNorm1d(o), nn.ReLU()]
    return {
        "linear": nn.Sequential(nn.Linear(3, 2)),
        "norm": nn.Sequential(nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)),
        "not_affine": nn.Sequential(nn.BatchNorm1d(3, affine=False, eps=0.1), nn.Linear(3, 2)),
        "not_tracking": nn.Sequential(nn.BatchNorm1d(3, track_running_stats=False), nn.Linear(3, 2)),
        "cumulative": nn.Sequential(nn.BatchNorm1d(3, momentum=None), nn.Linear(3, 2)),
        "double": nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).double(),
        "named": nn.Sequential(OrderedDict(hidden=nn.Linear(3, 4), norm=nn.BatchNorm1d(4), out=nn.Linear(4, 2))),
        "deep": nn.Sequential(*layers(3, 6), *layers(6, 5), *layers(5, 4), nn.Linear(4, 2)),
    }


OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "plain": lambda p: torch.optim.SGD(p, lr=0.1),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.5, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "amsgrad": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.5),
}

# Every net with one optimiser, and one net with every optimiser.
TRAININGS = [(net, "sgd") for net in nets()] + [("deep", name) for name in OPTIMIZERS if name != "sgd"]


class Training:
    def __init__(self, net, optimizer):
        self.net = nets()[net]
        self.optimizer = OPTIMIZERS[optimizer](self.net.parameters())
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 20)

    def run(self, x, y, steps):
        self.net.train()
        losses = []
        for step in steps:
            self.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self.net(x[step % BATCHES]), y[step % BATCHES])
            loss.backward()
            self.optimizer.step()
            self.scheduler.step()
            losses.append(loss.item())
        return losses

    def state(self):
        parts = {"model": self.net, "optimizer": self.optimizer, "scheduler": self.scheduler}
        return {name: part.state_dict() for name, part in parts.items()}

    def load(self, state):
        self.net.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])


def kinds_of_tensors():
    """Pairs (tensor, the contiguous float32, float64, int64 or bool tensor that gradus is to make of it)."""
    special = torch.tensor([0.0, -0.0, 1.0, 2.0**-24, 1e-7, 65504.0, float("inf"), -float("inf"), float("nan")])
    base = torch.randn(4, 6)
    weight = nn.Parameter(torch.randn(3, 2))
    tensors = {
        "float16": special.half(),
        "bfloat16": torch.cat([special, torch.tensor([1e-40, 3e38])]).bfloat16(),
        "float32": torch.cat([special, torch.tensor([1e-45, 3e38])]),
        "float64": torch.randn(2, 3, dtype=torch.float64),
        "int64": torch.tensor([-(2**63), 2**63 - 1]),
        "bool": torch.tensor([[True], [False]]),
        "transposed": base.t(),
        "part": base[1:3, 2:5],
        "steps": base[::2, 1::3],
        "expanded": base[:1].expand(3, 6),
        "diagonal": base.diagonal(),
        "permuted": torch.randn(2, 3, 4, 5).permute(3, 0, 2, 1),
        "channels_last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "half_view": base.half()[1:, ::2],
        "scalar": base[3, 4],
        "empty": base[4:],
        "none_by_three": torch.zeros(0, 3, dtype=torch.int64),
        "parameter": weight,
        "tied": weight,
        "result": weight * 2,
    }
    for bits in [8, 16, 32]:
        dtype = getattr(torch, f"int{bits}")
        tensors[str(dtype)] = torch.tensor([-(2 ** (bits - 1)), -1, 2 ** (bits - 1) - 1], dtype=dtype)
    tensors["uint8"] = torch.tensor([0, 255], dtype=torch.uint8)
    kept = [torch.float32, torch.float64, torch.int64, torch.bool]
    widened = lambda t: t if t.dtype in kept else t.float() if t.is_floating_point() else t.long()
    return {k: {"value": t, "expected": widened(t.detach()).contiguous().clone()} for k, t in tensors.items()}


def write(folder):
    torch.manual_seed(0)
    torch.save(kinds_of_tensors(), f"{folder}/torch_kinds.pt")
    for name, net in nets().items():
        dtype = next(net.parameters()).dtype
        for _ in range(3):
            net(torch.randn(7, 3, dtype=dtype) * 2 + 1)
        x = torch.randn(5, 3, dtype=dtype)
        parts = {"state": net.state_dict(), "input": x, "output": net.eval()(x).detach()}
        torch.save(parts, f"{folder}/torch_{name}.pt")
        flat = {"state." + k: v for k, v in parts["state"].items()} | {k: parts[k] for k in ["input", "output"]}
        save_safetensors(flat, f"{folder}/torch_{name}.safetensors")
        np.savez_compressed(f"{folder}/torch_{name}.npz", **{k: v.numpy() for k, v in flat.items()})
    for net, optimizer in TRAININGS:
        training = Training(net, optimizer)
        dtype = next(training.net.parameters()).dtype
        x, y = torch.randn(BATCHES, 8, 3, dtype=dtype), torch.randint(0, 2, (BATCHES, 8))
        training.run(x, y, range(BEFORE))
        torch.save({**training.state(), "x": x, "y": y}, f"{folder}/torch_train_{net}_{optimizer}.pt")
        losses = training.run(x, y, range(BEFORE, BEFORE + AFTER))
        torch.save({"losses": losses}, f"{folder}/torch_losses_{net}_{optimizer}.pt")


SAFETENSORS = {"BOOL": torch.bool, "I64": torch.int64, "F32": torch.float32, "F64": torch.float64}


def save_safetensors(tensors, path):
    """In the order of the names, which is not that of gradus."""
    names = {dtype: name for name, dtype in SAFETENSORS.items()}
    header, data = {}, b""
    for name in sorted(tensors):
        part = tensors[name].numpy().tobytes()
        offsets = [len(data), len(data) + len(part)]
        header[name] = {"dtype": names[tensors[name].dtype], "shape": list(tensors[name].shape), "data_offsets": offsets}
        data += part
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def load_safetensors(path):
    """As strict as the reference."""
    data = open(path, "rb").read()
    (length,) = struct.unpack("<Q", data[:8])
    pairs = json.loads(data[8 : 8 + length].decode("utf-8"), object_pairs_hook=lambda p: p)
    names = [name for name, _ in pairs]
    assert len(set(names)) == len(names) and data[8:9] == b"{" and length % 8 == 0
    tensors, end = OrderedDict(), 0
    for name, info in pairs:
        info = dict(info)
        if name == "__metadata__":
            assert info == {"format": "pt"}
            continue
        assert set(info) == {"dtype", "shape", "data_offsets"} and info["data_offsets"][0] == end
        begin, end = info["data_offsets"]
        part = bytearray(data[8 + length + begin : 8 + length + end])
        flat = torch.frombuffer(part, dtype=SAFETENSORS[info["dtype"]]) if part else torch.empty(0, dtype=SAFETENSORS[info["dtype"]])
        tensors[name] = flat.reshape(info["shape"])
    assert 8 + length + end == len(data)
    return tensors


def load_safe(path):
    """With the restricted unpickler, where this PyTorch has one that knows floating numbers: that of 1.13 does not."""
    try:
        return torch.load(path, weights_only=True)
    except TypeError:
        return torch.load(path)
    except pickle.UnpicklingError as error:
        assert f"Unsupported operand {ord('G')}" in str(error), error
        return torch.load(path)


def part(tensors, prefix):
    return OrderedDict((k[len(prefix) :], v) for k, v in tensors.items() if k.startswith(prefix))


def check_outputs(folder, name, net):
    nested = torch.load(f"{folder}/gradus_{name}.pt")
    flat = load_safetensors(f"{folder}/gradus_{name}.safetensors")
    arrays = {k: torch.from_numpy(v) for k, v in np.load(f"{folder}/gradus_{name}.npz").items()}
    assert nested.keys() == {"state", "input", "output"} and load_safe(f"{folder}/gradus_{name}.pt").keys() == nested.keys()
    for tensors in [flat, arrays]:
        for key, value in nested["state"].items():
            assert torch.equal(value, tensors["state." + key]) and value.dtype == tensors["state." + key].dtype
    for state in [nested["state"], part(flat, "state."), part(arrays, "state.")]:
        net.load_state_dict(state)
        torch.testing.assert_close(net.eval()(nested["input"]), nested["output"], rtol=1e-6, atol=1e-6)
    assert np.array_equal(np.load(f"{folder}/gradus_{name}.npy"), nested["output"].numpy())


def check_kinds(value):
    """What files_against_torch_test.cpp builds in kinds_of_values()."""
    assert value["none"] is None and value["yes"] is True and value["no"] is False
    assert value["text"] == "Größe 𝄞" and value["tuple"] == (1, (), [2.5, "x"]) and value["list"] == [[], {}]
    assert value["integers"] == [0, -1, 2**31, -(2**63), 2**63 - 1] and value[7] == {-1: "minus one"}
    assert value["reals"][:2] == [0.1, -float("inf")] and np.isnan(value["reals"][2])
    tensors = value["tensors"]
    assert torch.equal(tensors["bool"], torch.tensor([True, False]))
    assert torch.equal(tensors["int64"], torch.tensor([[-(2**63)], [2**63 - 1]]))
    assert torch.equal(tensors["float64"], torch.tensor([0.1, 1 / 3], dtype=torch.float64))
    assert tensors["scalar"].shape == () and tensors["scalar"].item() == 2.5
    assert tensors["empty"].shape == (0, 3) and tensors["empty"].dtype == torch.float32
    assert torch.equal(tensors["row"], torch.tensor([3.0, 4.0])) and tensors["row"].is_contiguous()
    assert torch.isnan(tensors["special"][0]) and tensors["special"][1:].tolist() == [float("inf"), -0.0]
    assert tensors["tied"].data_ptr() == tensors["weight"].data_ptr()


def check(folder):
    check_kinds(load_safe(f"{folder}/gradus_kinds.pt"))
    for name, net in nets().items():
        check_outputs(folder, name, net)
    for net, optimizer in TRAININGS:
        checkpoint = load_safe(f"{folder}/gradus_train_{net}_{optimizer}.pt")
        training = Training(net, optimizer)
        training.load(checkpoint)
        data = checkpoint["progress"]
        losses = training.run(data["x"], data["y"], range(BEFORE, BEFORE + AFTER))
        torch.testing.assert_close(losses, data["losses"], rtol=0, atol=1e-5, msg=f"{net} {optimizer}: {losses}")


{"write": write, "check": check}[sys.argv[1]](sys.argv[2])
