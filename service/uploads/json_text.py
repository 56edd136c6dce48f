"""JSON as it comes from outside: read strictly, so that nothing odd reaches a recipe, a row or an answer."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

from service.errors import BadRequest, ValidationError

_LONG_BYTES = 256 * 1024
_ODD_ESCAPES = ("\\u0000", "\\ud", "\\uD")


def parse_json(content: bytes, what: str = "the request's body") -> Any:
    """The document in `content`. BadRequest where it is no JSON; ValidationError, with a pointer, for text that no
    database can hold. Duplicate names, NaN, infinities and numbers that overflow are refused."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest(f"{what} is not UTF-8 text") from None
    try:
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise BadRequest(f"{what} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise BadRequest(f"{what} is nested too deeply") from None
    except ValueError:  # the one left: an integer of thousands of digits
        raise BadRequest(f"{what} holds a number that is too long") from None
    if any(escape in text for escape in _ODD_ESCAPES):
        _check_text(document, "")
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


def escaped(part: object) -> str:
    """One segment of a JSON pointer (RFC 6901), cut to a length that fits a message."""
    return str(part)[:80].replace("~", "~0").replace("/", "~1")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named = dict(pairs)
    if len(named) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValidationError(f"the name {twice[:80]!a} appears twice in one object", "")
    return named


def _no_number(name: str) -> float:
    raise ValidationError(f"{name} is not a number that JSON knows", "")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValidationError(f"{digits[:40]} is too large", "")
    return number


def _check_text(value: Any, pointer: str) -> None:
    if isinstance(value, str):
        check_text(value, pointer)
    elif isinstance(value, dict):
        for name, member in value.items():
            check_text(name, pointer)
            _check_text(member, f"{pointer}/{escaped(name)}")
    elif isinstance(value, list):
        for place, member in enumerate(value):
            _check_text(member, f"{pointer}/{place}")
