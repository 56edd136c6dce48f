"""Who may call: everyone on a loopback address without a key, and the bearer of the key elsewhere."""

from __future__ import annotations

import secrets

from fastapi import Request

from service.errors import Forbidden, Unauthorized
from service.settings import Settings

TENANT = "default"
"""The one tenant of a service without accounts."""
_READING = ("GET", "HEAD")
_OTHER_SITES = ("cross-site", "same-site")


async def tenant_of(request: Request) -> str:  # a coroutine, or FastAPI would send it to a thread
    """The tenant of an authorised request. Unauthorized, Forbidden."""
    settings: Settings = request.app.state.settings
    if settings.api_key is None:
        # Settings demands a key on any address but a loopback one; but a page of another site, shown by a browser on this
        # machine, could make it send forms here
        if request.method not in _READING and request.headers.get("sec-fetch-site") in _OTHER_SITES:
            raise Forbidden("pages of other sites may not send requests to a service without a key")
        return TENANT
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    given = bearer.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")
    expected = settings.api_key.get_secret_value()
    if not secrets.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode()):
        raise Unauthorized
    return TENANT
