"""What a worker and a process of its sandbox say to each other.

A request is pickled: the worker is trusted. An answer is not: it is a JSON header and bytes, read within bounds, and all
that it says is checked against what was asked for.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from batching.errors import Internal
from batching.execute import Lacking, Ran, Work
from batching.items import Encoded, Failed
from kernels.codec import Limits
from kernels.errors import AugmentationError

MOST_HEADER = 64 * 2**20
"""Bytes of a header: the draws and labels of all variants."""
MOST_DETAIL = 2000
BYTES_A_PIXEL, BYTES_A_PICTURE = 8, 2**20
"""No picture file of ours is larger than this for each pixel, and this for what is not pixels."""
_LENGTH = struct.Struct("!Q")


class Garbled(Exception):
    """The other side ended too early, or says what cannot be."""


@dataclass(frozen=True)
class Rules:
    """What holds for every request of a worker; sent once, when it comes to the sandbox."""

    limits: Limits
    max_output_pixels: int
    item_timeout_s: float
    memory_bytes: int
    failpoints: str = ""


@dataclass(frozen=True)
class RunAsked:
    """Take an item all the way, on the CPU."""

    work: Work


@dataclass(frozen=True)
class DecodeAsked:
    """Decode one picture."""

    content: bytes
    alpha: Literal["drop", "keep"]


Asked = RunAsked | DecodeAsked
Answer = tuple[Mapping[str, Any], Sequence[bytes | memoryview]]
"""A header, and the bytes that go with it."""


def send(channel: socket.socket, asked: Asked) -> None:
    """Sends a request."""
    content = pickle.dumps(asked, protocol=pickle.HIGHEST_PROTOCOL)
    channel.sendall(_LENGTH.pack(len(content)))
    channel.sendall(content)


def receive(channel: socket.socket) -> Asked:
    """The request."""
    asked: Asked = pickle.loads(_exactly(channel, *_LENGTH.unpack(_exactly(channel, _LENGTH.size))))  # noqa: S301  # the worker's
    return asked


def send_answer(channel: socket.socket, answer: Answer) -> None:
    """Sends an answer."""
    header, contents = answer
    text = json.dumps(header).encode()
    channel.sendall(_LENGTH.pack(len(text)) + text)
    for content in contents:
        channel.sendall(content)


def ran(result: Ran | Failed | Lacking) -> Answer:
    """The answer that says what became of an item."""
    match result:
        case Failed(_, code, detail):
            return {"failed": code, "detail": detail}, ()
        case Lacking(_, partner):
            return {"lacking": f"{partner:016x}"}, ()
        case Ran(_, outputs):
            described = [
                {
                    "bytes": len(output.content),
                    "width": output.width,
                    "height": output.height,
                    "draws": output.draws,
                    "labels": output.labels,
                }
                for output in outputs
            ]
            return {"outputs": described}, [output.content for output in outputs]


def decoded(pixels: NDArray[np.uint8] | AugmentationError) -> Answer:
    """The answer that says what a picture decodes to, or why it does not."""
    if isinstance(pixels, AugmentationError):
        return {"failed": pixels.code, "detail": pixels.message}, ()
    return {"shape": pixels.shape}, [np.ascontiguousarray(pixels).data.cast("B")]


def receive_ran(channel: socket.socket, work: Work, most_pixels: int) -> Ran | Failed | Lacking:
    """What became of an item. Errors: Garbled, OSError."""
    item, header = work.item, _header(channel)
    if "failed" in header:
        error = _error(header)
        return Failed(item, error.code, error.message)
    try:
        if "lacking" in header:
            partner = int(header["lacking"], 16)
            if partner not in work.guests:
                raise Garbled("a partner that was not given")
            return Lacking(item, partner)
        outputs, left = header["outputs"], BYTES_A_PIXEL * most_pixels
        if len(outputs) != item.variants:
            raise Garbled(f"{len(outputs)} outputs for {item.variants} variants")
        made = []
        for variant, output in enumerate(outputs):
            width, height, size = int(output["width"]), int(output["height"]), int(output["bytes"])
            left -= size
            if not (0 < width * height <= most_pixels and size > 0 and left > -BYTES_A_PICTURE * item.variants):
                raise Garbled("an output of impossible size")
            content = bytes(_exactly(channel, size))
            made.append(
                Encoded(
                    variant=variant,
                    content=content,
                    sha256=hashlib.sha256(content).hexdigest(),
                    width=width,
                    height=height,
                    format=item.recipe.output.format,
                    draws=tuple(dict(draw) for draw in output["draws"]),
                    labels=None if output["labels"] is None else dict(output["labels"]),
                )
            )
        return Ran(item, tuple(made))
    except (KeyError, TypeError, ValueError) as error:
        raise Garbled(f"a header of another shape: {error!r}") from error


def receive_decoded(channel: socket.socket, limits: Limits) -> NDArray[np.uint8]:
    """The pixels. Errors: what the decoder raised, Garbled, OSError."""
    header = _header(channel)
    if "failed" in header:
        raise _error(header)
    try:
        height, width, planes = map(int, header["shape"])
    except (KeyError, TypeError, ValueError) as error:
        raise Garbled("pixels without a shape") from error
    if not (0 < height <= limits.max_side and 0 < width <= limits.max_side and planes in (3, 4)):
        raise Garbled("pixels of impossible shape")
    if height * width > limits.max_pixels:
        raise Garbled("more pixels than may be")
    return np.frombuffer(_exactly(channel, height * width * planes), np.uint8).reshape(height, width, planes)


def _header(channel: socket.socket) -> dict[str, Any]:
    (length,) = _LENGTH.unpack(_exactly(channel, _LENGTH.size))
    if length > MOST_HEADER:
        raise Garbled("a header of impossible size")
    try:
        header = json.loads(_exactly(channel, length))
    except ValueError as error:
        raise Garbled("a header that is no JSON") from error
    if not isinstance(header, dict):
        raise Garbled("a header that is no object")
    return header


def _error(header: Mapping[str, Any]) -> AugmentationError:
    """The error that the other side reports: one of ours, by its code, with its message."""
    known = {found.code: found for found in _subclasses(AugmentationError)}
    kind = known.get(str(header["failed"]), Internal)
    error = kind.__new__(kind)
    AugmentationError.__init__(error, str(header.get("detail", ""))[:MOST_DETAIL])
    return error


def _subclasses(kind: type[AugmentationError]) -> list[type[AugmentationError]]:
    return [found for child in kind.__subclasses__() for found in (child, *_subclasses(child))]


def _exactly(channel: socket.socket, length: int) -> bytearray:
    content = bytearray(length)
    view, filled = memoryview(content), 0
    while filled < length:
        received = channel.recv_into(view[filled:])
        if not received:
            raise Garbled("the other side ended too early")
        filled += received
    return content
