"""Sound checkpoint files whose contents are odd: parts replaced by other loadable values, and sealed again."""

from __future__ import annotations

import copy
import json
from collections import OrderedDict

import numpy as np
import torch

from ae_lightning.checkpoints.checked_safetensors import packed
from ae_lightning.checkpoints.files import write_checkpoint

CONTENTS = "ae_lightning"
ODD_TEXTS = ("", "VAE", "os.system", "ae_lightning.errors.DataError", ".", "a.b", "9.9", "\x00", "\udc80", "x" * 3000)
ODD_NUMBERS = (0, -1, 1, 2**31, 2**63, 10**30, 0.5, float("nan"), float("inf"), -1e308, 1e-320)


def odd_tensor(random, like=None):
    """A tensor that `torch.save` takes; of the shape of another one or not."""
    shape = tuple(like.shape) if like is not None and random.random() < 0.4 else random.choice(((), (0,), (3,), (2, 2)))
    kinds = (
        *(lambda: torch.full(shape, float("nan")), lambda: torch.full(shape, 1e38), lambda: torch.zeros(shape)),
        *(lambda: torch.zeros(shape, dtype=torch.int64), lambda: torch.zeros(shape, dtype=torch.bool)),
        *(lambda: torch.zeros(shape, dtype=torch.complex64), lambda: torch.zeros(shape, dtype=torch.float64)),
        *(lambda: torch.zeros(shape, dtype=torch.float16), lambda: torch.zeros(shape, dtype=torch.bfloat16)),
        *(lambda: torch.zeros(shape).to_sparse(), lambda: torch.zeros(shape, device="meta")),
        *(lambda: torch.zeros(1).expand(10**6, 10**6), lambda: torch.zeros(shape, requires_grad=True)),
        *(lambda: torch.zeros(shape, dtype=torch.uint8), lambda: torch.zeros(shape).to(torch.float8_e4m3fn)),
    )
    return random.choice(kinds)()


def odd_value(random, here, depth=0):
    """A value that `torch.load` reads as data, in place of another."""
    if isinstance(here, torch.Tensor) and random.random() < 0.7:
        return odd_tensor(random, here)
    keys = (*ODD_TEXTS, 3, None, "class_path", "init_args", "seed", "spec")
    others = (OrderedDict(a=1), np.float64(1.5), (), (1, 2), {1, 2}, b"bytes", bytearray(b"x"), torch.float32, 1j)
    kinds = [
        lambda: random.choice(ODD_TEXTS),
        lambda: random.choice(ODD_NUMBERS),
        lambda: random.choice((None, True, False)),
        lambda: odd_tensor(random),
        lambda: random.choice(others),
    ]
    if depth < 2:
        kinds += [
            lambda: [odd_value(random, here, depth + 1) for _ in range(random.randint(0, 2))],
            lambda: {random.choice(keys): odd_value(random, here, depth + 1) for _ in range(random.randint(0, 2))},
        ]
    if isinstance(here, dict | list | tuple | str):
        kinds += [type(here)] * 2
    if isinstance(here, int | float):
        kinds += [lambda: random.choice((-here, here * 1000, float(here), str(here), here + 1, not here))] * 2
    return random.choice(kinds)()


def spoilt(random, state):
    """A checkpoint with one to three of its parts replaced, renamed, dropped or added to; and what was done."""
    state = copy.deepcopy(state)
    done = []
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        way, parent = [], state
        while True:
            key = random.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
            way.append(str(key))
            inner = parent[key]
            if (
                not (isinstance(inner, dict | list) and inner)
                or random.random() < (0.05, 0.15, 0.25, 0.25)[min(3, len(way) - 1)]
            ):
                break
            parent = inner
        kind = random.choice(("replace", "replace", "replace", "replace", "drop", "rename", "add"))
        if kind == "drop":
            del parent[key]
        elif kind == "rename" and isinstance(parent, dict):
            parent[random.choice((*ODD_TEXTS, 3, None))] = parent.pop(key)
        elif kind == "add" and isinstance(parent, dict):
            parent[random.choice((*ODD_TEXTS, 3, "class_path", "init_args"))] = odd_value(random, inner)
        else:
            parent[key] = odd_value(random, inner)
        done.append(f"{kind} {'.'.join(way)}")
        if not state:
            break
    return state, done


def write_spoilt(random, state, folder):
    """Write a spoilt checkpoint, or spoilt weights as `export` writes them, each with its checksum."""
    spoiled, done = spoilt(random, state)
    if random.random() < 0.25:
        path = folder / "spoilt.safetensors"
        rest = {
            key: value
            for key, value in spoiled.items()
            if key not in ("state_dict", "optimizer_states", "lr_schedulers", "callbacks", "loops", "training_progress")
        }
        tensors = {
            str(name).encode("utf-8", "replace").decode(): value.detach().contiguous().clone()
            for name, value in (
                spoiled.get("state_dict") if isinstance(spoiled.get("state_dict"), dict) else {}
            ).items()
            if isinstance(value, torch.Tensor) and is_stored(value)
        }
        own = rest.get("ae_lightning")
        if isinstance(own, dict) and isinstance(own.get("version"), str):
            rest["ae_lightning"] = {"version": own["version"]}
        text = (
            json.dumps(plain(rest))
            if random.random() < 0.9
            else random.choice(("", "[" * 9999, "3", "[]", "{}", '{"hyper_parameters": 1}'))
        )
        path.write_bytes(packed(CONTENTS, text, tensors))
    else:
        path = folder / "spoilt.ckpt"
        write_checkpoint(spoiled, path)
    return path, done


def is_stored(value):
    """Whether safetensors takes a tensor, in a file that a test can write."""
    return value.layout == torch.strided and value.device.type != "meta" and value.numel() < 10**6


def plain(value):
    """What JSON takes of a value."""
    if isinstance(value, dict):
        return {str(key).encode("utf-8", "replace").decode(): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
