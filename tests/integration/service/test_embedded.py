"""Embedded servers: real, private, reused, and gone when they should be."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from service.system.embedded import (
    EmbeddedError,
    create_database,
    exclusive,
    postgres_server,
    remove_socket_folder,
    usable_identity,
    valkey_server,
)
from service.system.embedded.folder import socket_folder
from service.system.embedded.postgres import AS_NOBODY
from tests.helpers.processes import gone, modes


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder that another user may enter: pytest's own lies below a private one."""
    made = Path(tempfile.mkdtemp(prefix="augment-test-"))
    made.chmod(0o755)
    yield made
    remove_socket_folder(made)
    shutil.rmtree(made)


def ask(url: str, question: str) -> object:
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql", 1)) as connection:
        found = connection.execute(question.encode()).fetchone()
        return None if found is None else found[0]


def test_postgres_keeps_its_rows_and_is_stopped_by_sigint(folder: Path) -> None:
    server = postgres_server(folder, durable=False)
    child = server.start()
    try:
        create_database(server.url)
        create_database(server.url)  # again changes nothing
        assert int(str(ask(server.url, "SHOW server_version_num"))) // 10000 == 18
        assert ask(server.url, "SHOW timezone") == "UTC"
        assert ask(server.url, "SHOW listen_addresses") == ""
        with psycopg.connect(server.url.replace("+psycopg", "", 1), autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    finally:
        assert child.stop() == 0
    child = postgres_server(folder, durable=False).start()
    try:
        assert ask(server.url, "SELECT number FROM kept") == 7
    finally:
        child.stop()


def test_valkey_answers_on_a_private_socket_only(folder: Path) -> None:
    server = valkey_server(folder)
    child = server.start()
    try:
        sockets = socket_folder(folder)
        assert sockets.stat().st_mode & 0o777 == 0o700
        assert server.answers()
        assert not (folder / "dump.rdb").exists()
    finally:
        child.stop()
    assert not server.answers()


def test_a_killed_server_leaves_nothing_in_the_way(folder: Path) -> None:
    for server in (postgres_server(folder, durable=False), valkey_server(folder)):
        child = server.start()
        child.kill()
        child.wait(10)
        again = (
            postgres_server(folder, durable=False) if server.program.name == "postgres" else valkey_server(folder)
        ).start()
        again.stop()


def test_a_pid_file_of_another_program_is_no_obstacle(folder: Path) -> None:
    postgres_server(folder, durable=False).start().stop()
    # a pid that is alive, but not a server of this folder: as after a restart of a container
    (folder / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{folder / 'postgres'}\n0\n5432\n\n\n\nready\n")
    postgres_server(folder, durable=False).start().stop()


def test_another_version_is_refused(folder: Path) -> None:
    (folder / "postgres").mkdir()
    (folder / "postgres" / "PG_VERSION").write_text("15\n")
    with pytest.raises(EmbeddedError, match="PostgreSQL 15, this is 18"):
        postgres_server(folder)
    (folder / "postgres" / "PG_VERSION").unlink()
    with pytest.raises(EmbeddedError, match="not a PostgreSQL data folder"):
        postgres_server(folder)


def test_one_process_holds_the_folder(folder: Path) -> None:
    with exclusive(folder):
        code = (
            "import pathlib, sys; from service.system.embedded import exclusive\n"
            "exclusive(pathlib.Path(sys.argv[1])).__enter__()"
        )
        other = subprocess.run(
            [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False, timeout=60
        )
    assert other.returncode != 0
    assert f"in use by another `augment up` (pid {os.getpid()})" in other.stderr
    with exclusive(folder):
        pass


def test_a_long_path_gets_its_sockets_elsewhere(folder: Path) -> None:
    deep = folder / ("d" * 60) / ("e" * 60)
    server = valkey_server(deep)
    sockets = socket_folder(deep)
    assert not sockets.is_relative_to(folder)
    assert sockets.stat().st_mode & 0o777 == 0o700
    child = server.start()
    child.stop()
    remove_socket_folder(deep)
    assert not sockets.exists()


def test_nothing_outside_the_folder_changes(folder: Path) -> None:
    home = folder / "home"
    home.mkdir(mode=0o700)
    before = modes(home)
    if usable_identity() == AS_NOBODY:
        with pytest.raises(EmbeddedError, match="outside private folders"):
            postgres_server(home / "data", durable=False)
    else:
        postgres_server(home / "data", durable=False).start().stop()
    assert modes(home) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_root_can_drop_to_nobody_and_come_back(folder: Path) -> None:
    child = postgres_server(folder, durable=False, identity=AS_NOBODY).start()
    try:
        assert Path(f"/proc/{child.pid}").stat().st_uid == AS_NOBODY.user
    finally:
        assert child.stop() == 0
    child = postgres_server(folder, durable=False).start()
    assert child.stop() == 0


PARENT = """
import os, signal, sys
from pathlib import Path
from service.system.embedded import postgres_server, valkey_server
folder = Path(sys.argv[1])
children = [postgres_server(folder, durable=False).start(), valkey_server(folder).start()]
print(*(child.pid for child in children), flush=True)
signal.pause()
"""


def test_servers_die_with_their_parent(folder: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert not any(gone(pid) for pid in pids)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.communicate()
    deadline_s = time.monotonic() + 20
    while not all(gone(pid) for pid in pids):
        assert time.monotonic() < deadline_s, f"still running: {[pid for pid in pids if not gone(pid)]}"
        time.sleep(0.05)
    # and the folder can be used again at once
    postgres_server(folder, durable=False).start().stop()
