"""The other side of files_against_torch_test.cpp: `write FOLDER` makes files for gradus, `check FOLDER` reads its files."""
import json
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
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.5),
}


def train(net, optimizer, x, y, steps):
    net.train()
    losses = []
    for step in steps:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x[step % BATCHES]), y[step % BATCHES])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def write(folder):
    torch.manual_seed(0)
    for name, net in nets().items():
        dtype = next(net.parameters()).dtype
        for _ in range(3):
            net(torch.randn(7, 3, dtype=dtype) * 2 + 1)
        x = torch.randn(5, 3, dtype=dtype)
        torch.save({"state": net.state_dict(), "input": x, "output": net.eval()(x).detach()}, f"{folder}/torch_{name}.pt")
    for name, make_optimizer in OPTIMIZERS.items():
        net = nets()["deep"]
        optimizer = make_optimizer(net.parameters())
        x, y = torch.randn(BATCHES, 8, 3), torch.randint(0, 2, (BATCHES, 8))
        train(net, optimizer, x, y, range(BEFORE))
        checkpoint = {"model": net.state_dict(), "optimizer": optimizer.state_dict(), "x": x, "y": y}
        torch.save(checkpoint, f"{folder}/torch_train_{name}.pt")
        torch.save({"losses": train(net, optimizer, x, y, range(BEFORE, BEFORE + AFTER))}, f"{folder}/torch_losses_{name}.pt")


def load_safetensors(path):
    """As strict as the reference."""
    data = open(path, "rb").read()
    (length,) = struct.unpack("<Q", data[:8])
    pairs = json.loads(data[8 : 8 + length].decode("utf-8"), object_pairs_hook=lambda p: p)
    names = [name for name, _ in pairs]
    assert len(set(names)) == len(names) and data[8:9] == b"{" and length % 8 == 0
    dtypes = {"BOOL": torch.bool, "I64": torch.int64, "F32": torch.float32, "F64": torch.float64}
    tensors, end = OrderedDict(), 0
    for name, info in pairs:
        info = dict(info)
        if name == "__metadata__":
            assert info == {"format": "pt"}
            continue
        assert set(info) == {"dtype", "shape", "data_offsets"} and info["data_offsets"][0] == end
        begin, end = info["data_offsets"]
        part = bytearray(data[8 + length + begin : 8 + length + end])
        flat = torch.frombuffer(part, dtype=dtypes[info["dtype"]]) if part else torch.empty(0, dtype=dtypes[info["dtype"]])
        tensors[name] = flat.reshape(info["shape"])
    assert 8 + length + end == len(data)
    return tensors


def load_safe(path):
    """With the restricted unpickler, where this PyTorch has it."""
    try:
        return torch.load(path, weights_only=True)
    except TypeError:
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


def check(folder):
    for name, net in nets().items():
        check_outputs(folder, name, net)
    for name, make_optimizer in OPTIMIZERS.items():
        checkpoint = torch.load(f"{folder}/gradus_train_{name}.pt")
        net = nets()["deep"]
        net.load_state_dict(checkpoint["model"])
        optimizer = make_optimizer(net.parameters())
        optimizer.load_state_dict(checkpoint["optimizer"])
        losses = train(net, optimizer, checkpoint["x"], checkpoint["y"], range(BEFORE, BEFORE + AFTER))
        torch.testing.assert_close(losses, checkpoint["losses"], rtol=0, atol=1e-5)


{"write": write, "check": check}[sys.argv[1]](sys.argv[2])
