"""`augment doctor`: what this machine has of what the system needs, one line for each finding."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from service.settings import Settings
from service.system.tuning import Source, choices

Verdict = Literal["ok", "warning", "problem"]

PACKAGES = (
    "torch",
    "torchvision",
    "kornia",
    "numpy",
    "numba",
    "opencv-python-headless",
    "simplejpeg",
    "pillow",
    "redis",
    "rq",
)
OLDEST_POSTGRES = 15
OLDEST_REDIS = 7
LEAST_FREE_BYTES = 5 * 2**30


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    topic: str
    verdict: Verdict
    detail: str


@dataclass(frozen=True)
class Tuned(Finding):
    """One thing that is chosen for the processes of a system: its value, where that comes from, and why it is so."""

    value: str
    source: Source
    reason: str


def machine() -> Iterator[Finding]:
    """Interpreter, platform, libraries."""
    fits = sys.version_info >= (3, 11)
    yield Finding("python", "ok" if fits else "problem", f"{platform.python_version()} at {sys.executable}")
    known = sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64")
    cores = f"{len(os.sched_getaffinity(0))} cores"
    yield Finding("platform", "ok" if known else "problem", f"{platform.platform()}, {cores}")
    for name in PACKAGES:
        try:
            yield Finding(name, "ok", version(name))
        except PackageNotFoundError:
            yield Finding(name, "problem", "not installed")


def device() -> Iterator[Finding]:
    """What pixels will run on."""
    try:
        import torch
    except ImportError as error:
        yield Finding("device", "problem", f"torch cannot be imported: {error}")
        return
    if not torch.cuda.is_available():
        yield Finding("device", "ok", "cpu (no CUDA device is usable)")
        return
    for number in range(torch.cuda.device_count()):
        found = torch.cuda.get_device_properties(number)
        yield Finding(
            "device", "ok", f"cuda:{number} {found.name}, {found.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}"
        )


def codecs() -> Iterator[Finding]:
    """Whether every output format can be written and read back here."""
    import numpy as np

    from kernels import codec
    from kernels.recipe import Output

    pixels = np.full((16, 24, 3), 128, np.uint8)
    for name in ("jpeg", "png", "webp"):
        try:
            back = codec.decode(codec.encode(pixels, Output.model_validate({"format": name})))
        except Exception as error:  # whatever a broken codec library raises is the finding
            yield Finding(name, "problem", f"{type(error).__name__}: {error}")
        else:
            yield Finding(name, "ok" if back.shape == pixels.shape else "problem", f"written and read back ({back.shape})")


def servers(database_url: str, redis_url: str) -> Iterator[Finding]:
    """The servers that the settings name, or the embedded ones."""
    from service.system.embedded import EmbeddedError, postgres_programs, valkey_program

    for topic, url, ask, program in (
        ("postgresql", database_url, _postgres, postgres_programs),
        ("redis", redis_url, _redis, valkey_program),
    ):
        if url:
            yield asyncio.run(ask(url))
            continue
        try:
            yield Finding(topic, "ok", f"embedded, {program()}")
        except EmbeddedError as error:
            yield Finding(topic, "problem", str(error))


async def _postgres(url: str) -> Finding:
    from batching.errors import LedgerUnavailable
    from service.truth.database import make_engine, statement

    try:
        engine = make_engine(url, pool_size=1, application_name="augment-doctor")
    except ValueError as error:
        return Finding("postgresql", "problem", str(error))
    try:
        rows = await statement(
            engine, "SELECT current_setting('server_version_num')::int / 10000 AS major, version() AS text", {}
        )
        tables = await statement(engine, "SELECT to_regclass('items') IS NOT NULL AS made", {})
    except LedgerUnavailable as error:
        return Finding("postgresql", "problem", error.message)
    finally:
        await engine.dispose()
    major = rows[0]["major"]
    if major < OLDEST_POSTGRES:
        return Finding("postgresql", "problem", f"version {major} is older than {OLDEST_POSTGRES}")
    if not tables[0]["made"]:
        return Finding("postgresql", "problem", f"version {major}, without our tables: run `augment migrate`")
    return Finding("postgresql", "ok", f"version {major}, answers")


async def _redis(url: str) -> Finding:
    from redis import RedisError

    from batching.lanes import connect

    client = connect(url)
    try:
        found = await client.info("server")
    except (RedisError, OSError) as error:
        return Finding("redis", "problem", f"does not answer: {error}")
    finally:
        await client.aclose()
    text = str(found.get("redis_version", "0"))
    name = f"Valkey {found['valkey_version']}" if "valkey_version" in found else f"Redis {text}"
    new_enough = int(text.split(".", maxsplit=1)[0]) >= OLDEST_REDIS
    return Finding(
        "redis", "ok" if new_enough else "problem", name if new_enough else f"{name} is older than {OLDEST_REDIS}"
    )


def disk(data: Path) -> Iterator[Finding]:
    """Room in the data folder."""
    place = data.resolve()
    existing = next(path for path in (place, *place.parents) if path.exists())
    if not os.access(existing, os.W_OK):
        yield Finding("disk", "problem", f"{existing} is not writable")
        return
    free = shutil.disk_usage(existing).free
    yield Finding("disk", "ok" if free >= LEAST_FREE_BYTES else "warning", f"{free / 2**30:.1f} GiB free for {place}")


def tuning(settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Allocator, threads of libraries and numbers of processes, as the launcher sets them."""
    for choice in choices(settings, environment):
        doubt = f"; but {choice.doubt}" if choice.doubt else ""
        detail = f"{choice.value} (from {choice.source}): {choice.reason}{doubt}"
        verdict: Verdict = "warning" if doubt else "ok"
        yield Tuned(choice.name, verdict, detail, choice.value, choice.source, choice.reason)


def findings(settings: Settings, environment: Mapping[str, str], only: Sequence[str] = ()) -> Iterator[Finding]:
    """All that is looked at, as it is found; `only` names sections."""
    for name, look in sections(settings, environment).items():
        if not only or name in only:
            yield from look()


def sections(settings: Settings, environment: Mapping[str, str]) -> dict[str, Callable[[], Iterator[Finding]]]:
    """The sections by name, in the order they are shown. environment: of the process that would start the others."""
    return {
        "machine": machine,
        "device": device,
        "codecs": codecs,
        "servers": lambda: servers(settings.database_url, settings.redis_url),
        "disk": lambda: disk(settings.data),
        "tuning": lambda: tuning(settings, environment),
    }
