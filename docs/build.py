"""Writes docs/reference, docs/gallery and docs/recipes from the source: pages, and pictures of operations and recipes.

And `service/catalogue/measured.json`, from the newest benchmark of the whole catalogue.

    python docs/build.py           writes what has changed
    python docs/build.py --check   writes nothing; exit status 1 if a page or picture is stale

Pictures are compared with a tolerance, because another CPU may round differently.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import gallery_pages
import numpy as np
from PIL import Image

from batching import errors as batching_errors  # noqa: F401  # its classes are found as subclasses below
from kernels.aliases import LIBRARIES, elsewhere
from kernels.errors import AugmentationError
from kernels.explain import explain
from kernels.label_rules import LabelRules
from kernels.labels import Boxes, Dropped, Keypoints, Labels, Polygon
from kernels.op import Op
from kernels.ops import OPS
from kernels.tensors import Size
from service import app as api
from service.catalogue.facts import KINDS, fields, labels, step, stepwise
from service.catalogue.picture import as_webp, strip
from service.catalogue.ready import READY, Ready
from service.catalogue.sheet import sheet
from service.errors import STATUS
from service.settings import Settings, environment_name, written

DOCS = Path(__file__).resolve().parent
_SPEEDS = DOCS.parent / "service" / "catalogue" / "measured.json"
TOLERANCE = 3.0
"""Mean difference, in levels of 255, up to which two pictures count as the same."""
_WRITTEN = "<!-- Written by docs/build.py; edit the source it names, not this page. -->"
_OPERATIONS = """
    A field marked **drawn** takes a pair `[from, to]`, and each picture gets its own number between the two; a
    single value is the same for all pictures. `chance` is the share of the pictures that a step is applied to.
    What each operation does, at a glance: the [gallery](../gallery/README.md). A recipe with `profile: kornia` is run
    [step by step](../explanation/one-resampling.md) by the functions named here.
"""
_SETTINGS = """
    Every process reads its settings from the environment, once, when it starts. Names that begin with
    `AUGMENT_` and are not listed here are refused, so a typing error is found at once; all bad values are named
    in one message. Options of the command line win over the environment.
"""
_ERRORS = """
    Errors are `application/problem+json`: `type`, `title`, `status`, `code`, `detail`, `request_id` and, where
    it is known, `item` (a custom_id), `pointer` (a JSON pointer into the request) and `limit`. Codes never
    change; the same code is used for a request and for a picture of a batch that failed later, which has it in
    its `error`. *Again* says whether the same request may succeed later; such answers carry `Retry-After`.
"""
_READY = """
    Recipes that every installation has, usable by name with no more ado: `"recipe": "light"` in a request, or
    `augment recipe show light` for the text. [Recipes by name](../howto/recipes.md) says how to keep your own.
