"""Pipelines of other libraries as the documents that are imported; those of torchvision are made from real objects."""

from __future__ import annotations

import inspect
import json
from enum import Enum
from pathlib import Path
from typing import Any

import torch
from torchvision.transforms import v2

DATA = Path(__file__).parents[1] / "data" / "pipelines"


def data(name: str) -> Any:
    """A document of tests/data/pipelines."""
    return json.loads((DATA / name).read_text())


def of_torchvision(transform: v2.Transform) -> Any:
    """A real object of torchvision v2 as the name of its class and its arguments, as they are kept in it."""
    names = [name for name in inspect.signature(type(transform).__init__).parameters if name not in ("self", "types")]
    given = {name: _plain(getattr(transform, name, None)) for name in names if name != "lambd"}
    document: Any = json.loads(json.dumps({type(transform).__name__: given}, allow_nan=False))
    return document


def _plain(value: Any) -> Any:
    if isinstance(value, v2.Transform):
        return of_torchvision(value)
    if isinstance(value, list | tuple | torch.nn.ModuleList):
        return [_plain(one) for one in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, torch.dtype):
        return str(value)
    if callable(value):
        return getattr(value, "__name__", "function")
    return value.tolist() if isinstance(value, torch.Tensor) else value
