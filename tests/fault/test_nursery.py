"""What the nursery forks is a process of its own: its arguments, log and descriptors, and the end that it comes to."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from pathlib import Path

from service.system.processes import Program
from tests.helpers.faults import altered
from tests.helpers.nursery import Forked, nursery
from tests.helpers.processes import gone


def forked(module: str, *arguments: str, log: Path, **more: object) -> Forked:
    program = Program("forked", (sys.executable, "-m", module, *arguments), log, **more)  # type: ignore[arg-type]  # its fields
    return nursery().start(program, partial(altered.clock, 3600))


def test_it_runs_to_its_end_with_what_it_was_given(compiled_kernels: None, tmp_path: Path) -> None:
    said, wrong = tmp_path / "said.json", tmp_path / "wrong.json"
    said.write_text('{"a": 1}')
    wrong.write_text("{")
    log = tmp_path / "logs" / "log"
    assert forked("json.tool", str(said), log=log).wait(30) == 0
    assert log.read_text() == '{\n    "a": 1\n}\n'
    assert forked("json.tool", str(wrong), log=log).wait(30) == 1
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as inherited:
        piped = forked("json.tool", f"/dev/fd/{reading}", log=log, keep_fds=(reading,))
        os.write(writing, b'"through a pipe"')
        os.close(writing)
        assert piped.wait(30) == 0
        assert not inherited.closed
    assert log.read_text().endswith('"through a pipe"\n')


def test_it_is_stopped_and_killed_like_any_other(compiled_kernels: None, tmp_path: Path) -> None:
    log = tmp_path / "log"
    first, second = (forked("http.server", "0", "--bind", "127.0.0.1", log=log) for _ in range(2))
    assert first.exit_status() is None
    assert os.getsid(first.pid) == first.pid
    os.kill(first.pid, signal.SIGSTOP)
    assert first.wait(0.05) is None
    first.kill()
    assert first.wait(10) == -signal.SIGKILL
    assert first.exit_status() == -signal.SIGKILL
    assert gone(first.pid)
    assert second.exit_status() is None
    assert second.stop() == -signal.SIGTERM
