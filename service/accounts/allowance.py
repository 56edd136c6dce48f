"""What a tenant may use: the limits of the settings, and where the operator said otherwise, that tenant's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from service.settings import Settings


@dataclass(frozen=True)
class Allowance:
    """Limits of one tenant; None is no limit."""

    max_waiting_items: int
    max_interactive_items: int
    max_requests_per_minute: int | None
    max_pictures_per_minute: int | None
    max_pixels_per_day: int | None
    max_stored_bytes: int | None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """That of every tenant that has none of its own."""
        return cls(
            max_waiting_items=settings.max_waiting_items,
            max_interactive_items=settings.max_interactive_items,
            max_requests_per_minute=settings.max_requests_per_minute,
            max_pictures_per_minute=settings.max_pictures_per_minute,
            max_pixels_per_day=settings.max_pixels_per_day,
            max_stored_bytes=settings.max_stored_bytes,
        )

    def with_own(self, limits: Mapping[str, Any] | None) -> Self:
        """The same with the limits of a tenant's row; those that a later release wrote are passed over."""
        return replace(self, **{name: limits[name] for name in asdict(self) if name in limits}) if limits else self


LIMITS = tuple(field.name for field in fields(Allowance))
"""What can differ by tenant."""
