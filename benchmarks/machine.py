"""What every number depends on: the machine, what else it did, versions, the commit."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[1]


def facts(packages: Iterable[str]) -> dict[str, Any]:
    """The machine, the versions of those `packages` that are installed beside our own, and the commit, as plain JSON."""
    return {
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.system(),
            "load_before": [round(number, 1) for number in os.getloadavg()],
        },
        "versions": {
            name: found for name in sorted({"image-augmentation-service", *packages}) if (found := _version(name))
        },
        "commit": _commit(),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit that is measured, with a + where files differ from it; None outside a working copy."""
    try:
        asked = ["git", "-C", str(_ROOT), "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"]
        done = subprocess.run(asked, capture_output=True, text=True, check=True)  # noqa: S603  # git, our words
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
