"""Routes: one source, which Python runs and numba compiles, gives the same bits both ways."""

from __future__ import annotations

import random

import numpy as np
import pytest

from kernels.chain import BLACK, Link, chain, numbers
from kernels.cpu.compiled import kernels
from kernels.cpu.itinerary import itinerary
from kernels.cpu.places import COLUMNS
from kernels.matrices import scaling
from kernels.ops import OPS
from kernels.route import most_rows
from kernels.tensors import Size
from tests.helpers.pictures import Steps, make_plan
from tests.helpers.recipes import required

BORDERS = ["constant", "replicate", "reflect", "wrap"]


def steps(rng: random.Random) -> Steps:
    """A few steps that move, each with a border and a fill if it takes one."""
    found: Steps = []
    for name in rng.choices([name for name, op in OPS.items() if op.kind_name in ("places", "field")], k=rng.randint(1, 5)):
        fields = OPS[name].params.model_fields
        border = {"border": rng.choice(BORDERS)} if "border" in fields else {}
        fill = {"fill": [rng.random(), 0.0, rng.random()]} if "fill" in fields and rng.random() < 0.5 else {}
        found.append({"op": name, **required(OPS[name]), **border, **fill})
    return found


@pytest.mark.parametrize("seed", range(60))
def test_compiled_and_plain_routes_have_the_same_bits(seed: int) -> None:
    rng = random.Random(seed)
    size = (rng.randint(1, 300), rng.randint(1, 300))
    links = chain(make_plan(steps(rng), size, seed=seed).steps)
    for level in (1.0, 255.0):
        plain, compiled = itinerary(links, level), itinerary(links, level, kernels().plot)
        assert plain.table.tobytes() == compiled.table.tobytes()
        assert plain._replace(table=0, fields=0) == compiled._replace(table=0, fields=0)


def test_places_too_far_for_whole_numbers_are_brought_nearer_both_ways() -> None:
    link = Link(scaling(1e-20, 1e-20), None, Size(60, 80), Size(15, 20), "replicate", BLACK)
    plain, compiled = itinerary([link], 255.0), itinerary([link], 255.0, kernels().plot)
    # one box, which shows the outermost pixel alone
    assert plain.lattice == compiled.lattice == (80, 60, 1, 1)
    assert plain.boxes == compiled.boxes == (80, 60, 80, 60, 1, 1)
    assert plain.table.tobytes() == compiled.table.tobytes()


def test_a_step_without_a_way_back_is_refused_both_ways() -> None:
    flat = Link((1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0), None, Size(9, 9), Size(9, 9), "constant", BLACK)
    for plotted in (None, kernels().plot):
        with pytest.raises(ZeroDivisionError):
            itinerary([flat], 1.0, plotted)


def test_rows_suffice_for_the_longest_route() -> None:
    step = {"op": "perspective", "distortion": 0.5, "border": "constant", "fill": [1, 1, 1]}
    last = {"op": "perspective", "distortion": 0.5, "border": "wrap"}
    links = chain(make_plan([last, *[step, {"op": "elastic", "border": "constant"}] * 4], (50, 60)).steps)
    assert len(itinerary(links, 1.0).table) <= most_rows(len(links))


def test_other_types_are_refused() -> None:
    table = np.zeros((9, COLUMNS), np.float32)
    links = numbers(chain(make_plan([{"op": "hflip"}], (5, 6)).steps))
    with pytest.raises(TypeError):
        kernels().plot(links, 1.0, table)
    assert len(kernels().plot.signatures) == 1
