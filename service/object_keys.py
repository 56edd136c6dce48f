"""Keys of objects in the store. Each says whose bytes they are, of which day, and which row needs them.

    {tenant}/sources/{day}/{xx}/{batch}-{sha256}         a picture that was sent with a batch, needed by that batch alone
    {tenant}/images/{day}/{xx}/{image}-{sha256}          an uploaded picture, needed by its image's row
    {tenant}/outputs/{day}/{xx}/{item}-{variant}-{token} a result of one attempt; `batching.passage` makes these

The day is that of the batch or image, as its id says; `xx`, two digits of the hash or of the item's id, keeps folders of a
day small, and few: a local store makes a folder in the time that it writes two files. No two requests share a key, so what
no row needs long after it was written, no row will ever need.
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
        case [*tenant, "outputs", _, _, name] if tenant:
            identity, (_, _, numbers) = _uuid(name[:36]), name[36:].partition("-")
            variant, _, token = numbers.partition("-")
            known = name[36:37] == "-" and variant.isdecimal() and token.isdecimal()
            return Needed("outputs", identity, int(token)) if identity and known else None
    return None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
