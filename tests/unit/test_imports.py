"""Who may import whom, read from the source; and that importing a module does nothing but define things."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("kernels", "batching", "service", "benchmarks")
MAY_IMPORT = {
    "kernels": {"kernels"},
    "batching": {"batching", "kernels"},
    "service": {"service", "batching", "kernels"},
    "benchmarks": {"benchmarks", "service", "batching", "kernels"},
}
SQLALCHEMY = {
    "service/truth/tables.py": "the tables",
    "service/truth/database.py": "the engine, transactions, what its errors mean",
    "service/truth/queries.py": "the statements",
    "service/truth/migrations": "the schema's history",
}
PSYCOPG = {
    "service/truth/database.py": "statements alone, which run on the driver's own cursor",
    "service/system/embedded/postgres.py": "asks a server just started whether it answers, before there is any schema",
}
PEERS = "benchmarks/peers/apps"
"""Programs of other services, which run in environments of their own."""
REDIS = {
    PEERS: "RQ as others use it",
    "batching/lanes.py": "the lanes",
    "batching/wake.py": "the RQ jobs that wake workers",
    "batching/events.py": "publish and subscribe",
    "batching/worker.py": "the RQ worker",
    "service/system/doctor.py": "asks a server for its version",
}
ONLY_IN = {
    "sqlalchemy": SQLALCHEMY,
    "alembic": {"service/truth/migrations": "the schema's history"},
    "psycopg": PSYCOPG,
    "redis": REDIS,
    "rq": REDIS,
    "fastapi": {"service": "HTTP", PEERS: "HTTP"},
    "starlette": {"service": "HTTP", PEERS: "HTTP"},
    "jwt": {"service/accounts/tokens.py": "tokens"},
    "limits": {"service/limits.py": "rates, counted in Redis"},
    "obstore": {"service/store.py": "the object store"},
}
"""A library, and the only places that may know it, each with its reason."""


def sources() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def imported(source: Path) -> Iterator[str]:
    """Every module a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(source.read_text(), str(source))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source}: relative import"
            yield node.module or ""


def is_within(path: str, places: dict[str, str]) -> bool:
    return any(path == place or path.startswith(f"{place}/") for place in places)


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_one_way(package: str) -> None:
    ours = {*PACKAGES, "tests", "docs"}
    breaches = [
        f"{source.relative_to(ROOT)} imports {module}"
        for source in sorted((ROOT / package).rglob("*.py"))
        for module in imported(source)
        if module.split(".")[0] in ours - MAY_IMPORT[package]
    ]
    assert not breaches


@pytest.mark.parametrize("library", ONLY_IN)
def test_libraries_stay_in_their_place(library: str) -> None:
    breaches = [
        f"{source.relative_to(ROOT)} imports {module}"
        for source in sources()
        for module in imported(source)
        if module.split(".")[0] == library and not is_within(source.relative_to(ROOT).as_posix(), ONLY_IN[library])
    ]
    assert not breaches


IMPORT_EVERYTHING = """
import importlib, os, socket, sys, threading

modules = {modules!r}
libraries = '''torch torchvision kornia numba cv2 PIL simplejpeg numpy scipy pydantic sqlalchemy alembic psycopg redis rq
fastapi uvicorn obstore typer rich structlog httpx2 yaml pydantic_settings prometheus_client multipart jwt limits
limits.aio'''
for module in libraries.split():
    importlib.import_module(module)  # what libraries do is not ours to judge

breaches = []

def watch(event, arguments):
    if event in ("socket.connect", "socket.bind", "subprocess.Popen", "os.fork", "os.posix_spawn"):
        breaches.append((event, current[0]))
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        if "__pycache__" not in str(arguments[0]):
            breaches.append((f"open for writing {{arguments[0]}}", current[0]))

class Environment(dict):
    def _note(self, key):
        if str(key).startswith(("AUGMENT_", "DATABASE_URL", "REDIS_URL")):
            breaches.append((f"reads {{key}}", current[0]))
    def __getitem__(self, key):
        self._note(key); return super().__getitem__(key)
    def get(self, key, default=None):
        self._note(key); return super().get(key, default)
    def __contains__(self, key):
        self._note(key); return super().__contains__(key)

current = [""]
sys.addaudithook(watch)
os.environ = Environment(os.environ)
threads = threading.active_count()
for module in modules:
    current[0] = module
    importlib.import_module(module)
if threading.active_count() != threads:
    breaches.append(("starts a thread", "?"))
import torch
if torch.cuda.is_initialized():
    breaches.append(("initialises CUDA", "?"))
print("\\n".join(f"{{module}}: {{what}}" for what, module in breaches))
"""


def test_importing_opens_nothing() -> None:
    modules = [
        ".".join(source.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for source in sources()
        if "versions" not in source.parts
        and source.name != "__main__.py"
        and not is_within(source.relative_to(ROOT).as_posix(), {PEERS: "has libraries that are not installed here"})
    ]
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_EVERYTHING.format(modules=modules)],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() == ""


def test_allowed_places_exist() -> None:
    """A place that is gone would allow its name for ever."""
    missing = [place for places in ONLY_IN.values() for place in places if not (ROOT / place).exists()]
    assert not missing
