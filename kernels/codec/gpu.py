"""JPEG on a GPU: which pictures it serves, decoders by nvJPEG and nvImageCodec, and the probe that trusts one or not.

Which codec serves a picture is a function of its header and of configuration, never of load: codecs differ in their bytes.
Both repair damaged data silently where the CPU codec refuses it, and so are never chosen unless configured.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from kernels.codec import jpeg
from kernels.codec.decode import decode
from kernels.codec.encode import encode
from kernels.codec.exif import upright
from kernels.codec.limits import Limits
from kernels.codec.probe import format_of
from kernels.errors import UNINTELLIGIBLE, DeviceLost, DeviceOutOfMemory, ImageCorrupt
from kernels.recipe import Output

log = logging.getLogger(__name__)
Bytes = NDArray[np.uint8]
Name = Literal["cpu", "nvjpeg", "nvimagecodec"]
_BASELINE = 0xC0
_SAMPLINGS = {(0x11, 0x11, 0x11), (0x21, 0x11, 0x11), (0x22, 0x11, 0x11)}
"""4:4:4, 4:2:2 and 4:2:0."""
_END = b"\xff\xd9"
_CLOSE = 24.0
"""Most that two decoders may differ in one value: they upsample colour another way, and round otherwise."""
_MEAN = 2.0


@dataclass(frozen=True)
class GpuCodecs:
    """What is configured."""

    jpeg: Name = "cpu"
    """What decodes JPEG pictures that it can."""
    min_pixels: int = 128 * 128
    """Pixels below which the CPU is asked all the same: a launch costs more than it saves."""


class Codec(Protocol):
    """A decoder of JPEG files, called from several threads."""

    name: str

    def decode(self, content: bytes) -> Bytes:
        """(H, W, 3) uint8 RGB as stored, before orientation. ImageCorrupt if it cannot be decoded."""


def serves(header: jpeg.Header, config: GpuCodecs) -> Name:
    """Which codec decodes a JPEG with this header: one answer for one picture, on every machine so configured.

    A GPU's codec, if configured, gets baseline YCbCr in 4:4:4, 4:2:2 or 4:2:0 without an embedded profile.
    """
    fits = (
        header.process == _BASELINE
        and header.sampling in _SAMPLINGS
        and header.profile is None
        and not header.adobe
        and header.width * header.height >= config.min_pixels
    )
    return config.jpeg if fits else "cpu"


class NvJpeg:
    """nvJPEG through torchvision, on one device."""

    name = "nvjpeg"

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def decode(self, content: bytes) -> Bytes:
        from torchvision.io import ImageReadMode, decode_jpeg

        data = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        # the decoder writes without waiting for the stream: whatever used the memory it is given must be over by now
        torch.cuda.current_stream(self._device).synchronize()
        try:
            pixels: torch.Tensor = decode_jpeg(data, ImageReadMode.RGB, device=self._device)
        except torch.OutOfMemoryError as error:
            raise DeviceOutOfMemory(str(self._device)) from error
        except torch.AcceleratorError as error:
            raise DeviceLost(str(self._device), str(error).splitlines()[0]) from error
        except RuntimeError as error:
            raise ImageCorrupt(UNINTELLIGIBLE) from error
        return pixels.permute(1, 2, 0).contiguous().cpu().numpy()

    def encode(self, pixels: Bytes, quality: int) -> bytes:
        """A baseline JPEG of (H, W, 3) uint8 RGB."""
        from torchvision.io import encode_jpeg

        planes = torch.from_numpy(pixels).permute(2, 0, 1).contiguous().to(self._device)
        torch.cuda.current_stream(self._device).synchronize()
        encoded: torch.Tensor = encode_jpeg(planes, quality)
        return encoded.cpu().numpy().tobytes()


class NvImageCodec:
    """nvImageCodec (extra `gpu-codecs`), on one device. ImportError where it is not installed."""

    name = "nvimagecodec"

    def __init__(self, device: torch.device) -> None:
        from nvidia import nvimgcodec

        self._device = device
        # its decoders are not said to be safe for threads
        self._threads = threading.local()
        self._make: Callable[[], Any] = partial(nvimgcodec.Decoder, device_id=device.index or 0)

    def decode(self, content: bytes) -> Bytes:
        if not hasattr(self._threads, "decoder"):
            self._threads.decoder = self._make()
        torch.cuda.current_stream(self._device).synchronize()
        image = self._threads.decoder.decode(content)
        if image is None:
            raise ImageCorrupt(UNINTELLIGIBLE)
        return np.array(image.cpu(), np.uint8)


def decode_with(codec: Codec, content: bytes, alpha: Literal["drop", "keep"], limits: Limits, config: GpuCodecs) -> Bytes:
    """As `kernels.codec.decode`, by `codec` where `serves` says so. A file that does not end like a JPEG is the CPU's."""
    if format_of(content, limits) != "jpeg" or not content.endswith(_END):
        return decode(content, alpha=alpha, limits=limits)
    header = jpeg.header(content, limits)
    if serves(header, config) != codec.name:
        return decode(content, alpha=alpha, limits=limits)
    pixels = codec.decode(jpeg.without_metadata(content, header))
    if pixels.shape != (header.height, header.width, 3):
        raise ImageCorrupt("the decoded picture has other sides than the header says")
    return np.ascontiguousarray(upright(pixels, header.orientation))


def trusted(config: GpuCodecs, device: torch.device, codec: Codec | None = None) -> Codec | None:
    """The configured codec, if it decodes a picture here as the CPU does; None where the CPU serves. Logs which it is.

    codec: what is probed instead of the configured one.
    """
    if config.jpeg == "cpu":
        return None
    if codec is None and device.type != "cuda":
        log.warning("%s is configured, but pictures run on %s: the CPU decodes", config.jpeg, device)
        return None
    content = encode(_sample(), Output(format="jpeg", quality=95))
    try:
        codec = codec or (NvJpeg(device) if config.jpeg == "nvjpeg" else NvImageCodec(device))
        found, expected = codec.decode(content), decode(content)
    except Exception as error:  # whatever a driver, a library or a file of them lacks
        log.warning("%s fails here (%s): the CPU decodes", config.jpeg, error)
        return None
    off = np.abs(found.astype(np.int16) - expected) if found.shape == expected.shape else np.array([255])
    if off.max() > _CLOSE or off.mean() > _MEAN:
        log.warning(
            "%s decodes a picture otherwise than the CPU, by up to %d levels: the CPU decodes", codec.name, off.max()
        )
        return None
    log.info("%s decodes JPEG pictures that it can", codec.name)
    return codec


def _sample() -> Bytes:
    """A soft picture that every decoder should agree on."""
    y, x = np.mgrid[0:64, 0:96]
    return np.stack([2 * x + y // 2, 3 * y, 255 - 2 * x], axis=-1).astype(np.uint8)
