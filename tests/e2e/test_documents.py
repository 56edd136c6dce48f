"""Every command and program in the pages for people runs as it stands there: ```bash and ```python blocks, in order."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.e2e.conftest import Up

ROOT = Path(__file__).parents[2]
READ_TOGETHER = (("README.md",), ("docs/quickstart.md", "docs/howto/expand-a-folder.md"), ("docs/howto/policies.md",))
"""Pages that go on where the one before ends, in one folder."""
PAGES = tuple(page for pages in READ_TOGETHER for page in pages)
ADDRESS = "http://127.0.0.1:8000"
PHOTOS = ("coffee.png", "rocket.jpg", "camera.png")


def blocks(page: str) -> list[tuple[str, str]]:
    """(language, text) of each block that is to be run."""
    text = (ROOT / page).read_text()
    return re.findall(r"^```(bash|python)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the pages speak of: a picture `cat.jpg` and a folder `photos`."""
    import cv2

    found = find_spec("skimage")
    assert found is not None
    assert found.origin is not None
    pictures = Path(found.origin).parent / "data"
    (tmp_path / "photos").mkdir()
    for name in PHOTOS:
        shutil.copyfile(pictures / name, tmp_path / "photos" / name)
    cv2.imwrite(str(tmp_path / "cat.jpg"), cv2.imread(str(pictures / "chelsea.png")))
    cv2.imwrite(str(tmp_path / "photos" / "coffee.jpg"), cv2.imread(str(pictures / "coffee.png")))
    return tmp_path


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("pages", READ_TOGETHER, ids=lambda pages: pages[0])
def test_pages(pages: tuple[str, ...], up: Up, folder: Path) -> None:
    found = [(page, *block) for page in pages for block in blocks(page)]
    assert {page for page, _, _ in found} == set(pages), "a page shows nothing to run"
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "AUGMENT_URL": up.url,
    }
    for page, language, text in found:
        here = text.replace(ADDRESS, up.url).replace("Client()", f'Client("{up.url}")')
        command = ("bash", "-euo", "pipefail", "-c", here) if language == "bash" else (sys.executable, "-c", here)
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=240
        )
        assert done.returncode == 0, f"{page}:\n{text}\n{done.stdout}\n{done.stderr}"


def test_make_targets_exist() -> None:
    """Every `make` command that a page names."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"^make ([a-z-]+)", (ROOT / page).read_text(), re.MULTILINE)}
    assert {"demo", "test"} <= named <= targets
