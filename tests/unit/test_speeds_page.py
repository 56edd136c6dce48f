"""Speeds that the catalogue and the gallery show are those of the newest result of a benchmark."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from kernels.ops import OPS
from service.catalogue.speed import measured

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def pages() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gallery_pages", DOCS / "gallery_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_newest_version_counts_not_the_last_by_name(pages: ModuleType, tmp_path: Path) -> None:
    assert pages.newest_result(tmp_path) is None
    for version in ("0.9.0", "0.10.0", "0.2.0"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "catalogue--somewhere--cpu.json").write_text("{}")
    (tmp_path / "0.11.0").mkdir()
    (tmp_path / "0.11.0" / "kernels--somewhere--cpu.json").write_text("{}")

    assert pages.newest_result(tmp_path) == tmp_path / "0.10.0" / "catalogue--somewhere--cpu.json"


def test_what_is_read_of_a_result_is_of_operations_there_are(pages: ModuleType, tmp_path: Path) -> None:
    result = tmp_path / "0.1.0" / "catalogue--somewhere--cpu.json"
    result.parent.mkdir()
    result.write_text(json.dumps({"ns_a_pixel": {"no_longer_there": 1.0, "rotate": 4.25}, "ops": {}}))

    read = json.loads(pages.measured_json(result))
    assert read == {
        "source": "benchmarks/results/0.1.0/catalogue--somewhere--cpu.json",
        "ns_a_pixel": {"rotate": 4.25},
    }
    assert json.loads(pages.measured_json(None)) == {"source": "", "ns_a_pixel": {}}


def test_what_is_shown_is_the_newest_result(pages: ModuleType) -> None:
    newest = pages.newest_result()
    assert newest is not None
    result = json.loads(newest.read_text())

    assert {*measured().ns_a_pixel} == {*OPS} == {*result["ops"]}, "every operation is measured"
    assert measured().source.endswith(f"{newest.parent.name}/{newest.name}")
    for name, ns in measured().ns_a_pixel.items():
        assert ns == pytest.approx(result["ops"][name]["kernels"]["cpu_us"]["median"] * 1000 / 512**2, abs=0.01)


def test_the_ten_slowest_say_why(pages: ModuleType) -> None:
    slowest = pages._slowest()
    assert len(slowest) == 10
    assert [name for name, *_ in slowest] == sorted(measured().ns_a_pixel, key=lambda name: -measured().ns_a_pixel[name])[
        :10
    ]
    general = "a function of its own over the whole picture in floats"
    assert [name for name, _, _, why in slowest if not why or why.startswith(general)] == []
    assert measured().source in pages._slowest_source()
