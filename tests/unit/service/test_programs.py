"""What `augment up` and `augment worker` start."""

from __future__ import annotations

import os
import socket

import pytest

from service.settings import Settings, load
from service.system.programs import AddressInUse, Doors, gpu_of, listen, sandbox_program, worker_programs
from service.system.tuning import ALLOCATOR, ONE_THREAD


def test_cores_are_divided_among_workers() -> None:
    cores = len(os.sched_getaffinity(0))
    for workers in (1, 2, 3):
        programs = worker_programs(Settings(workers=workers))
        assert len({program.name for program in programs}) == workers
        for program in programs:
            assert load(program.environment).threads == max(1, cores // workers)
    assert load(worker_programs(Settings(workers=4, threads=3))[0].environment).threads == 3


def test_workers_are_tuned_unless_the_operator_has(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ALLOCATOR | ONE_THREAD:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MALLOC_TOP_PAD_", "1")
    [program] = worker_programs(Settings())
    assert "MALLOC_TOP_PAD_" not in program.environment
    assert program.environment["GLIBC_TUNABLES"] == "glibc.malloc.hugetlb=1"
    assert program.environment["OMP_NUM_THREADS"] == "1"


def test_a_worker_may_drain_before_it_is_killed() -> None:
    [program] = worker_programs(Settings(drain_s=12))
    assert program.grace_s > 12


def test_a_worker_may_be_silent_for_as_long_as_its_leases_live() -> None:
    for lease_s, silence_s in ((30, 30), (120, 120), (2, 10)):
        [program] = worker_programs(Settings(lease_s=lease_s))
        assert program.silence_s == silence_s


def test_workers_are_given_the_door_to_their_sandbox_and_it_no_setting() -> None:
    doors = Doors.made()
    settings = Settings(workers=2, api_key="tell-nobody", database_url="postgresql://u:tell-nobody@h/d")
    for program in worker_programs(settings, doors=doors):
        assert program.keep_fds == (doors.outside.fileno(),)
        assert program.command[-1] == f"--sandbox={doors.outside.fileno()}"
    sandbox = sandbox_program(settings, doors)
    assert sandbox.keep_fds == (doors.inside.fileno(),)
    assert "tell-nobody" not in str(sandbox.whole_environment)
    assert sandbox.whole_environment.get("OMP_NUM_THREADS") == "1"
    doors.close()


@pytest.mark.parametrize(
    ("visible", "number", "shown"),
    [("0,1,2", 0, "0"), ("0,1,2", 4, "1"), ("GPU-a,GPU-b", 1, "GPU-b"), ("3", 0, None), ("", 0, None)],
)
def test_gpus_in_turn(visible: str, number: int, shown: str | None) -> None:
    expected = {} if shown is None else {"CUDA_VISIBLE_DEVICES": shown}
    assert gpu_of(number, Settings(), {"CUDA_VISIBLE_DEVICES": visible}) == expected
    assert gpu_of(number, Settings(device="cpu"), {"CUDA_VISIBLE_DEVICES": visible}) == {}


def test_secrets_are_not_on_the_command_line() -> None:
    [program] = worker_programs(Settings(api_key="tell-nobody", database_url="postgresql://u:tell-nobody@h/d"))
    assert "tell-nobody" not in " ".join(program.command)


def test_listening() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        assert port
        with pytest.raises(AddressInUse, match=f"port {port}: Address already in use"):
            listen("127.0.0.1", port)
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass
    with pytest.raises(AddressInUse, match="cannot listen on"):
        listen("192.0.2.1", 0)  # nobody's address, by RFC 5737
