"""The documentation as a site: it builds without a warning, and needs no other host. Runs where the extra `docs` is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("material", reason="the extra `docs` is not installed")
ROOT = Path(__file__).parents[2]


def test_the_site_builds_and_is_whole(tmp_path: Path) -> None:
    site = tmp_path / "site"
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    made = {page.relative_to(site).with_suffix("").as_posix() for page in site.rglob("*.html")}
    for page in (ROOT / "docs").rglob("*.md"):
        name = page.relative_to(ROOT / "docs").with_suffix("").as_posix()
        assert re.sub(r"README$", "index", name) in made
    assert "gallery/illustrated" in made
    assert not list(site.rglob("*.py"))
    loaded = re.findall(r'<(?:script|link)[^>]*(?:src|href)="(https?:[^"]*)"', (site / "index.html").read_text())
    assert not loaded
