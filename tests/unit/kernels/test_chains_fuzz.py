"""Random chains on random pictures with random labels: whole results, labels on the canvas, nothing raised."""

from __future__ import annotations

import base64
import io
import random
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from kernels.errors import LabelInvalid
from kernels.labels import Labels, read_mask
from kernels.run import run
from kernels.tensors import Size
from tests.helpers.pictures import CPU, make_image, make_picture, make_plan
from tests.helpers.recipes import MOVING, Step, any_recipe


def white_outside(step: Step) -> Step:
    return {**step, "fill": [1.0, 1.0, 1.0]} if "fill" in step else step


@pytest.mark.parametrize("seed", range(40))
def test_any_chain_of_any_steps(seed: int) -> None:
    rng = random.Random(seed)
    height, width = rng.choice([(1, 1), (1, 50), (50, 1), (40, 60), (333, 20)])
    steps = [white_outside(step) for step in any_recipe(rng, among=MOVING)]
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
