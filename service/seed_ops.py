"""The seed's operations as recipes: 20 names with their fields, each mapped to one of our operations.

What a name means is written at its line. Whole levels are computed here, so that a fraction is dropped as the seed
drops it; shares are computed here, because the seed draws pixels with replacement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kernels.recipe import Recipe
from kernels.tensors import Size
from service.errors import ValidationError
from service.uploads.json_text import escaped

Step = Mapping[str, Any]
OUTPUT: Mapping[str, Any] = {"format": "png"}
_CHANNELS = ("r", "g", "b")


@dataclass(frozen=True)
class Whole:
    """A whole number within [low, high]; no upper end where `high` is None."""

    low: int
    high: int | None = None

    def refusal(self, value: object) -> str | None:
        """Why the value is refused; None: it is right."""
        if type(value) is not int:
            return "must be a whole number"
        if value < self.low or (self.high is not None and value > self.high):
            return f"must be {self.low} to {self.high}" if self.high is not None else f"must be {self.low} or more"
        return None

    def schema(self) -> dict[str, Any]:
        """Its JSON Schema."""
        return {"type": "integer", "minimum": self.low} | ({} if self.high is None else {"maximum": self.high})


@dataclass(frozen=True)
class OneOf:
    """One of some names."""

    names: tuple[str, ...]

    def refusal(self, value: object) -> str | None:
        """Why the value is refused; None: it is right."""
        return None if isinstance(value, str) and value in self.names else f"must be one of {', '.join(self.names)}"

    def schema(self) -> dict[str, Any]:
        """Its JSON Schema."""
        return {"type": "string", "enum": list(self.names)}


@dataclass(frozen=True)
class Operation:
    """One of the seed's operations: its fields, all of them required, and the step that it becomes."""

    fields: Mapping[str, Whole | OneOf]
    step: Callable[..., Step]
    """step(size of the picture, fields by name): one step of a recipe."""


_PERCENT = {"amount": Whole(0, 100)}
_CHANNEL = OneOf(_CHANNELS)
_WINDOW = Whole(1, 128)


