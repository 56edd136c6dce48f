"""Keys of objects in the store. Each says whose bytes they are, of which day, and which row needs them.

    {tenant}/sources/{day}/{xx}/{batch}-{sha256}         a picture that was sent with a batch, needed by that batch alone
    {tenant}/images/{day}/{xx}/{image}-{sha256}          an uploaded picture, needed by its image's row
    {tenant}/outputs/{day}/{item}/{variant}/{token}      a result of one attempt; `batching.passage` makes these

The day is that of the batch or image, as its id says; `xx`, the first digits of the hash, keeps folders of a day small. No
two requests share a key, so what no row needs long after it was written, no row will ever need.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple
from uuid import UUID

from service.ids import day_of

Kind = Literal["images", "outputs", "sources"]
KINDS: tuple[Kind, ...] = ("images", "outputs", "sources")


class Owner(NamedTuple):
    """The batch or the image that pictures on their way in belong to."""

    tenant: str
    kind: Literal["images", "sources"]
    id: UUID

    def key(self, sha256: str) -> str:
        """Where the bytes of this hash are stored."""
        return f"{self.tenant}/{self.kind}/{day_of(self.id)}/{sha256[:2]}/{self.id}-{sha256}"


@dataclass(frozen=True)
class Needed:
    """What a key says of the row that needs its object."""

    kind: Kind
    id: UUID
    """Of the batch, the image or the item."""
    token: int | None = None
    """Of the attempt, for results."""


def needed(key: str) -> Needed | None:
    """Who needs the object of a key; None: it is none of the keys above."""
    match key.split("/"):
        case [*tenant, "images" | "sources" as kind, _, _, name] if tenant:
            identity = _uuid(name[:36])
            return Needed(kind, identity) if identity and name[36:37] == "-" else None
        case [*tenant, "outputs", _, item, variant, token] if tenant and variant.isdecimal() and token.isdecimal():
            identity = _uuid(item)
            return Needed("outputs", identity, int(token)) if identity else None
    return None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
