"""What bends mean: one to one at all ends of their ranges, what stays where it is, and each way there and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from kernels.bends import bend
from kernels.op import Field, Op
from kernels.ops import OPS
from tests.helpers.pictures import made, made_labels, make_photo, make_plan
from tests.unit.kernels.test_every_op import ends

FIELDS = [op for op in OPS.values() if isinstance(op.kind, Field)]


def shifts(step: dict[str, Any], size: tuple[int, int], seed: int = 7) -> torch.Tensor:
    planned = make_plan([step], size, seed=seed).steps[0]
    kind = planned.op.kind
    assert isinstance(kind, Field)
    return kind.displacement(planned.size_in, planned.noise_seed, **planned.fields)


@pytest.mark.parametrize("op", FIELDS, ids=lambda op: op.name)
@pytest.mark.parametrize("size", [(120, 160), (200, 60)])
def test_no_field_folds(op: Op, size: tuple[int, int]) -> None:
    for params in (op.params(**required(op)), *op.examples, *ends(op)):
        found = shifts(params.model_dump(), size).double().numpy()
        assert found.shape == (2, *size)
        y, x = np.mgrid[0 : size[0], 0 : size[1]] + 0.5
        u, v = x + found[0], y + found[1]
        turning = (
            np.diff(u, axis=1)[:-1] * np.diff(v, axis=0)[:, :-1] - np.diff(u, axis=0)[:, :-1] * np.diff(v, axis=1)[:-1]
        )
        assert turning.min() > 0, f"{params} turns a part of the picture over"


def required(op: Op) -> dict[str, Any]:
    return {name: getattr(op.examples[0], name) for name, field in op.params.model_fields.items() if field.is_required()}


@pytest.mark.parametrize("name", ["grid_distortion", "grid_elastic_deform"])
def test_frames_stay(name: str) -> None:
    corners = [{"points": [[x, y, 2]]} for x in (1, 159) for y in (1, 119)]
    (step,) = [op.examples[0].model_dump() for op in FIELDS if op.name == name]
    found = made_labels((120, 160), {"keypoints": corners}, [step])["keypoints"]
    for before, after in zip(corners, found, strict=True):
        assert after["points"][0][:2] == pytest.approx(before["points"][0][:2], abs=2)


def test_grids_bend_no_line_that_is_level_or_upright() -> None:
    found = shifts({"op": "grid_distortion", "limit": 0.8}, (90, 120))
    assert torch.equal(found[0], found[0][:1].expand(90, 120))
    assert torch.equal(found[1], found[1][:, :1].expand(90, 120))
    assert found.abs().max() > 4


def test_seeds_give_other_bends() -> None:
    for op in FIELDS:
        if op.name in ("grid_distortion", "grid_elastic_deform", "piecewise_affine", "thin_plate_spline"):
            step = op.examples[0].model_dump()
            assert (shifts(step, (60, 80), 1) - shifts(step, (60, 80), 2)).abs().max() > 1, op.name


@pytest.mark.parametrize("degrees", [100, -70])
def test_what_is_bent_round_a_circle_can_be_straightened(degrees: float) -> None:
    photo = make_photo("coffee", 160, 240)
    there = {"op": "polar_warp", "degrees": degrees, "border": "replicate"}
    back = {"op": "polar_unwarp", "degrees": degrees, "border": "replicate"}
    result = made(photo, [there, back]).astype(int)
    middle = np.s_[60:100, 60:180]
    assert np.abs(result[middle] - photo[middle]).mean() < 2
    assert np.abs(made(photo, [there]).astype(int)[middle] - photo[middle]).mean() > 10


def test_a_fisheye_enlarges_the_middle_and_keeps_the_corners() -> None:
    found = shifts({"op": "fisheye", "degrees": 140}, (100, 140))
    assert float(found[0, 50, 80]) < -3, "what is shown right of the middle lies nearer to it"
    assert found[:, 0, 0].abs().max() < 2


def test_barrels_draw_in_what_pincushions_pull_out() -> None:
    corner = {"keypoints": [{"points": [[20, 15, 2]]}]}

    def place(k: float) -> Any:
        return made_labels((120, 160), corner, [{"op": "optical_distortion", "k": k}])["keypoints"][0]["points"][0]

    assert place(0.5)[0] > 25
    assert place(-0.2)[0] < 18
    assert place(0) == pytest.approx([20, 15, 2], abs=1e-3)


def test_a_swirl_turns_its_middle_counter_clockwise() -> None:
    right_of_it = {"keypoints": [{"points": [[82, 60, 2]]}]}
    step = {"op": "swirl", "degrees": 90, "radius": 1, "x": 0.5, "y": 0.5}
    x, y, _ = made_labels((120, 160), right_of_it, [step])["keypoints"][0]["points"][0]
    assert (x, y) == pytest.approx((80, 58), abs=0.15)


def test_a_grid_of_ones_own_moves_as_it_says() -> None:
    found = shifts({"op": "remap", "grid": [[[0.1, 0], [0.1, 0]], [[0.1, 0], [0.1, 0]]]}, (50, 80))
    assert torch.allclose(found[0], torch.tensor(8.0))
    assert torch.equal(found[1], torch.zeros(50, 80))


NIL = [0, 0]


@pytest.mark.parametrize("grid", [[[NIL, NIL]], [[NIL, NIL], [NIL, NIL, NIL]], [[[0, 2], NIL], [NIL, NIL]], [NIL, NIL]])
def test_grids_that_are_none_are_refused(grid: Any) -> None:
    with pytest.raises(ValueError, match="grid"):
        OPS["remap"].params(grid=grid)


def test_bends_are_measured_from_pixel_to_pixel() -> None:
    ramp = torch.stack([torch.arange(20.0).expand(10, 20) * 0.3, torch.zeros(10, 20)])
    assert bend(ramp) == pytest.approx(0.3, abs=1e-6)
    assert bend(torch.zeros(2, 1, 1)) == 0.0
