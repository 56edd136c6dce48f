"""The gallery as Markdown and as one page of HTML, and what of all libraries' operations is covered, for docs/build.py."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path

from kernels.aliases import LIBRARIES, elsewhere
from kernels.op import Op
from kernels.ops import OPS
from service.catalogue.entry import entry
from service.catalogue.facts import KINDS, LABELS, fields, label_behaviour, labels
from service.catalogue.picture import TILE, TILES, Tile, tiles
from service.catalogue.rows import SECTIONS
from service.catalogue.sections import by_section, coverage
from service.catalogue.speed import SPEEDS, measured, reason, speed

PAGE = "illustrated.html"
"""The gallery in HTML. Not index.html, which is what a site makes of README.md."""
_HERE = Path(__file__).resolve().parent
_RESULTS = _HERE.parent / "benchmarks" / "results"
_SLOWEST = 10
_LONG = 400
"""Characters of a step above which it is only in the HTML page, where it can be copied without being seen."""
_INTRO = (
    "Each operation on the same photograph: the original, an example, and three draws of its usual fields, "
    "each with its own numbers. Where labels follow, the sample's are drawn: a box for each eye, an outline of the nose, "
    "an oriented box, three points. Where pictures are mixed, the other one comes second. "
    "An operation whose draws are all alike shows one of them."
)
_SOURCES = (
    "The photographs are Chelsea the cat by Stefan van der Walt and a coffee by Rachel Michetti (both CC0), "
    "from scikit-image."
)


@cache
def tiles_of(name: str) -> tuple[Tile, ...]:
    """The pictures of an operation, made once."""
    return tiles(OPS[name])


def picture_name(name: str) -> str:
    """The file of an operation's strip."""
    return f"{name}.webp"


def caption(op: Op) -> str:
    """What the strip shows, from left to right."""
    found = Counter(tile.role for tile in tiles_of(op.name))
    partner = ", another of its batch" if found["partner"] else ""
    drawn = {0: "", 1: ", a draw"}.get(found["draw"], f", {found['draw']} draws")
    return f"the original{partner}, an example{drawn}"


def markdown(written: str) -> str:
    """docs/gallery/README.md."""
    parts = [
        written,
        "# Augmentations illustrated",
        f"{_INTRO}\n\nTo filter and search: [{PAGE}]({PAGE}), a page that opens from a clone without a server. "
        "`augment ops show NAME --png FILE` writes the same pictures. "
        "[What of other libraries is covered](../reference/catalogue.md), row by row.",
        _contents(),
        "Speed, an estimate for photographs of 512 x 512 on one core, codecs apart:",
        "\n".join(f"- **{name}**: {says}" for name, says in SPEEDS.items()),
    ]
    for name, ops in by_section():
        parts += [f"## {SECTIONS[name].title}", SECTIONS[name].says]
        for op in ops:
            parts += _markdown_of(op)
    parts += [
        f"## The {_SLOWEST} slowest",
        _slowest_source(),
        table(("operation", "ns a pixel", "computed by", "why"), [(f"[{a}](#{a})", b, c, d) for a, b, c, d in _slowest()]),
        _SOURCES,
    ]
    return "\n\n".join(parts) + "\n"


def html(written: str) -> str:
    """docs/gallery/illustrated.html: everything but the pictures is in it."""
    style, script = ((_HERE / "gallery_page" / name).read_text() for name in ("style.css", "filter.js"))
    body = "\n".join(
        f'<section id="section-{name}"><h2>{escape(SECTIONS[name].title)}</h2><p>{escape(SECTIONS[name].says)}</p>\n'
        + "\n".join(map(_article, ops))
        + "\n</section>"
        for name, ops in by_section()
    )
    sections = {name: SECTIONS[name].title for name, _ in by_section()}
    kinds = {kind: KINDS[kind].split(";")[0] for kind in KINDS if any(op.kind_name == kind for op in OPS.values())}
    present = {label_behaviour(op) for op in OPS.values()}
    filters = "\n".join(
        (
            _choice("section", "all sections", sections),
            _choice("kind", "all kinds", kinds),
            _choice("labels", "any labels", {name: f"labels {says}" for name, says in LABELS.items() if name in present}),
            _choice("speed", "any speed", {name: name for name in SPEEDS}),
        )
    )
    links = " ".join(f'<a href="#section-{name}">{escape(title)}</a>' for name, title in sections.items())
    rows = "\n".join(
        f'<tr><td><a href="#{name}">{name}</a></td><td>{ns}</td><td>{escape(by)}</td><td>{escape(why)}</td></tr>'
        for name, ns, by, why in _slowest()
    )
    return f"""<!doctype html>
{written}
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Augmentations illustrated</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>Augmentations illustrated</h1>
<p>{escape(_INTRO)}</p>
<p>A step goes into <code>steps</code> of a recipe, as JSON or YAML. Speed is an estimate for photographs of 512 x 512 on
one core, codecs apart: {escape("; ".join(f"{name}, {says}" for name, says in SPEEDS.items()))}.</p>
<nav>{links} <a href="#slowest">The {_SLOWEST} slowest</a></nav>
</header>
<form id="filters" role="search">
<input type="search" name="text" placeholder="name or word" aria-label="name or word" autocomplete="off">
{filters}
<output id="count">{len(OPS)} operations</output>
</form>
<main>
{body}
<p id="none" hidden>No operation is like that.</p>
<section id="slowest"><h2>The {_SLOWEST} slowest</h2><p>{escape(_slowest_source())}</p>
<table class="plain"><thead><tr><th>operation</th><th>ns a pixel</th><th>computed by</th><th>why</th></tr></thead>
<tbody>
{rows}
</tbody></table></section>
</main>
<footer>{escape(_SOURCES)}</footer>
<script>
{script}</script>
</body>
</html>
"""


