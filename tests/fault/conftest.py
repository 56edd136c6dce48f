"""One running system for all faults: what a trial breaks, it or the next one starts again."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator

import pytest

from tests.helpers.faults import report
from tests.helpers.faults.system import Missed, System

FIRST, TRIALS = int(os.environ.get("FAULT_FIRST", "0")), int(os.environ.get("FAULT_TRIALS", "1"))
TRIES = 3
"""Of a trial until its fault hits."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`attempt` makes a test run once for each trial; its number is the seed of what is drawn in it."""
    if "attempt" in metafunc.fixturenames:
        metafunc.parametrize("attempt", range(FIRST, FIRST + TRIALS))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """A trial whose fault did not hit is made again, three times in all, and each is on record.

    What a fault is to hit may be over a moment before, on a busy machine: that says nothing of the system, either way.
    """
    if "attempt" not in pyfuncitem.fixturenames:
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.function).parameters}
    for number in range(1, TRIES + 1):
        try:
            pyfuncitem.obj(**arguments)
            break
        except Missed as missed:
            report.add_missed(pyfuncitem.nodeid, str(missed))
            if number == TRIES:
                raise
    return True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of all trials, of this run and of those before it."""
    found = report.read(report.path())
    if found["trials"] and terminalreporter.config.option.verbose >= 0:
        terminalreporter.write_sep("=", f"fault trials so far ({report.path()})")
        terminalreporter.write_line(report.table(found["trials"]))
        for missed in found.get("missed", ()):
            terminalreporter.write_line(f"no trial: {missed['test']}: {missed['why']}")


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory, compiled_kernels: None) -> Iterator[System]:
    """The system; after the last trial everything that belongs to no row has to be collected, unfinished files too."""
    made = System(tmp_path_factory.mktemp("faults"))
    try:
        yield made
        assert made.collected() == []
    finally:
        made.close()


@pytest.fixture(autouse=True)
def _whole_again(request: pytest.FixtureRequest) -> Iterator[None]:
    """After a trial, whatever became of it, nothing is stopped any more and no fault is planted."""
    yield
    if "system" in request.fixturenames:
        made: System = request.getfixturevalue("system")
        made.resume_workers()
