"""Requests and answers about accounts, as they are on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from service.accounts.administration import MAX_NAME, Issued
from service.accounts.roles import ROLES, Role, Scope
from service.schemas import Request
from service.truth.account_queries import ApiKey, Change, Tenant
from service.truth.usage_queries import Day


class KeyRequest(Request):
    """A key to be issued."""

    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
    """What it is for, so that you know which to revoke."""
    role: Role = "submit"
    """What it may do; at most what you may do yourself."""
    expires_at: AwareDatetime | None = None
    """When it ends by itself, a hundred years from now at most. Where this is not given it ends with the key or token that
    you ask with, or never."""


class TokenRequest(Request):
    """A token to be issued for the key that asks."""

    scopes: list[Scope] | None = None
    """What it may do; all that the key may where this is not given."""
    expires_in: Annotated[int, Field(ge=1, strict=True)] | None = None
    """Seconds that it is good for; the longest time that the service allows where this is not given."""


class TenantRequest(Request):
    """A tenant to be made."""

    name: Annotated[str, Field(max_length=MAX_NAME)]
    """Up to 63 lower-case letters, digits, dots, dashes and underscores."""


Limit = Annotated[int, Field(ge=1, le=2**62, strict=True)]


class TenantLimits(Request):
    """Limits of one tenant that are not those of the settings, which have the same names."""

    max_waiting_items: Limit | None = None
    """Unfinished items."""
    max_interactive_items: Limit | None = None
    """Unfinished interactive items."""
    max_requests_per_minute: Limit | None = None
    """Requests in a minute."""
    max_pictures_per_minute: Limit | None = None
    """Pictures submitted, or run again, in a minute."""
    max_pixels_per_day: Limit | None = None
    """Estimated pixels of work submitted on a day (UTC)."""
    max_stored_bytes: Limit | None = None
    """Bytes of pictures and results stored."""

    def own(self) -> dict[str, int]:
        """Those that were given."""
        return self.model_dump(exclude_none=True)


class TenantChange(Request):
    """What is to be different about a tenant."""

    limits: TenantLimits | None = None
    """All limits of its own; those that are left out, or null, are the settings' again."""
    disabled: Annotated[bool, Field(strict=True)] | None = None
    """Whether it is let in no more; what it has sent is finished and kept."""


class KeyView(BaseModel):
    """One API key, without what makes it one."""

    id: UUID
    name: str
    role: Role
    scopes: list[Scope]
    hint: str
    """Its first characters."""
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    """To the minute."""


class IssuedKey(KeyView):
    """A new API key. `key` is shown this once and kept nowhere."""

    key: str


class KeyPage(BaseModel):
    """API keys, newest first, revoked ones too."""

    keys: list[KeyView]
    next: str | None


class TokenView(BaseModel):
    """A token (the names are those of RFC 6749)."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a name of the standard
    expires_in: int
    scope: str


class TenantView(BaseModel):
    """One tenant."""

    name: str
    limits: dict[str, int]
    """Limits that are not those of the settings."""
    created_at: datetime
    disabled_at: datetime | None


class TenantPage(BaseModel):
    """Tenants by name."""

    tenants: list[TenantView]
    next: str | None


class NewTenant(BaseModel):
    """A new tenant, and its first key, of the role admin."""

    tenant: TenantView
    key: IssuedKey


class DayView(BaseModel):
    """What a tenant used on one day (UTC)."""

    day: date
    requests: int
    """Authorised requests."""
    pictures: int
    """Pictures submitted; again where they were run again."""
    outputs: int
    """Results made."""
    pixels: int
    """Estimated pixels of work submitted."""
    bytes_stored: int
    """Pictures, as often as they were sent, and results, at the end of the day."""


class UsageView(BaseModel):
    """What a tenant used, every day of the time that was asked for."""

    days: list[DayView]


class ChangeView(BaseModel):
    """One change of an account."""

    id: int
    at: datetime
    actor: str
    """Who did it: a key, a token, the configured key, or the operator's command line."""
    action: str
    subject: str
    detail: dict[str, Any]


class ChangePage(BaseModel):
    """Changes of the tenant's account, newest first."""

    changes: list[ChangeView]
    next: str | None


def key_view(row: ApiKey) -> KeyView:
    """A key as it is shown."""
    return KeyView(**_facts(row))


def issued_view(issued: Issued) -> IssuedKey:
    """A key as it is shown once."""
    return IssuedKey(key=issued.key, **_facts(issued.row))


def tenant_view(row: Tenant) -> TenantView:
    """A tenant as it is shown."""
    return TenantView(name=row.name, limits=dict(row.limits), created_at=row.created_at, disabled_at=row.disabled_at)


def usage_view(found: Sequence[Day], first: date, last: date) -> UsageView:
    """Every day from `first` to `last`: on one without use, as much is stored as on the day before."""
    by_day = {one.day: one for one in found}
    stored = next((one.bytes_stored for one in found if one.day < first), 0)
    days = []
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        one = by_day.get(day, Day(day, bytes_stored=stored))
        stored = one.bytes_stored
        days.append(DayView(**vars(one)))
    return UsageView(days=days)


def change_view(row: Change) -> ChangeView:
    """A line of the log of account changes as it is shown."""
    return ChangeView(**vars(row))


def _facts(row: ApiKey) -> dict[str, Any]:
    return {**{name: value for name, value in vars(row).items() if name != "tenant"}, "scopes": sorted(ROLES[row.role])}
