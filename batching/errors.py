"""What can go wrong around a picture: its bytes are gone, or a part that the work needs does not answer."""

from __future__ import annotations

from kernels.errors import AugmentationError


class Unreachable(AugmentationError):
    """Parent of what another moment, or another machine, may not meet: the work is tried again."""

    retryable = True


class SourceMissing(AugmentationError):
    """The object store has nothing under the key of a picture's bytes."""

    def __init__(self, key: str) -> None:
        super().__init__("the picture's bytes are no longer stored")
        self.key = key


class StoreUnavailable(Unreachable):
    """The object store does not answer, or answers with an error."""

    def __init__(self, reason: str) -> None:
        super().__init__("the object store is not available")
        self.reason = reason


class StorageFull(Unreachable):
    """The object store has no room for more bytes."""

    def __init__(self, reason: str) -> None:
        super().__init__("the object store is full")
        self.reason = reason


class DatabaseUnavailable(Unreachable):
    """PostgreSQL does not answer in time, refuses connections, or lost the one that was used."""

    def __init__(self, reason: str) -> None:
        super().__init__("the database is not available")
        self.reason = reason