def _brighten(size: Size, amount: int) -> Step:
    return {"op": "brightness", "factor": 1, "offset": amount * 255 // 100 / 255}


def _darken(size: Size, amount: int) -> Step:
    # what is left of v - a fraction is the next whole level below
    return {"op": "brightness", "factor": 1, "offset": -(-amount * 255 // 100) / -255}


def _channel_swap(size: Size, a: str, b: str) -> Step:
    return {"op": "channel_swap", "first": a, "second": b}


def _mute_channel(size: Size, channel: str) -> Step:
    return {"op": "channel_dropout", "channel": channel, "level": 0}


def _invert(size: Size) -> Step:
    return {"op": "invert"}


def _tint(size: Size, channel: str, amount: int) -> Step:
    return {"op": "tint", "channel": channel, "amount": amount / 200}


def _flip(size: Size, axis: str) -> Step:
    return {"op": "vflip" if axis == "x" else "hflip"}


def _rotate(size: Size, angle: int) -> Step:
    return {"op": "rotate", "degrees": angle, "border": "constant", "fill": [0, 0, 0]}


def _shift(size: Size, direction: str, distance: int) -> Step:
    right = {"left": -1, "right": 1}.get(direction, 0) * (distance % size.width)
    down = {"up": -1, "down": 1}.get(direction, 0) * (distance % size.height)
    return {"op": "translate", "x": 0, "y": 0, "x_pixels": right, "y_pixels": down, "border": "wrap"}


def _zoom(size: Size, amount: int) -> Step:
    return {"op": "zoom", "factor": 1 + amount / 100, "x": [0, 1], "y": [0, 1]}


def _cutout(size: Size, amount: int) -> Step:
    return {"op": "cutout", "area": amount / 100, "across": [0, 1], "down": [0, 1], "filling": "noise"}


def _noise(op: str) -> Callable[..., Step]:
    def step(size: Size, amount: int) -> Step:
        # so many draws of one of all pixels hit this share of them: some are drawn twice
        draws = size.pixels * amount // 100
        return {"op": op, "amount": 1.0 - (1.0 - 1.0 / size.pixels) ** draws}

    return step


def _gaussian_blur(size: Size, amount: int) -> Step:
    return {"op": "gaussian_blur", "sigma": amount / 100}


def _window(op: str) -> Callable[..., Step]:
    def step(_: Size, /, **fields: int) -> Step:
        # a window of no pixels, which only the blur may ask for, leaves the picture
        return {"op": op, **fields, "size": max(fields["size"], 1)}

    return step


def _edge_filter(size: Size, image_type: str) -> Step:
    return {"op": "edge_map"} if image_type == "edge_map" else {"op": "edge_enhance", "strength": 0.5}


OPERATIONS: Mapping[str, Operation] = {
    "brighten": Operation(_PERCENT, _brighten),
    "darken": Operation(_PERCENT, _darken),
    "channel_swap": Operation({"a": _CHANNEL, "b": _CHANNEL}, _channel_swap),
    "mute_channel": Operation({"channel": _CHANNEL}, _mute_channel),
    "invert": Operation({}, _invert),
    "tint": Operation({"channel": _CHANNEL, **_PERCENT}, _tint),
    "flip": Operation({"axis": OneOf(("x", "y"))}, _flip),
    "rotate": Operation({"angle": Whole(1, 359)}, _rotate),
    "shift": Operation({"direction": OneOf(("up", "down", "left", "right")), "distance": Whole(1)}, _shift),
    "zoom": Operation(_PERCENT, _zoom),
    "cutout": Operation(_PERCENT, _cutout),
    "rainbow_noise": Operation(_PERCENT, _noise("impulse_noise")),
    "salt_noise": Operation(_PERCENT, _noise("salt")),
    "pepper_noise": Operation(_PERCENT, _noise("pepper")),
    "gaussian_blur": Operation({"amount": Whole(0, 200)}, _gaussian_blur),
    "uniform_blur": Operation({"size": Whole(0, 100)}, _window("box_blur")),
    "min_filter": Operation({"size": _WINDOW}, _window("min_filter")),
    "max_filter": Operation({"size": _WINDOW}, _window("max_filter")),
    "percentile_filter": Operation({"percentile": Whole(0, 100), "size": _WINDOW}, _window("percentile_filter")),
    "edge_filter": Operation({"image_type": OneOf(("edge_map", "edge_enhanced"))}, _edge_filter),
}
"""The seed's operations by name."""


def recipe(document: object, size: Size) -> Recipe:
    """The recipe for `{"arguments": {"processing": NAME, ...}}` and a picture of this size.

    Fields beside the known ones are passed over, as the seed does. ValidationError.
    """
    return Recipe.parse({"steps": [step(document, size)], "output": OUTPUT})


def step(document: object, size: Size) -> Step:
    """The step that a request for a picture of this size becomes. ValidationError."""
    if not isinstance(document, dict) or not isinstance(arguments := document.get("arguments"), dict):
        raise ValidationError('must be an object: {"processing": NAME, ...}', "/arguments")
    name = arguments.get("processing")
    operation = OPERATIONS.get(name) if isinstance(name, str) else None
    if operation is None:
        raise ValidationError(f"must be one of {', '.join(OPERATIONS)}", "/arguments/processing")
    fields: dict[str, Any] = {}
    for field, kind in operation.fields.items():
        if field not in arguments:
            raise ValidationError(f"{name} needs it", f"/arguments/{escaped(field)}")
        if (refusal := kind.refusal(arguments[field])) is not None:
            raise ValidationError(refusal, f"/arguments/{escaped(field)}")
        fields[field] = arguments[field]
    return operation.step(size, **fields)


def schema() -> dict[str, Any]:
    """JSON Schema of the documents that `recipe` takes."""
    forms = [
        {
            "type": "object",
            "properties": {"processing": {"const": name}, **{field: kind.schema() for field, kind in one.fields.items()}},
            "required": ["processing", *one.fields],
        }
        for name, one in OPERATIONS.items()
    ]
    return {"type": "object", "properties": {"arguments": {"oneOf": forms}}, "required": ["arguments"]}
