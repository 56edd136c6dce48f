"""Peers: what the report concludes, how pictures travel, and where a peer that is not there leads."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from benchmarks.peers.asked import SCENARIOS
from benchmarks.peers.frames import pack, unpack
from benchmarks.peers.peer import EVERY
from benchmarks.peers.report import Measured, Run, document, losses, table_of
from benchmarks.peers.running import running
from benchmarks.peers.venvs import NotInstalled, python_for, versions
from benchmarks.processes import pids_below
from benchmarks.service.pictures import files
from benchmarks.service.scenarios import Load


def run(cpu_ms: float, in_process_ms: float = 3.0, failed: int = 0) -> Run:
    return Run(100, 2.0, 30.0, 60.0, {"front": cpu_ms - 1.0, "worker": 1.0}, in_process_ms, failed)


MEASURED = {
    "ours": Measured({"single": [run(4.0), run(4.2), run(9.0)], "batches": [run(3.4)]}),
    "threads": Measured({"single": [run(3.4), run(3.5), run(3.6)], "batches": [run(3.5, failed=2)]}),
    "ray": Measured(absent="no wheel for this machine"),
}


def printed(table: Table) -> str:
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


def test_what_a_service_costs_is_its_cpu_time_less_the_same_work_in_process() -> None:
    assert run(4.5, in_process_ms=3.25).above_ms == pytest.approx(1.25)


def test_the_table_has_the_cheapest_first_and_the_absent_with_their_reason() -> None:
    lines = printed(table_of("single", "Single", MEASURED)).splitlines()

    names = [line.split()[0] for line in lines[3:] if line.strip()]
    assert names == ["threads", "ours", "ray"]
    ours = next(line for line in lines if line.strip().startswith("ours"))
    assert "1.20" in ours, "the median, which one disturbed round does not move"
    assert "all that was accepted" in ours
    threads = next(line for line in lines if line.strip().startswith("threads"))
    assert "0.50" in threads
    assert "0.4 " in threads, "times ours"
    assert "absent: no wheel for this machine" in lines[-1]


def test_whoever_is_cheaper_than_ours_is_named() -> None:
    assert losses(MEASURED) == {"single": ["threads"], "batches": []}
    assert losses({"threads": MEASURED["threads"]}) == {}


def test_the_document_has_medians_spreads_every_round_and_reasons() -> None:
    said = document(MEASURED)

    assert said["ours"]["scenarios"]["single"]["above_in_process_ms"] == {"median": 1.2, "spread": 2.5}
    assert len(said["ours"]["scenarios"]["single"]["runs"]) == 3
    assert said["threads"]["scenarios"]["batches"]["failed"] == 2
    assert said["ray"]["absent"] == "no wheel for this machine"
    assert said["ray"]["scenarios"] == {}


@pytest.mark.parametrize("pictures", [[], [b"one"], [b"", b"two", b"x" * 70_000]])
def test_pictures_come_out_as_they_went_in(pictures: list[bytes]) -> None:
    assert unpack(pack(pictures)) == pictures


@pytest.mark.parametrize("body", [b"\0\0", b"\0\0\0\5four", pack([b"whole"]) + b"\0\0\0\1"])
def test_a_body_that_is_cut_short_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="bytes"):
        unpack(body)


def test_an_environment_sees_our_packages_and_is_used_again(tmp_path: Path) -> None:
    python = python_for((), "nobody", tmp_path)
    made = (python.parents[1] / "made").stat().st_mtime_ns

    assert python_for((), "nobody", tmp_path) == python
    assert (python.parents[1] / "made").stat().st_mtime_ns == made
    assert versions(python, ("torch", "simplejpeg")).keys() == {"torch", "simplejpeg"}
    prefix = subprocess.run([python, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True)
    assert Path(prefix.stdout.strip()) == python.parents[1]


def test_what_cannot_be_installed_is_said_and_tried_again(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(NotInstalled, match=r"not a requirement|Invalid requirement"):
            python_for(("not a requirement",), "nobody", tmp_path)


@pytest.mark.long
def test_the_thin_peer_answers_and_leaves_nothing_behind(tmp_path: Path) -> None:
    peer = EVERY["threads"]
    with running(peer, python_for(peer.requirements, peer.name, tmp_path / "cache"), tmp_path / "home") as service:
        load = Load(service.url, files(4), seconds=1.0, clients=2, batch=3)
        records = {name: scenario(peer, load) for name, scenario in SCENARIOS.items()}
        spent = sum(service.cpu_s().values())
        pids = set(service.pids.values())

    assert all(record.statuses.keys() == {200} for record in records.values())
    assert records["single"].pictures == len(records["single"].latencies_s)
    assert records["batches"].pictures == 3 * len(records["batches"].latencies_s)
    assert spent > 0
    assert not any(pids_below(pid) for pid in pids)
