"""Which codec serves a picture, and when a GPU's codec is trusted. On a machine with a GPU, nvJPEG itself."""

from __future__ import annotations

import io
import logging
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from kernels.codec import Limits, decode, jpeg
from kernels.codec.gpu import GpuCodecs, NvJpeg, decode_with, serves, trusted
from kernels.errors import ImageCorrupt, ImageTruncated
from kernels.version import engine_version
from tests.helpers.pictures import make_photo

NVJPEG = GpuCodecs(jpeg="nvjpeg")
LIMITS = Limits()


class Marked:
    """A codec that can be told apart: it decodes as the CPU does, and everything is off by a few levels."""

    name = "nvjpeg"

    def __init__(self, off: int = 1) -> None:
        self._off = off

    def decode(self, content: bytes) -> NDArray[np.uint8]:
        return (np.minimum(decode(content), 255 - self._off) + self._off).astype(np.uint8)


def file(mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(make_photo("astronaut", 150, 200)).convert(mode).save(buffer, "JPEG", quality=90, **options)
    return buffer.getvalue()


def served(content: bytes, config: GpuCodecs = NVJPEG) -> str:
    return serves(jpeg.header(content, LIMITS), config)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_baseline_colour_is_served_in_every_usual_sampling(subsampling: int) -> None:
    assert served(file(subsampling=subsampling)) == "nvjpeg"
    assert served(file(subsampling=subsampling), GpuCodecs()) == "cpu"


def test_all_else_is_the_cpus() -> None:
    assert served(file(progressive=True)) == "cpu"
    assert served(file("L")) == "cpu"
    assert served(file("CMYK")) == "cpu"
    assert served(file(icc_profile=b"x" * 200)) == "cpu"
    assert served(file(), replace(NVJPEG, min_pixels=200 * 150 + 1)) == "cpu"
    assert served(file(), replace(NVJPEG, min_pixels=200 * 150)) == "nvjpeg"


def test_a_picture_is_decoded_by_who_serves_it() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned, progressive = file(exif=exif), file(progressive=True)
    assert np.array_equal(decode_with(Marked(), turned, "drop", LIMITS, NVJPEG), np.minimum(decode(turned), 254) + 1)
    assert np.array_equal(decode_with(Marked(), progressive, "drop", LIMITS, NVJPEG), decode(progressive))
    assert np.array_equal(decode_with(Marked(), turned, "drop", LIMITS, GpuCodecs()), decode(turned))


def test_a_file_that_is_cut_off_is_refused_as_ever() -> None:
    with pytest.raises(ImageTruncated):
        decode_with(Marked(), file()[:-500], "drop", LIMITS, NVJPEG)


def test_a_picture_of_other_sides_is_refused() -> None:
    class Wrong(Marked):
        def decode(self, content: bytes) -> NDArray[np.uint8]:
            return super().decode(content)[:-1]

    with pytest.raises(ImageCorrupt):
        decode_with(Wrong(), file(), "drop", LIMITS, NVJPEG)


def test_a_codec_is_trusted_if_it_decodes_as_the_cpu_does(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Marked):
        def decode(self, content: bytes) -> NDArray[np.uint8]:
            raise RuntimeError("no driver")

    device = torch.device("cuda")
    good = Marked(1)
    with caplog.at_level(logging.INFO):
        assert trusted(NVJPEG, device, good) is good
        assert trusted(NVJPEG, device, Marked(30)) is None
        assert trusted(NVJPEG, device, Broken()) is None
        assert trusted(NVJPEG, torch.device("cpu")) is None
        assert trusted(GpuCodecs(), device, good) is None
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING", "WARNING", "WARNING"]
    assert "no driver" in caplog.text


def test_a_codec_that_is_not_installed_leaves_the_cpu(caplog: pytest.LogCaptureFixture) -> None:
    if find_spec("nvidia") is not None and find_spec("nvidia.nvimgcodec") is not None:
        pytest.skip("nvImageCodec is installed")
    assert trusted(GpuCodecs(jpeg="nvimagecodec"), torch.device("cuda")) is None
    assert "nvimagecodec fails here" in caplog.text


def test_the_engine_version_names_the_codec() -> None:
    assert engine_version("cpu", "nvjpeg") == f"{engine_version('cpu')}-nvjpeg"


def test_nvjpeg_is_trusted_here() -> None:
    if not torch.cuda.is_available():
        pytest.skip("this machine has no CUDA device")
    device = torch.device("cuda")
    codec = trusted(NVJPEG, device)
    assert isinstance(codec, NvJpeg)
    pixels = make_photo("astronaut", 256, 256)
    assert np.abs(decode(codec.encode(pixels, 95)).astype(int) - pixels).mean() < 6
