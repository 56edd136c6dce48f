"""Requests that were read before: programs send the same object with every picture, so it is parsed and checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from service.remembered import Remembered
from service.schemas import AugmentRequest

if TYPE_CHECKING:
    from service.named_recipes import Chosen

_REQUESTS = 256
_LONGEST_BYTES = 16 * 1024


@dataclass
class Known:
    """The JSON of a request as it was sent, and the same checked. Neither is ever changed."""

    document: Any
    ask: AugmentRequest
    chosen: Chosen | None = None
    """The effective recipe, where the request holds it: what a name means may change, and differs between tenants."""


class KnownRequests:
    """The last requests by their bytes and where they came, none of which is long or has labels."""

    def __init__(self) -> None:
        self._known: Remembered[Known] = Remembered(_REQUESTS)

    def get(self, place: Literal["query", "part"], sent: bytes) -> Known | None:
        """What these bytes were found to say."""
        return self._known.get((place, sent)) if len(sent) <= _LONGEST_BYTES else None

    def keep(self, place: Literal["query", "part"], sent: bytes, known: Known) -> Known:
        """`known`, remembered where that is worth it."""
        if len(sent) <= _LONGEST_BYTES and known.ask.labels is None:
            self._known.put((place, sent), known)
        return known
