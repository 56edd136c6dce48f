"""The service's own errors, and the one table from code to HTTP status."""

from __future__ import annotations

from collections.abc import Mapping

from kernels.errors import AugmentationError

STATUS: Mapping[str, int] = {
    "bad_request": 400,
    "empty_body": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "request_timeout": 408,
    "conflict": 409,
    "batch_not_final": 409,
    "idempotency_in_progress": 409,
    "gone": 410,
    "payload_too_large": 413,
    "too_many_items": 413,
    "unsupported_format": 415,
    "range_not_satisfiable": 416,
    "image_unreadable": 422,
    "image_truncated": 422,
    "image_corrupt": 422,
    "image_dimensions": 422,
    "image_too_many_pixels": 422,
    "image_metadata": 422,
    "too_many_frames": 422,
    "recipe_invalid": 422,
    "unknown_op": 422,
    "validation_error": 422,
    "duplicate_custom_id": 422,
    "label_invalid": 422,
    "label_ambiguous": 422,
    "work_too_large": 422,
    "archive_unsafe_path": 422,
    "archive_ratio": 422,
    "archive_corrupt": 422,
    "archive_encrypted": 422,
    "source_url_forbidden": 422,
    "source_unreachable": 422,
    "source_missing": 422,
    "item_timeout": 422,
    "poison": 422,
    "resource_exhausted": 422,
    "expired": 422,
    "cancelled": 422,
    "idempotency_key_reused": 422,
    "rate_limited": 429,
    "quota_exceeded": 429,
    "internal": 500,
    "overloaded": 503,
    "unavailable": 503,
    "storage_full": 507,
}
"""HTTP status of every code, the codes of items included: for one picture the item's code is the answer's."""


class ServiceError(AugmentationError):
    """Parent of the errors of requests. `item`, `limit` and `pointer` say what is meant, where that is known."""

    status: int | None = None
    """HTTP status where it is not the code's own."""
    item: str | None = None
    limit: int | float | None = None
    pointer: str | None = None
    retry_after_s: float | None = None


class ItemFailed(ServiceError):
    """The picture was accepted and could not be made. The problem has the item's code, not this one."""

    def __init__(self, item_code: str, detail: str, item: str) -> None:
        super().__init__(detail)
        self.item_code, self.item, self.status = item_code, item, 422


class BadRequest(ServiceError):
    """The request is not of the documented form: its JSON, its multipart body or a header cannot be read."""


class EmptyBody(ServiceError):
    """The request has no body, or an upload holds no bytes."""

    def __init__(self, what: str = "the request's body") -> None:
        super().__init__(f"{what} is empty")


class Unauthorized(ServiceError):
    """No key or token, or a wrong, expired or revoked one. Send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`."""

    def __init__(
        self, reason: str = "a valid API key is required: `Authorization: Bearer KEY` or `X-API-Key: KEY`"
    ) -> None:
        super().__init__(reason)


class Forbidden(ServiceError):
    """The caller is known and may not do this: the key or token has not the scope that the route asks for."""


class NotFound(ServiceError):
    """There is no such thing, or it is another tenant's: the answer is the same."""

    def __init__(self, what: str) -> None:
        super().__init__(f"there is no such {what}")


class RequestTimeout(ServiceError):
    """The body arrived too slowly and reading it was given up."""

    def __init__(self, limit_s: float, reason: str = "") -> None:
        super().__init__(
            reason or f"the body arrives too slowly: nothing more of it, or next to nothing, came for {limit_s:g} s"
        )
        self.limit = limit_s


class Conflict(ServiceError):
    """The state of the thing does not allow this now."""


class BatchNotFinal(ServiceError):
    """The batch is still being worked on; wait for it, or ask for `partial=true`."""

    def __init__(self, state: str) -> None:
        super().__init__(f"the batch is {state}; wait until it is final, or ask with partial=true for what is done")


class IdempotencyInProgress(ServiceError):
    """A request with the same Idempotency-Key is being read right now; repeat this one a little later."""

    def __init__(self) -> None:
        super().__init__("a request with this Idempotency-Key is in progress")
        self.retry_after_s = 1.0


class IdempotencyKeyReused(ServiceError):
    """The Idempotency-Key was used before, for another request."""

    def __init__(self) -> None:
        super().__init__("this Idempotency-Key was used for a different request")


class Gone(ServiceError):
    """It existed, and its bytes have been deleted."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the bytes of this {what} are no longer there")


class PayloadTooLarge(ServiceError):
    """The body, or one part of it, has more bytes than the limit."""

    def __init__(self, what: str, limit: int, item: str | None = None) -> None:
        super().__init__(f"{what} is larger than {limit} bytes")
        self.limit, self.item = limit, item


class TooManyItems(ServiceError):
    """One batch holds more pictures than the limit; send several batches with one `group`."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"a batch may hold at most {limit} pictures; send several batches with one `group`")
        self.limit = limit


class RangeNotSatisfiable(ServiceError):
    """The asked range begins behind the last byte."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the range begins behind the last of {size} bytes")
        self.limit = size


class ValidationError(ServiceError):
    """A field of the request, other than the recipe, is missing, unknown, of the wrong type or out of range."""

    def __init__(self, reason: str, pointer: str, limit: int | float | None = None) -> None:
        super().__init__(f"{pointer or '/'}: {reason}")
        self.reason, self.pointer, self.limit = reason, pointer, limit


class DuplicateCustomId(ServiceError):
    """Two pictures of one batch have the same custom_id (for files: the same name)."""

    def __init__(self, custom_id: str) -> None:
        super().__init__(f"two pictures of the batch are called {shown(custom_id)}")
        self.item = custom_id


class ArchiveUnsafePath(ServiceError):
    """A member of the archive has an absolute path, climbs out with `..`, or is a link or a device."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"the archive's member {shown(name)} {reason}")
        self.item = name


class ArchiveRatio(ServiceError):
    """The archive grows too much when unpacked, repeats its own bytes, or holds another archive."""


class ArchiveCorrupt(ServiceError):
    """The archive cannot be read to its end, or is of no supported kind (tar, tar.gz, zip)."""


class ArchiveEncrypted(ServiceError):
    """The archive needs a password."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the archive's member {shown(name)} is encrypted")
        self.item = name


class RateLimited(ServiceError):
    """The tenant has as much unfinished work as it may have, or sent as much as it may in a minute; come back later."""

    def __init__(self, reason: str, limit: int, retry_after_s: float) -> None:
        super().__init__(reason)
        self.limit, self.retry_after_s = limit, retry_after_s


class QuotaExceeded(ServiceError):
    """More than the tenant may have stored, may submit on a day, or may ever ask for at once."""

    def __init__(self, reason: str, limit: int, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.limit, self.retry_after_s = limit, retry_after_s


def shown(name: str) -> str:
    """A caller's name as it may stand in a message: short, on one line, every odd character escaped."""
    return ascii(name[:100])
