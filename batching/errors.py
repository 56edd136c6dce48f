"""What can go wrong between a lane and a result, beside the picture itself (`kernels.errors`).

`service.store` and `service.truth.ledger` raise these, so that a worker can tell what another try may cure.
"""

from __future__ import annotations

from kernels.errors import AugmentationError, InputError


class Refused(AugmentationError):
    """The system will not do this work."""


class Overloaded(Refused):
    """More work waits than may; the same request may succeed later."""

    retryable = True

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"too much work is waiting; try again in {retry_after_s:.0f} s")
        self.retry_after_s = retry_after_s


class Expired(Refused):
    """The item's batch passed its time before the item was run."""

    def __init__(self) -> None:
        super().__init__("the batch expired before this picture was run")


class Cancelled(Refused):
    """The item's batch was cancelled before the item was run."""

    def __init__(self) -> None:
        super().__init__("the batch was cancelled before this picture was run")


class SourceMissing(AugmentationError):
    """The picture's bytes are gone from the object store, or are no longer the ones that were accepted."""

    def __init__(self, reason: str = "it is not in the object store") -> None:
        super().__init__(f"the source picture cannot be read: {reason}")
        self.reason = reason


class SourceUrlForbidden(InputError):
    """Pictures are not fetched from there: the operator allows no addresses, or none like this one.

    It is said before any connection is made, and in the same words whatever the reason.
    """

    def __init__(self, pointer: str | None = None) -> None:
        super().__init__("pictures are not fetched from this address; upload them")
        self.pointer = pointer


class SourceUnreachable(InputError):
    """The address that names the picture did not answer with a file in time, or with one that is too large."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the address did not answer with a file of at most {limit} bytes in time")
        self.limit = limit


class ItemTimeout(AugmentationError):
    """The item ran longer than one item may."""

    def __init__(self, limit_s: float) -> None:
        super().__init__(f"the picture took longer than {limit_s:g} s with all its variants")
        self.limit_s = limit_s


class ResourceExhausted(AugmentationError):
    """The item needs more than there is: memory of device and host, even alone; or, fetched by its address, pixels or bytes
    that its tenant has no quota for."""

    def __init__(self, reason: str = "there is not enough memory to run this picture, even alone") -> None:
        super().__init__(reason)
        self.reason = reason


class Poison(AugmentationError):
    """Every process that ran the picture died of it, one picture alone in each."""

    def __init__(self, reason: str = "it used up its tries") -> None:
        super().__init__(f"the processes that ran this picture died, each time; the last one: {reason}")
        self.reason = reason


class Internal(AugmentationError):
    """A fault of this system, not of the picture; the worker's log has the trace."""

    def __init__(self) -> None:
        super().__init__("the picture could not be run because of an internal error")


class Unavailable(AugmentationError):
    """A part this one needs does not answer; the call may be repeated."""

    retryable = True


class LedgerUnavailable(Unavailable):
    """The database does not answer, or whether it did what was asked is unknown; repeating is safe."""

    def __init__(self, reason: str = "no answer") -> None:
        super().__init__(f"the database is unavailable: {reason}")


class StoreUnavailable(Unavailable):
    """The object store does not answer; repeating is safe."""

    def __init__(self, reason: str = "no answer") -> None:
        super().__init__(f"the object store is unavailable: {reason}")


class StorageFull(Unavailable):
    """The object store has no room; repeating is safe and may succeed when there is."""

    def __init__(self, reason: str = "") -> None:
        super().__init__("the object store is full" + (f": {reason}" if reason else ""))
