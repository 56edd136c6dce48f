"""Lines of a manifest, and what a replay says of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, JsonValue, ValidationError

Status = Literal["identical", "different", "gone", "failed"]


class ManifestInvalid(ValueError):
    """A manifest cannot be read; the message names the line."""


class Line(BaseModel):
    """One result as a manifest describes it; an archive's lines have no recipe and no path."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    output_id: UUID = Field(validation_alias=AliasChoices("output_id", "id"))
    custom_id: str
    variant: int = Field(ge=0)
    seed: int
    sha256: str
    recipe_digest: str
    engine_version: str
    device: str
    draws: Sequence[Mapping[str, Any]]
    labels: Mapping[str, Any] | None = None
    label_files: Sequence[str] = ()
    recipe: Mapping[str, JsonValue] | None = None


@dataclass(frozen=True)
class Verdict:
    """What a replay says of one line."""

    custom_id: str
    variant: int
    status: Status
    changed: Mapping[str, tuple[str, str]]
    """What differs, by name: what it was, and what it is now."""
    detail: str = ""

    def text(self) -> str:
        """One line for people."""
        said = [f"{name} was {was}, now {now}" for name, (was, now) in self.changed.items()]
        return f"{self.custom_id}, {self.variant}: {self.status}: {'; '.join([*said, self.detail][: len(said) or 1])}"


def read_lines(manifest: Path) -> Iterator[Line]:
    """Every line, one after the other. ManifestInvalid, OSError."""
    with manifest.open("rb") as stream:
        for number, text in enumerate(stream, 1):
            if text.strip():
                try:
                    yield Line.model_validate_json(text)
                except ValidationError as error:
                    [first, *_] = error.errors()
                    place = ".".join(str(part) for part in first["loc"])
                    raise ManifestInvalid(f"{manifest}:{number}: {place or 'the line'}: {first['msg']}") from None


def count_lines(manifest: Path) -> int:
    """How many lines there are to read. OSError."""
    with manifest.open("rb") as stream:
        return sum(1 for text in stream if text.strip())


def brief(value: object) -> str:
    """A value as it may stand in a message."""
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
