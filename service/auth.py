"""Who may do what: what a key or token says; on a loopback address where none is demanded, everyone everything."""

from __future__ import annotations

from fastapi import Request

from service.accounts.callers import ANYONE, Caller
from service.accounts.roles import Scope
from service.errors import Forbidden, Unauthorized
from service.parts import Parts
from service.settings import Settings

_READING = ("GET", "HEAD")
_OTHER_SITES = ("cross-site", "same-site")


# coroutines all of them, or FastAPI would send them to a thread
async def tenant_of(request: Request) -> str:
    """The tenant of an authorised request: GET takes the scope `read`, everything else `submit`.

    Unauthorized, Forbidden, DatabaseUnavailable.
    """
    return (await caller_of(request, "read" if request.method in _READING else "submit")).tenant


async def reader_of(request: Request) -> str:
    """The tenant of a request that changes nothing, whatever its method."""
    return (await caller_of(request, "read")).tenant


async def admin_of(request: Request) -> Caller:
    """Who looks after the account of a tenant."""
    return await caller_of(request, "admin")


async def operator_of(request: Request) -> Caller:
    """Who looks after the whole service."""
    return await caller_of(request, "operator")


async def observer_of(request: Request) -> Caller:
    """Who reads the metrics of the whole service."""
    return await caller_of(request, "metrics")


async def caller_of(request: Request, scope: Scope | None) -> Caller:
    """The caller of a request, who must have `scope` where one is named; the request is counted.

    Unauthorized, Forbidden, RateLimited, DatabaseUnavailable.
    """
    parts: Parts = request.app.state.parts
    credential = _credential(request)
    if credential:
        caller = await parts.callers.known(credential)
    elif _open(parts.settings):
        _same_site(request)
        caller = ANYONE
    else:
        raise Unauthorized
    if scope is not None and scope not in caller.scopes:
        raise Forbidden(f"this key or token has not the scope `{scope}`")
    parts.requests.add(caller.tenant)
    await _within_rate(parts, caller.tenant)
    return caller


async def _within_rate(parts: Parts, tenant: str) -> None:
    """RateLimited, where this is one request too many."""
    # what the request itself needs of the database will say that it is away
    found = await parts.callers.tenant(tenant, parts.settings.rate_timeout_s)
    allowance = parts.allowance if found is None else parts.allowance.with_own(found.limits)
    await parts.rates.take(tenant, "requests", allowance.max_requests_per_minute)


def _open(settings: Settings) -> bool:
    """Whether requests without a key or token are let in."""
    return settings.loopback and settings.api_key is None and not settings.require_auth


def _credential(request: Request) -> str:
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    return bearer.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "").strip()


def _same_site(request: Request) -> None:
    """A page of another site, shown by a browser on this machine, could make it send forms to an open service."""
    if request.method not in _READING and request.headers.get("sec-fetch-site") in _OTHER_SITES:
        raise Forbidden("pages of other sites may not send requests to a service without a key")
