"""What can go wrong with a picture, a recipe or a device; one class per code of the REST contract.

The class writes the message from the facts it is given and keeps them as attributes. `code` is the class name in
snake_case: clients store it, so it never changes. Which HTTP status a code has is decided in `service/errors.py`.
"""

from __future__ import annotations

import re
from typing import ClassVar

_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class AugmentationError(Exception):
    """Parent of every error of this system that has a code."""

    code: ClassVar[str] = "augmentation_error"
    retryable: ClassVar[bool] = False

    def __init_subclass__(cls, **arguments: object) -> None:
        super().__init_subclass__(**arguments)
        cls.code = _BOUNDARY.sub("_", cls.__name__).lower()

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InputError(AugmentationError):
    """The caller's: the same input fails again, so it is never retried."""

    pointer: str | None = None
    limit: int | float | None = None
    item: str | None = None
    """The caller's name of the picture that is meant, where there are several."""


class DeviceError(AugmentationError):
    """The machine's: another try, or another machine, may succeed."""

    retryable = True


class RecipeInvalid(InputError):
    """A step of the recipe has an unknown field, a value out of range, or does not fit the picture."""

    def __init__(self, reason: str, pointer: str = "") -> None:
        super().__init__(f"{pointer or '/'}: {reason}")
        self.reason, self.pointer = reason, pointer


class UnknownOp(InputError):
    """A step names an operation that is not in the catalogue (`augment ops` lists it).

    called_here: what the catalogue calls an operation that another library has under this name.
    """

    def __init__(self, name: str, pointer: str, near: tuple[str, ...] = (), called_here: tuple[str, ...] = ()) -> None:
        hint = "; `GET /v1/ops` lists the catalogue"
        if called_here:
            hint = f"; it is called {' or '.join(called_here)} here, and its fields may differ"
        elif near:
            hint = f"; did you mean {' or '.join(near)}?"
        super().__init__(f"{pointer}: there is no operation {name!r}{hint}")
        self.name, self.pointer, self.near, self.called_here = name, pointer, near, called_here


class LabelInvalid(InputError):
    """Labels are not of the documented shape, or do not fit their picture."""

    def __init__(self, reason: str, pointer: str = "") -> None:
        super().__init__(f"{pointer}: {reason}" if pointer else reason)
        self.reason, self.pointer = reason, pointer


class LabelAmbiguous(InputError):
    """A label file may mean two things, or may belong to two pictures; nothing is guessed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnsupportedFormat(InputError):
    """The bytes are not a picture of a supported format, whatever their name or declared type says."""

    def __init__(self, found: str = "not a picture", supported: str = "JPEG, PNG, WebP, GIF, BMP, TIFF and AVIF") -> None:
        super().__init__(f"{found}; supported are {supported}")
        self.found = found


class PayloadTooLarge(InputError):
    """The file has more bytes than the limit; the service refuses it while it is still being sent."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"the file has {size} bytes; at most {limit} are allowed")
        self.size, self.limit = size, limit


UNINTELLIGIBLE = "the decoder can make nothing of it"
"""What is said where a library gave up: its own words, which may hold anything, are the exception's cause and no more."""


class ImageUnreadable(InputError):
    """The file starts like a picture, but its header cannot be read."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the picture's header cannot be read: {reason}")
        self.reason = reason


class ImageTruncated(InputError):
    """The file ends before the picture does; it is refused, never filled up."""

    def __init__(self, reason: str = "the file ends before its last row") -> None:
        super().__init__(f"the picture is cut short: {reason}")
        self.reason = reason


class ImageCorrupt(InputError):
    """The compressed data contradicts itself (a bad checksum, Huffman code or chunk)."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the picture's data is damaged: {reason}")
        self.reason = reason


class ImageDimensions(InputError):
    """A side is zero or longer than the limit."""

    def __init__(self, width: int, height: int, limit: int) -> None:
        super().__init__(f"the picture is {width} x {height}; each side must have 1 to {limit} pixels")
        self.width, self.height, self.limit = width, height, limit


class ImageTooManyPixels(InputError):
    """The picture has more pixels than the limit; refused from its header, before anything is decoded."""

    def __init__(self, width: int, height: int, limit: int) -> None:
        super().__init__(f"the picture is {width} x {height} = {width * height} pixels; at most {limit} are allowed")
        self.width, self.height, self.limit = width, height, limit


class ImageMetadata(InputError):
    """Metadata (a text chunk, a colour profile) is larger than any honest picture needs."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the picture's metadata is refused: {reason}")
        self.reason = reason


class TooManyFrames(InputError):
    """The file holds more frames, pages or JPEG scans than may be read for one picture."""

    def __init__(self, frames: int, limit: int, what: str = "frames") -> None:
        super().__init__(f"the file holds {frames} {what}; at most {limit} are allowed")
        self.frames, self.limit = frames, limit


class WorkTooLarge(InputError):
    """The asked variants of this picture, with the pictures that they mix in, add up to more than one item may make."""

    def __init__(self, pixels: int, limit: int) -> None:
        super().__init__(
            f"the variants of one picture, and what they mix in, add up to {pixels} pixels; at most {limit} are allowed"
        )
        self.pixels, self.limit = pixels, limit


class DeviceOutOfMemory(DeviceError):
    """The device has too little memory for this micro-batch; it is run again in halves."""

    def __init__(self, device: str) -> None:
        super().__init__(f"{device} is out of memory")
        self.device = device


class DeviceLost(DeviceError):
    """The device no longer answers; the worker leaves and its items go back."""

    def __init__(self, device: str, reason: str) -> None:
        super().__init__(f"{device} is lost: {reason}")
        self.device, self.reason = device, reason
