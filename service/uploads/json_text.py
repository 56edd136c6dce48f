"""JSON as it comes from outside: read strictly, so that nothing odd reaches a recipe, a row or an answer."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kernels.errors import RecipeInvalid
from service.errors import BadRequest, ValidationError

_LONG_BYTES = 256 * 1024
_MAX_DEPTH = 64
"""Far below where Python itself gives up, so that whatever walks a document later can."""
_MAX_CONTAINERS = 1_000_000
"""Most lists and objects: more than labels fill, and each takes up to a hundred times its two characters in memory."""
_ODD_ESCAPES = ("\\u0000", "\\ud", "\\uD")
_OF_THE_RECIPE = re.compile(r"/(recipe|output|pipeline)(/|$)")


@dataclass(frozen=True)
class _NoNumber:
    """Stands where the text has a number that no field can take."""

    reason: str


@dataclass(frozen=True)
class _Twice:
    """Stands where one object has two values of one name."""

    name: str


def parse_json(content: bytes, what: str = "the request's body") -> Any:
    """The document in `content`.

    BadRequest where it is no JSON, nested too deeply or cut into too many pieces. With a pointer to the place,
    ValidationError, or RecipeInvalid within a recipe: duplicate names, NaN, infinities, numbers that overflow, text that
    no database can hold.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest(f"{what} is not UTF-8 text") from None
    brackets = text.count("[") + text.count("{")
    if brackets > _MAX_CONTAINERS:
        raise BadRequest(f"{what} holds more than {_MAX_CONTAINERS} lists and objects")
    odd: list[_NoNumber | _Twice] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        named = dict(pairs)
        if len(named) != len(pairs):
            twice = _first_twice(name for name, _ in pairs)
            odd.append(_Twice(twice))
            named[twice] = odd[-1]
        return named

    def no_number(name: str) -> _NoNumber:
        odd.append(found := _NoNumber(f"{name[:40]} is not a number that JSON knows"))
        return found

    def finite(digits: str) -> float | _NoNumber:
        if math.isfinite(number := float(digits)):
            return number
        odd.append(found := _NoNumber(f"{digits[:40]} is too large"))
        return found

    try:
        document = json.loads(text, object_pairs_hook=unique, parse_constant=no_number, parse_float=finite)
    except json.JSONDecodeError as error:
        raise BadRequest(f"{what} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise BadRequest(f"{what} is nested too deeply") from None
    except ValueError:  # the one left: an integer of thousands of digits
        raise BadRequest(f"{what} holds a number that is too long") from None
    if odd or brackets > _MAX_DEPTH or any(escape in text for escape in _ODD_ESCAPES):
        _check(document, "", what)
    return document


async def parse_long_json(content: bytes, what: str = "the request's body") -> Any:
    """`parse_json`, in a thread where the document is long: reading megabytes would hold up every other request."""
    if len(content) <= _LONG_BYTES:
        return parse_json(content, what)
    return await asyncio.to_thread(parse_json, content, what)


def check_text(text: str, pointer: str) -> str:
    """`text`, when it can be stored: without NUL and lone surrogates."""
    if "\0" in text:
        raise ValidationError("text must not hold the character NUL", pointer)
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise ValidationError("text holds half of a surrogate pair", pointer)
    return text


def _first_twice(names: Iterable[str]) -> str:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    raise AssertionError("the names are all different")


def escaped(part: object) -> str:
    """One segment of a JSON pointer (RFC 6901), cut to a length that fits a message."""
    return str(part)[:80].replace("~", "~0").replace("/", "~1")


def _check(value: Any, pointer: str, what: str, depth: int = 1) -> None:
    if isinstance(value, str):
        check_text(value, pointer)
    elif isinstance(value, dict | list):
        if depth > _MAX_DEPTH:
            raise BadRequest(f"{what} is nested too deeply")
        for place, member in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(place, str):
                check_text(place, pointer)
            _check(member, f"{pointer}/{escaped(place)}", what, depth + 1)
    elif isinstance(value, _Twice):
        raise ValidationError(f"the name {value.name[:80]!a} appears twice in one object", pointer)
    elif isinstance(value, _NoNumber):
        raise (RecipeInvalid if _OF_THE_RECIPE.match(pointer) else ValidationError)(value.reason, pointer)