def coverage_page(written: str) -> str:
    """docs/reference/catalogue.md."""
    rows = list(coverage())
    counts = Counter(row.status for row in rows)
    parts = [
        written,
        "# What is covered",
        f"{len(rows)} rows: what torchvision v2, Kornia, Albumentations, DALI and imgaug have between them. "
        f"Covered: {counts['covered']} by our operations, {counts['covered otherwise']} otherwise; "
        f"not yet: {counts['not yet']}; left out on purpose: {counts['left out']}. The [gallery](../gallery/README.md) "
        "shows what ours do; the table is in `service/catalogue/rows.py`.",
    ]
    for name in dict.fromkeys(row.section for row in rows):
        shown = [
            (row.name, row.status, ", ".join(f"[`{op}`](operations.md#{op})" for op in row.ops) or row.says)
            for row in rows
            if row.section == name
        ]
        parts += [f"## {SECTIONS[name].title}", table(("row", "", "by, or why not"), shown)]
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _contents() -> str:
    lines = []
    for name, ops in by_section():
        title = SECTIONS[name].title
        named = ", ".join(f"[{op.name}](#{op.name})" for op in ops)
        lines.append(f"- **[{title}](#{title.lower().replace(' ', '-')})**: {named}")
    return "\n".join(lines)


def _markdown_of(op: Op) -> list[str]:
    example = next(tile for tile in tiles_of(op.name) if tile.role == "example")
    draws = [tile.says for tile in tiles_of(op.name) if tile.role == "draw" and tile.says]
    said = [f"example `{example.says}`"] if example.says else []
    said += [f"draws {', '.join(f'`{one}`' for one in draws)}"] if draws and max(map(len, draws)) <= 60 else []
    rows = [
        (f"`{field.name}`", "drawn" if field.drawn else "", field.takes, f"`{field.default}`", field.meaning)
        for field in fields(op)
        if field.name not in _shared()
    ]
    parts = [
        f"### {op.name}",
        op.summary,
        f"![{op.name}: {caption(op)}]({picture_name(op.name)})",
        "; ".join([_capital(KINDS[op.kind_name]), f"labels {labels(op)}", _speed_of(op), *said]) + ".",
    ]
    if others := _elsewhere(op):
        parts.append(f"Elsewhere: {others}.")
    if rows:
        parts.append(table(("field", "", "takes", "default", "meaning"), rows))
    steps = dict.fromkeys(json.dumps(step) for step in entry(op)["steps"].values())
    return [*parts, *(f"```json\n{step}\n```" for step in steps if len(step) <= _LONG)]


def _shared() -> tuple[str, ...]:
    """Fields that many operations have; the reference says what they are."""
    return ("border", "fill", "chance")


def _elsewhere(op: Op) -> str:
    """What other libraries call it."""
    return "; ".join(f"{LIBRARIES[key]} {', '.join(names)}" for key, names in elsewhere(op.name).items())


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _speed_of(op: Op) -> str:
    fast = speed(op.name)
    return f"{fast.name} ({fast.ns_a_pixel:g} ns a pixel)"


