"""What routes share: the parts, the tenant, paging and `Prefer`."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel

from service.auth import reader_of, tenant_of
from service.errors import ValidationError
from service.parts import Parts

MAX_PAGE = 1000
_WAIT = re.compile(r"""(?:^|[,;\s])wait\s*=\s*"?([0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)(?=$|[",;\s])""", re.IGNORECASE)
"""A number in JSON's form. What is none is no preference that we know, and passed over (RFC 7240)."""


async def parts_of(request: Request) -> Parts:
    """The parts of this process. Async, as every dependency here: FastAPI runs others in a thread, which costs more."""
    parts: Parts = request.app.state.parts
    return parts


PartsOf = Annotated[Parts, Depends(parts_of)]
Tenant = Annotated[str, Depends(tenant_of)]
Reader = Annotated[str, Depends(reader_of)]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="Most entries of one page.")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the page before.")]


def wait_s(request: Request, parts: Parts) -> float:
    """Seconds that the caller prefers to wait, the longest that is waited where they are more."""
    return preferred_s(request.headers.getlist("prefer"), parts.settings.max_wait_s)


def preferred_s(prefer: Sequence[str], most_s: float) -> float:
    """Seconds to wait by the `Prefer` headers (RFC 7240), `most_s` at most; 0 where they do not say."""
    found = _WAIT.search(",".join(prefer))
    return min(float(found[1]), most_s) if found else 0.0


def wants_fresh(request: Request) -> bool:
    """Whether the caller takes no results that were made before (RFC 9111: `Cache-Control: no-cache`, or `no-store`)."""
    given = ",".join(request.headers.getlist("cache-control")).lower().split(",")
    return any(directive.partition("=")[0].strip() in ("no-cache", "no-store") for directive in given)


def answer(model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A model as a JSON answer."""
    return Response(model.model_dump_json(), status, headers, media_type="application/json")


def cursor_of(*facts: object) -> str:
    """A cursor that stands for a place in a list; callers only hand it back."""
    return base64.urlsafe_b64encode("/".join(str(fact) for fact in facts).encode()).decode().rstrip("=")


def position_of(cursor: str | None) -> int:
    """The position a cursor stands for; -1, before the first, without one. ValidationError."""
    if cursor is None:
        return -1
    text = _decoded(cursor)
    if not text.isdecimal() or len(text) > 9:
        raise _bad_cursor()
    return int(text)


def id_of(cursor: str | None) -> UUID | None:
    """The id a cursor stands for. ValidationError."""
    if cursor is None:
        return None
    try:
        return UUID(_decoded(cursor))
    except ValueError:
        raise _bad_cursor() from None


def name_of(cursor: str | None) -> str:
    """The name a cursor stands for; "", before the first, without one. ValidationError."""
    name = "" if cursor is None else _decoded(cursor)
    if not name.isprintable():  # no name that we page by is, and the database takes no NUL
        raise _bad_cursor()
    return name


def _decoded(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        raise _bad_cursor() from None


def _bad_cursor() -> ValidationError:
    return ValidationError("is not the `next` of an earlier page", "/cursor")
