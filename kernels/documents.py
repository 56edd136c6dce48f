"""Document: parent of models of what callers write that others hold many of. They stop at the first thing that is wrong.

pydantic goes on, and makes an error of everything: 16 MB of wrong entries take it a minute and gigabytes.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel, Field, model_validator
from pydantic_core import InitErrorDetails, ValidationError


def at_most(entries: int, at_least: int = 0) -> Any:
    """For `Annotated[tuple[X, ...], at_most(n)]`: so many entries, none looked at behind the first wrong one."""
    return Field(min_length=at_least, max_length=entries, fail_fast=True)


class Document(BaseModel):
    """A subclass forbids fields that it does not have."""

    @model_validator(mode="before")
    @classmethod
    def _knows_all(cls, value: object) -> object:
        if isinstance(value, dict):
            for name in value:
                if name not in cls.__pydantic_fields__ and name not in cls._aliases():
                    # the error that pydantic would make, without those of all names behind it
                    error = InitErrorDetails(type="extra_forbidden", loc=(name,), input=None)
                    raise ValidationError.from_exception_data(cls.__name__, [error])
        return value

    @classmethod
    @cache
    def _aliases(cls) -> set[str | None]:
        return {field.alias for field in cls.__pydantic_fields__.values()}
