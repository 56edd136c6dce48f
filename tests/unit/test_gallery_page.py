"""The gallery as one page of HTML: every reference is there, and in a browser every picture shows and the filter works."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from kernels.ops import OPS
from service.catalogue.facts import label_behaviour

GALLERY = Path(__file__).parents[2] / "docs" / "gallery"
PAGE = GALLERY / "illustrated.html"
BROWSER = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--window-size=1400,2400"),
)
LOOK = """
<script>
window.addEventListener("load", () => {
  const pictures = [...document.images];
  const broken = pictures.filter((picture) => !picture.naturalWidth).map((picture) => picture.getAttribute("src"));
  form.elements.labels.value = "follow";
  form.dispatchEvent(new Event("input"));
  const following = articles.filter((article) => article.checkVisibility()).map((article) => article.id);
  form.reset();
  form.elements.text.value = "gaussian BLUR";
  form.dispatchEvent(new Event("input"));
  const sought = articles.filter((article) => article.checkVisibility()).map((article) => article.id);
  document.body.textContent = JSON.stringify({pictures: pictures.length, broken, following, sought});
});
</script>
"""


class Page(HTMLParser):
    """What a page refers to, and what a link into it may name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.pictures: list[str] = []
        self.loaded: list[str] = []
        self.ids: list[str] = []
        self.steps: list[str] = []
        self._in_step = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "a":
            self.links.append(given["href"])
        if tag == "img":
            self.pictures.append(given["src"])
            assert given["alt"]
        if tag in ("script", "link", "iframe"):
            self.loaded.append(given.get("src") or given.get("href") or "")
        self._in_step = tag == "code" or (self._in_step and tag != "code")

    def handle_data(self, data: str) -> None:
        if self._in_step and data.startswith('{"op"'):
            self.steps.append(data)


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(PAGE.read_text())


def test_every_link_and_picture_is_there(page: Page) -> None:
    assert len(page.ids) == len(set(page.ids))
    assert {*page.ids} >= {*OPS}
    assert [link for link in page.links if not link.startswith("#") or link[1:] not in page.ids] == []
    assert sorted(page.pictures) == sorted(f"{name}.webp" for name in OPS)
    assert [name for name in page.pictures if not (GALLERY / name).exists()] == []


def test_the_page_needs_nothing_but_its_pictures(page: Page) -> None:
    assert not any(page.loaded)
    assert not re.search(r"https?://|url\(|@import", PAGE.read_text())


def test_steps_to_paste_are_json(page: Page) -> None:
    steps = [json.loads(text) for text in page.steps]
    assert {step["op"] for step in steps} == {*OPS}
    assert all(set(step) - {"chance"} <= set(OPS[step["op"]].params.model_fields) for step in steps)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_in_a_browser_every_picture_shows_and_the_filter_works(tmp_path: Path) -> None:
    assert BROWSER is not None
    looked = tmp_path / "looked.html"
    text = PAGE.read_text().replace('loading="lazy"', "")  # so that all are there when the page says that it is loaded
    text = text.replace("<head>", f'<head><base href="{GALLERY.as_uri()}/">').replace("</body>", f"{LOOK}</body>")
    looked.write_text(text)
    shown = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", looked.as_uri()],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    ).stdout
    found = json.loads(html.unescape(re.sub(r"<[^>]*>", "", shown[shown.index("<body") :])))
    assert (found["pictures"], found["broken"]) == (len(OPS), [])
    assert {*found["following"]} == {name for name, op in OPS.items() if label_behaviour(op) == "follow"}
    assert "gaussian_blur" in found["sought"]
    assert "hflip" not in found["sought"]