"""
_SHOWN = Size(512, 512)
"""The size of picture that costs are shown for."""
_METHODS = ("get", "post", "put", "patch", "delete")


def main(arguments: Sequence[str]) -> int:
    """Exit status 0 when everything is as it should be."""
    check = "--check" in arguments
    # first what the pages are made from
    stale = [*_speeds(check), *_texts(check), *_pictures(check), *_leftovers(check)]
    for path in stale:
        sys.stdout.write(f"{'stale' if check else 'written'}: {path.relative_to(DOCS.parent)}\n")
    if check and stale:
        sys.stdout.write("run `python docs/build.py` and commit what it writes\n")
    return 1 if check and stale else 0


def _speeds(check: bool) -> Iterator[Path]:
    """What the catalogue says of speeds, if it is not what the newest result says."""
    text = gallery_pages.measured_json(gallery_pages.newest_result())
    if not _SPEEDS.exists() or _SPEEDS.read_text() != text:
        yield _SPEEDS
        if not check:
            _SPEEDS.write_text(text)


def _texts(check: bool) -> Iterator[Path]:
    """Pages that differ from what they should be, written unless only checked."""
    for name, text in _pages().items():
        path = DOCS / name
        if path.exists() and path.read_text() == text:
            continue
        yield path
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def _pictures(check: bool) -> Iterator[Path]:
    made = {_picture_name(op): strip([tile.picture for tile in gallery_pages.tiles_of(op.name)]) for op in OPS.values()}
    made |= {_sheet_name(ready): sheet(ready.recipe) for ready in READY.values()}
    with ThreadPoolExecutor() as threads:
        encoded = list(threads.map(as_webp, made.values()))
    for name, content in zip(made, encoded, strict=True):
        path = DOCS / name
        if path.exists() and _alike(path.read_bytes(), content):
            continue
        yield path
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def _leftovers(check: bool) -> Iterator[Path]:
    """Files in the generated folders that nothing asks for any more."""
    wanted = {DOCS / name for name in _pages()} | {DOCS / _picture_name(op) for op in OPS.values()}
    wanted |= {DOCS / _sheet_name(ready) for ready in READY.values()}
    found = {path for folder in ("reference", "gallery", "recipes") for path in (DOCS / folder).glob("*")}
    for path in sorted(found - wanted):
        yield path
        if not check:
            path.unlink()


def _pages() -> Mapping[str, str]:
    return {
        "reference/operations.md": _operations(),
        "reference/labels.md": _labels(),
        "reference/settings.md": _settings(),
        "reference/errors.md": _errors(),
        "reference/routes.md": _routes(),
        "recipes/README.md": _recipes(),
        **{f"recipes/{ready.name}.md": _recipe(ready) for ready in READY.values()},
        "reference/catalogue.md": gallery_pages.coverage_page(_WRITTEN),
        "gallery/README.md": gallery_pages.markdown(_WRITTEN),
        f"gallery/{gallery_pages.PAGE}": gallery_pages.html(_WRITTEN),
    }


def _recipes() -> str:
    rows = [(f"[{ready.name}]({ready.name}.md)", ready.summary) for ready in READY.values()]
    return "\n\n".join([_WRITTEN, "# Ready recipes", _prose(_READY), gallery_pages.table(("recipe", "for"), rows)]) + "\n"


def _recipe(ready: Ready) -> str:
    explanation = explain(ready.recipe, _SHOWN)
    rows = [
        (str(one["stage"]), ", ".join(one["ops"]), one["does"], one["why_not_fused"] or "", f"{one['cost_us']:,.0f}")
        for one in explanation["stages"]
    ]
    cost = explanation["cost"]
    height, width = explanation["size_out"]["most"]
    shown = [line for line in ready.text.splitlines() if not line.startswith("#")]
    parts = [
        _WRITTEN,
        f"# {ready.name}",
        f"{ready.summary} {ready.use}",
        f"![{ready.name}: a photograph and seven variants of it](../{_sheet_name(ready)})",
        "\n".join(["```yaml", *shown, "```"]),
        f'Use it by name, `"recipe": "{ready.name}"`, or print it and change it: `augment recipe show {ready.name}`.',
        "## How it is run",
        gallery_pages.table(("stage", "steps", "what runs", "apart from the last because", "est. us"), rows),
        f"A picture of {_SHOWN.width} x {_SHOWN.height} becomes {width} x {height}, in about {cost['picture_us']:,.0f} us "
        f"of CPU (decode {cost['decode_us']:,.0f}, steps {cost['pixels_us']:,.0f}, encode {cost['encode_us']:,.0f}); "
        f"an estimate by figures of {cost['machine']}. [What that means](../howto/check-a-recipe.md).",
    ]
    return "\n\n".join(parts) + "\n"


def _operations() -> str:
    parts = [
        _WRITTEN,
        "# Operations",
        _prose(_OPERATIONS),
        "From the command line: `augment ops`, `augment ops show NAME`; from a running service: `GET /v1/ops`.",
    ]
    for op in OPS.values():
        rows = [
            (f"`{field.name}`", "drawn" if field.drawn else "", field.takes, f"`{field.default}`", field.meaning)
            for field in fields(op)
        ]
        parts += [
            f"## {op.name}",
            _described(op),
            f"Labels {labels(op)}. Works on: {KINDS[op.kind_name]}. Under `profile: kornia`: {stepwise(op)}",
            *_elsewhere(op),
            f"![{op.name}: {gallery_pages.caption(op)}](../{_picture_name(op)})",
            gallery_pages.table(("field", "", "takes", "default", "meaning"), rows),
            "\n".join(["```yaml", *(f"- {step(op, place)}" for place in range(len(op.examples))), "```"]),
        ]
    return "\n\n".join(parts) + "\n"


def _elsewhere(op: Op) -> Iterator[str]:
    names = (
        f"{LIBRARIES[library]} {', '.join(f'`{name}`' for name in them)}" for library, them in elsewhere(op.name).items()
    )
    if said := "; ".join(names):
        yield f"Elsewhere: {said}."


def _labels() -> str:
    rules = [
        (f"`{name}`", f"`{json.dumps(field.default)}`", _prose(field.description or ""))
        for name, field in LabelRules.model_fields.items()
    ]
    shapes = []
    for model in (Labels, Boxes, Polygon, Keypoints, Dropped):
        rows = [(f"`{field.alias or name}`", _prose(field.description or "")) for name, field in model.model_fields.items()]
        shapes += [f"## {model.__name__}", _prose(model.__doc__ or ""), gallery_pages.table(("field", "meaning"), rows)]
    parts = [
        _WRITTEN,
        "# Labels",
        "How to use them: [Labels](../howto/labels.md).",
        "## Rules: `labels` of a recipe",
        _prose(LabelRules.__doc__ or ""),
        gallery_pages.table(("field", "default", "meaning"), rules),
        *shapes,
    ]
    return "\n\n".join(parts) + "\n"


def _prose(text: str) -> str:
    return " ".join(text.split())


def _described(op: Op) -> str:
    return "\n\n".join(_prose(part) for part in (op.params.__doc__ or "").split("\n\n"))


def _settings() -> str:
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        shown = "" if default in (None, "", ()) else f"`{written(default)}`"
        rows.append((f"`{environment_name(name)}`", shown, (field.description or "").replace("\n", " ")))
    return (
        "\n\n".join(
            [
                _WRITTEN,
                "# Settings",
                _prose(_SETTINGS),
                gallery_pages.table(("variable", "default", "meaning"), rows),
            ]
        )
        + "\n"
    )


def _errors() -> str:
    known = {error.code: error for error in _subclasses(AugmentationError) if error.code in STATUS}
    rows = []
    for code, status in sorted(STATUS.items(), key=lambda pair: (pair[1], pair[0])):
        error = known.get(code)
        meaning = _prose(error.__doc__ or "") if error else "Reserved: this release does not use it."
        again = "yes" if status in (429, 503, 507) or (error is not None and error.retryable) else ""
        rows.append((f"`{code}`", str(status), again, meaning))
    return (
        "\n\n".join(
            [
                _WRITTEN,
                "# Errors",
                _prose(_ERRORS),
                gallery_pages.table(("code", "status", "again", "meaning"), rows),
            ]
        )
        + "\n"
    )


def _subclasses(error: type[AugmentationError]) -> Iterator[type[AugmentationError]]:
    for below in error.__subclasses__():
        yield below
        yield from _subclasses(below)


def _routes() -> str:
    document: dict[str, Any] = api.create_app(Settings(seed_api=True)).openapi()
    parts = [
        _WRITTEN,
        "# Routes",
        "A running service shows the same with every field at `/docs`, and as an OpenAPI document at `/openapi.json`.",
    ]
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                parts += _route(f"{method.upper()} {path}", methods[method])
    return "\n\n".join(parts) + "\n"


def _route(title: str, route: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {title}"
    yield _prose(str(route.get("description", route.get("summary", ""))))
    rows = [
        (f"`{parameter['name']}`", parameter["in"], "yes" if parameter.get("required") else "", _oneline(parameter))
        for parameter in route.get("parameters", ())
    ]
    if rows:
        yield gallery_pages.table(("parameter", "in", "required", "meaning"), rows)
    if bodies := route.get("requestBody", {}).get("content", {}):
        yield f"Body: {', '.join(f'`{kind}`' for kind in bodies)}."
    answers = (
        f"`{status}` {_oneline(answer)}".rstrip(". ") for status, answer in sorted(route.get("responses", {}).items())
    )
    yield f"Answers: {'; '.join(answers)}."


def _oneline(part: Mapping[str, Any]) -> str:
    return _prose(str(part.get("description", "")))


def _picture_name(op: Op) -> str:
    return f"gallery/{gallery_pages.picture_name(op.name)}"


def _sheet_name(ready: Ready) -> str:
    return f"recipes/{ready.name}.webp"


def _alike(one: bytes, other: bytes) -> bool:
    first, second = (
        np.asarray(Image.open(io.BytesIO(content)).convert("RGBA")).astype(np.int16) for content in (one, other)
    )
    return first.shape == second.shape and float(np.abs(first - second).mean()) <= TOLERANCE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
