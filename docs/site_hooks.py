"""What MkDocs is told beside mkdocs.yml: the navigation by folder, so that a new page is in it, and files outside docs/."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_DOCS = Path(__file__).resolve().parent
_TITLES = {
    "howto": "How to",
    "explanation": "Explanation",
    "gallery": "Gallery",
    "recipes": "Recipes",
    "reference": "Reference",
    "decisions": "Decisions",
}
"""Of the folders, in the order of the navigation; others come after them under their own names."""
_OUTSIDE = re.compile(r"\]\(\.\./\.\./(benchmarks/[^)]+)\)")
"""A link from docs/FOLDER/PAGE.md to a file of the benchmarks."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Everything in docs/ has its place: by folder, README.md first, the rest by name."""
    names = dict.fromkeys([*_TITLES, *sorted(path.parent.name for path in _DOCS.glob("*/*.md"))])
    folders: list[Any] = [
        {_TITLES.get(folder, folder.capitalize()): [{_title(page): f"{folder}/{page.name}"} for page in pages]}
        for folder in names
        if (pages := sorted((_DOCS / folder).glob("*.md"), key=_order))
    ]
    project = [{"Changelog": "changelog.md"}, {"Contributing": "contributing.md"}, {"Security": "security.md"}]
    config.nav = [{"Home": "README.md"}, {"Quickstart": "quickstart.md"}, *folders, {"Project": project}]
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Benchmark results that pages link to become files of the site."""
    for page in _DOCS.rglob("*.md"):
        for target in _OUTSIDE.findall(page.read_text()):
            if files.get_file_from_path(target) is None:
                files.append(File.generated(config, target, content=(_DOCS.parent / target).read_bytes()))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links to them, as they lie on the site."""
    return _OUTSIDE.sub(r"](../\1)", markdown)


def on_page_content(html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Pictures are loaded when they come into view."""
    return html.replace("<img ", '<img loading="lazy" ')


def _title(page: Path) -> str:
    """The page's heading: generated pages have a comment before it, which MkDocs takes for a page without one."""
    return next(line for line in page.read_text().splitlines() if line.startswith("# ")).removeprefix("# ")


def _order(page: Path) -> tuple[bool, str]:
    return page.name != "README.md", page.name
