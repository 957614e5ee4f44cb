"""Writes the inputs that the fuzzers start from, beside those of tests/golden/files."""

import gzip
import json
import pathlib
import struct
import zipfile

here = pathlib.Path(__file__).parent
golden = here.parents[1] / "golden" / "files"


def safetensors(name, header, data=b""):
    text = json.dumps(header).encode()
    (here / "safetensors" / name).write_bytes(struct.pack("<Q", len(text)) + text + data)


def tensor(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


safetensors("floats", {"a": tensor("F32", [2], 0, 8), "b": tensor("F64", [], 8, 16)}, bytes(16))
safetensors("short", {"a": tensor("BF16", [1, 2], 0, 4), "b": tensor("BOOL", [2, 0], 4, 4)}, bytes(4))
safetensors("metadata", {"__metadata__": {"format": "pt", "\u00fc\"": "\U0001d11e"}})

for name in ["state_dict", "views", "checkpoint", "dtypes", "whole_module", "objects2", "objects4"]:
    with zipfile.ZipFile(golden / f"{name}.pt") as archive:
        (here / "pickle" / name).write_bytes(archive.read(f"{name}/data.pkl"))

value = {"dict": [["a", {"tensor": "x"}], [1, {"tuple": [1.5, None, True, {"float": "nan"}, "s", -3]}], ["l", [[], {"dict": []}]]]}
(here / "value_json" / "all").write_text(json.dumps(value))

idx = b"\0\0\x08\2" + struct.pack(">II", 2, 3) + bytes(range(6))
(here / "data" / "idx").write_bytes(idx)
(here / "data" / "idx.gz").write_bytes(gzip.compress(idx, mtime=0))
(here / "data" / "idx_float").write_bytes(b"\0\0\x0d\1" + struct.pack(">If", 1, 0.5))
(here / "data" / "csv").write_text("1,2.5,-3e2\n inf ,nan,0x1p3\n\n4,5,6\n")
