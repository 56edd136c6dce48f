"""The form an error has on the wire: application/problem+json (RFC 9457), with nothing in it that is only ours."""

from __future__ import annotations

from typing import Any

from fastapi.responses import JSONResponse

from kernels.errors import AugmentationError, InputError
from service.errors import STATUS, ItemFailed, RangeNotSatisfiable

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER_S = 2.0
"""What a client is told to wait where nothing better is known."""


def problem_code(error: AugmentationError) -> str:
    """The code that a problem has on the wire; those that are not in the contract become `unavailable` or `internal`."""
    code = error.item_code if isinstance(error, ItemFailed) else error.code
    if code in STATUS:
        return code
    return "unavailable" if error.retryable else "internal"


def problem_document(error: AugmentationError, request_id: str) -> tuple[int, dict[str, Any]]:
    """Status and body of the problem that answers `error`."""
    code = problem_code(error)
    detail = _OURS.get(code, error.message)
    status = getattr(error, "status", None) or STATUS[code]
    return status, problem_body(
        code,
        status,
        detail,
        request_id,
        item=getattr(error, "item", None),
        limit=getattr(error, "limit", None),
        pointer=getattr(error, "pointer", None),
    )


_OURS = {
    "internal": "something went wrong on our side; the request id finds it in the logs",
    "unavailable": "a part that the service needs does not answer; nothing was accepted, so the request can be repeated",
    "storage_full": "there is no room for more pictures now; nothing was accepted, so the request can be repeated",
}
"""What is said where the reason is ours: never the reason itself, which may hold paths or a library's words."""


def problem_body(
    code: str,
    status: int,
    detail: str,
    request_id: str,
    *,
    item: str | None = None,
    limit: int | float | None = None,
    pointer: str | None = None,
) -> dict[str, Any]:
    """The body of a problem (RFC 9457) with our members; absent ones are left out."""
    body = {
        "type": f"urn:augment:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "code": code,
        "detail": detail,
        "item": item,
        "limit": limit,
        "pointer": pointer,
        "request_id": request_id,
    }
    return {name: value for name, value in body.items() if value is not None}


def problem_response(error: AugmentationError, request_id: str) -> JSONResponse:
    """The answer to a request that ended with `error`."""
    status, body = problem_document(error, request_id)
    headers: dict[str, str] = {}
    wait_s = getattr(error, "retry_after_s", None)
    if wait_s is None and status in (429, 503, 507):
        wait_s = RETRY_AFTER_S
    if wait_s is not None:
        headers["Retry-After"] = str(max(1, round(wait_s)))
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="augment"'
    if isinstance(error, RangeNotSatisfiable):
        headers["Content-Range"] = f"bytes */{error.limit}"
    return JSONResponse(body, status, headers, media_type=PROBLEM_TYPE)


def is_callers(error: AugmentationError) -> bool:
    """Whether the caller can mend it (4xx): not worth an error in the logs."""
    return isinstance(error, InputError) or STATUS.get(error.code, 500) < 500
