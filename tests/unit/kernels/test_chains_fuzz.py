"""Random chains on random pictures with random labels: whole results, labels on the canvas, nothing raised."""

from __future__ import annotations

import base64
import io
import random
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kernels.errors import LabelInvalid
from kernels.labels import Labels, read_mask
from kernels.op import Field, Op, Places
from kernels.ops import OPS
from kernels.params import Choice, Warp, drawn_fields
from kernels.run import run
from kernels.tensors import Size
from tests.helpers.pictures import CPU, make_image, make_picture, make_plan

MOVING = [op for op in OPS.values() if isinstance(op.kind, Places | Field)]


def any_step(rng: random.Random, op: Op) -> dict[str, Any]:
    """A step with ranges anywhere within what the operation allows."""
    step: dict[str, Any] = {"op": op.name, "chance": rng.choice([1.0, 1.0, 0.5])}
    for name, kind in drawn_fields(op.params):
        if isinstance(kind, Choice) or name.endswith("_pixels"):
            continue
        step[name] = sorted(rng.uniform(kind.minimum, kind.maximum) for _ in range(2))
    if "size" in op.params.model_fields:
        step["size"] = [rng.randint(1, 90), rng.randint(1, 90)]
    if issubclass(op.params, Warp):
        step["border"] = rng.choice(["constant", "replicate", "reflect", "wrap"])
        step["fill"] = [1.0, 1.0, 1.0]
    return step


@pytest.mark.parametrize("seed", range(40))
def test_any_chain_of_any_steps(seed: int) -> None:
    rng = random.Random(seed)
    height, width = rng.choice([(1, 1), (1, 50), (50, 1), (40, 60), (333, 20)])
    steps = [any_step(rng, rng.choice(MOVING)) for _ in range(rng.randint(1, 6))]
    if rng.random() < 0.3:
        steps.insert(rng.randrange(len(steps) + 1), {"op": "invert", "chance": 0.0})
    classes = np.random.default_rng(seed).integers(0, 3, (height, width), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(classes).save(buffer, "PNG")
    left, top = rng.uniform(0, width), rng.uniform(0, height)
    labels = {
        "boxes": {"values": [[left, top, rng.uniform(left, width), rng.uniform(top, height)] for _ in range(5)]},
        "polygons": [{"points": [[rng.uniform(-5, width), rng.uniform(0, height + 5)] for _ in range(5)]}],
        "keypoints": [{"points": [[rng.uniform(0, width), rng.uniform(0, height), 2] for _ in range(3)]}],
        "mask": base64.b64encode(buffer.getvalue()).decode(),
    }
    plan = make_plan(steps, (height, width), seed=seed)
    white = np.full((height, width, 3), 255, dtype=np.uint8)
    (result,) = run([plan], [make_picture(white, labels)], CPU)
    assert result.size == plan.size_out
    assert result.labels is not None
    # steps whose own border is white, and the others show nothing but the picture
    assert result.pixels.min() >= 254, steps
    rows, columns = result.size
    moved = result.labels
    assert moved.boxes is not None
    for box in moved.boxes.values:
        assert 0 <= box[0] < box[2] <= columns
        assert 0 <= box[1] < box[3] <= rows
    assert moved.mask is not None
    assert read_mask(moved.mask).shape == (rows, columns)
    assert set(np.unique(read_mask(moved.mask))) <= {0, 1, 2}
    assert len(moved.boxes.values) + sum(lost.kind == "box" for lost in moved.dropped) == 5
    assert Labels.parse(moved.document(), result.size).document() == moved.model_copy(update={"dropped": ()}).document()
    again = run([plan], [make_picture(white, labels)], CPU)[0]
    assert again.labels == moved
    assert (again.pixels == result.pixels).all()


@pytest.mark.parametrize("seed", range(40))
def test_damaged_masks_are_refused_and_never_crash(seed: int) -> None:
    rng = random.Random(seed)
    buffer = io.BytesIO()
    Image.fromarray(make_image(20, 30, seed=seed)[..., 0]).save(buffer, "PNG")
    content = bytearray(buffer.getvalue())
    for _ in range(rng.randint(1, 4)):
        content[rng.randrange(8, len(content))] = rng.randrange(256)
    mask = base64.b64encode(bytes(content[: rng.choice([len(content), rng.randrange(len(content))])])).decode()
    with suppress(LabelInvalid):
        labels = Labels.parse({"mask": mask}, Size(20, 30))
        assert read_mask(labels.mask or "").shape == (20, 30)
