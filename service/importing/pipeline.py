"""Import of a pipeline: the document of another library in, a recipe of ours and a report of every item out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from kernels.errors import RecipeInvalid
from kernels.recipe import Recipe
from service import seed_ops
from service.catalogue.written import written
from service.importing.albumentations import ALBUMENTATIONS
from service.importing.convert import Converter, Item, Library, calls_in, check_count, named_call, rendered
from service.importing.forms import FORMS, Form
from service.importing.kornia import KORNIA
from service.importing.rules import Step
from service.importing.seed import steps_of
from service.importing.torchvision import TORCHVISION
from service.uploads.json_text import escaped

_LISTS: Mapping[Form, Library] = {"torchvision": TORCHVISION, "kornia": KORNIA}
_CHOOSING_BY_P = ("0.", "1.0.", "1.1.", "1.2.", "1.3.")
"""Versions of Albumentations whose `SomeOf` chooses by the probabilities of what is inside, as `OneOf` does to this day."""
_LABELS = {"bbox_params": "BboxParams", "keypoint_params": "KeypointParams"}


@dataclass(frozen=True)
class Imported:
    """A pipeline as a recipe."""

    form: Form
    document: dict[str, Any]
    """The recipe as people write it: without what is left at its default."""
    recipe: Recipe
    items: tuple[Item, ...]
    """What became of every item of the pipeline, in its order, a container before what is inside it."""

    @property
    def counts(self) -> dict[str, int]:
        """Items by verdict."""
        found = Counter(item.verdict for item in self.items)
        return {verdict: found[verdict] for verdict in ("exact", "different", "missing")}

    def report(self) -> list[dict[str, Any]]:
        """The items as plain JSON."""
        return [asdict(item) for item in self.items]


def import_pipeline(document: Any, form: Form | None = None) -> Imported:
    """The pipeline in a decoded JSON or YAML document; `form` is found out where it is not given.

    Probabilities, ranges and units become ours. Nothing is dropped without an item that says so. RecipeInvalid, with a JSON
    pointer into the document, where it is no pipeline: an item without a name, a value of the wrong type, too many items.
    """
    form = form or _form_of(document)
    labels: dict[str, Any] = {}
    output: Mapping[str, Any] = {}
    if form == "seed":
        steps, items = steps_of(document)
        output = seed_ops.OUTPUT
    elif form == "albumentations":
        steps, items, labels = _albumentations(document)
    else:
        converter = Converter(_LISTS[form])
        steps, items, labels = converter.pipeline(_list_in(document)), converter.items, converter.labels
    check_count(steps)
    made: dict[str, Any] = {"steps": rendered(steps, items)}
    made |= {name: dict(value) for name, value in (("output", output), ("labels", labels)) if value}
    recipe = Recipe.parse(made)
    return Imported(form, written(recipe), recipe, tuple(items))


def _albumentations(document: Any) -> tuple[list[Step], list[Item], dict[str, Any]]:
    if not isinstance(document, Mapping):
        raise RecipeInvalid("must be what Albumentations writes, an object with `transform`", "")
    pointer = "/transform" if "transform" in document else ""
    top = document.get("transform", document)
    old = str(document.get("__version__", "")).startswith(_CHOOSING_BY_P)
    converter = Converter(replace(ALBUMENTATIONS, forced=("one_of", "some_of")) if old else ALBUMENTATIONS)
    steps = converter.pipeline([(top, pointer)])
    for field, name in _LABELS.items():
        if isinstance(top, Mapping) and top.get(field) is not None:
            converter.labelled(name, top[field], f"{pointer}/{field}")
    return steps, converter.items, converter.labels


def _list_in(document: Any) -> Sequence[tuple[Any, str]]:
    """The calls of a list, or the one call that a document is."""
    return calls_in(document, "") if isinstance(document, list) else ((document, ""),)


def _form_of(document: Any) -> Form:
    """The library that wrote the document. RecipeInvalid where it may be several, or none."""
    first = document[0] if isinstance(document, list) and document else document
    if isinstance(first, Mapping) and "arguments" in first and "name" not in first:
        return "seed"
    if isinstance(document, Mapping) and ("transform" in document or "__class_fullname__" in document):
        return "albumentations"
    names = set(_names(_list_in(document), 0))
    unknown = {form: len(names - set(library.entries)) for form, library in _LISTS.items()}
    form, other = sorted(_LISTS, key=lambda form: unknown[form])
    if unknown[form] == unknown[other]:
        raise RecipeInvalid(f"it may be a pipeline of several libraries; say which: {', '.join(FORMS)}", "")
    return form


def _names(calls: Sequence[tuple[Any, str]], depth: int) -> Iterator[str]:
    """Names of classes in a list of calls and one level below: enough to tell two libraries apart."""
    for value, pointer in calls:
        name, arguments, below = named_call(value, pointer)
        yield name
        for field in ("transforms", "args"):
            if depth < 1 and isinstance(arguments.get(field), list):
                yield from _names(calls_in(arguments[field], f"{below}/{escaped(field)}"), depth + 1)