def _article(op: Op) -> str:
    fast, found = speed(op.name), entry(op)
    others = (name for names in found["aliases"].values() for name in names)
    words = escape(" ".join((op.name, op.summary, *others)).casefold())
    facts = (
        f'<span class="chip">{escape(KINDS[op.kind_name])}</span>'
        f'<span class="chip {found["labels"]}">labels {escape(labels(op))}</span>'
        f'<span class="chip {fast.name}">{fast.name}, {fast.ns_a_pixel:g} ns a pixel</span>'
    )
    return f"""<article id="{op.name}" data-section="{found["section"]}" data-kind="{op.kind_name}" \
data-labels="{found["labels"]}" data-speed="{fast.name}" data-words="{words}">
<h3><a href="#{op.name}">{op.name}</a></h3>
<p>{escape(op.summary)}</p>
{_figure(op)}
<p class="chips">{facts}</p>
{f'<p class="elsewhere">Elsewhere: {escape(_elsewhere(op))}</p>' if _elsewhere(op) else ""}
{_steps(found["steps"])}
{_fields(op)}
</article>"""


def _figure(op: Op) -> str:
    pictures = tiles_of(op.name)
    width, height = _strip_size(len(pictures))
    share = width / _strip_size(TILES)[0]
    said = "".join(
        f'<span><b>{tile.role}</b> <span title="{escape(tile.says)}">{escape(tile.says)}</span></span>' for tile in pictures
    )
    return (
        f'<figure><div style="width:{share:.2%};--tiles:{len(pictures)}">'
        f'<img src="{picture_name(op.name)}" width="{width}" height="{height}" loading="lazy" '
        f'alt="{op.name}: {caption(op)}"><figcaption>{said}</figcaption></div></figure>'
    )


def _strip_size(count: int) -> tuple[int, int]:
    gap = 6
    return count * (TILE[0] + gap) - gap, TILE[1]


def _steps(steps: Mapping[str, object]) -> str:
    texts: dict[str, str] = {}
    for role, step in steps.items():
        texts.setdefault(json.dumps(step), role)
    return "\n".join(
        f'<div class="step"><b>{role}</b><code>{escape(text, quote=False)}</code><button type="button">Copy</button></div>'
        for text, role in texts.items()
    )


def _fields(op: Op) -> str:
    rows = "\n".join(
        f"<tr><td><code>{field.name}</code></td><td>{'drawn' if field.drawn else ''}</td><td>{escape(field.takes)}</td>"
        f"<td><code>{escape(field.default)}</code></td><td>{escape(field.meaning)}</td></tr>"
        for field in fields(op)
    )
    names = ", ".join(field.name for field in fields(op))
    return (
        f"<details><summary>Fields: {names}</summary>"
        "<table><thead><tr><th>field</th><th></th><th>takes</th><th>default</th>"
        f"<th>meaning</th></tr></thead><tbody>\n{rows}\n</tbody></table></details>"
    )


def _choice(name: str, everything: str, options: Mapping[str, str]) -> str:
    inside = "".join(f'<option value="{value}">{escape(says)}</option>' for value, says in options.items())
    return f'<select name="{name}" aria-label="{name}"><option value="">{everything}</option>{inside}</select>'


def newest_result(folder: Path = _RESULTS) -> Path | None:
    """The result file of the newest version with a benchmark of the whole catalogue, the first by name of several."""
    found = sorted(folder.glob("*/catalogue--*.json"))
    return max(found, key=lambda path: tuple(int(part) for part in path.parent.name.split(".")), default=None)


def measured_json(result: Path | None) -> str:
    """What `service.catalogue.speed` reads of a result: `{"source": ..., "ns_a_pixel": {operation: nanoseconds}}`."""
    if result is None:
        return json.dumps({"source": "", "ns_a_pixel": {}}) + "\n"
    ns: Mapping[str, float] = json.loads(result.read_text())["ns_a_pixel"]
    source = f"benchmarks/results/{result.parent.name}/{result.name}"
    # what a newer catalogue no longer has is left out
    return json.dumps({"source": source, "ns_a_pixel": {name: ns[name] for name in OPS if name in ns}}, indent=1) + "\n"


def _slowest_source() -> str:
    estimated = [name for name in OPS if speed(name).is_estimate]
    if len(estimated) == len(OPS):
        return "By the estimate that checking a recipe shows, for the usual fields on photographs of 512 x 512."
    rest = f" Not measured yet, so estimated: {', '.join(estimated)}." if estimated else ""
    return f"As measured, on photographs of 512 x 512 ({measured().source}).{rest}"


def _slowest() -> list[tuple[str, str, str, str]]:
    """Name, nanoseconds a pixel, who computes it and why it takes its time, slowest first."""
    names = sorted(OPS, key=lambda name: -speed(name).ns_a_pixel)[:_SLOWEST]
    return [(name, f"{speed(name).ns_a_pixel:.0f}", ", ".join(speed(name).by), reason(OPS[name])) for name in names]
