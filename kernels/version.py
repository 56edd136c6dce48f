"""engine_version: the name of everything that decides a result's bytes."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_LIBRARIES = (
    "torch",
    "torchvision",
    "kornia",
    "numpy",
    "numba",
    "llvmlite",
    "opencv-python-headless",
    "simplejpeg",
    "pillow",
)


@cache
def engine_version(device: str, codec: str = "cpu") -> str:
    """At most 64 characters, such as `1a2b3c4d5e6f7a8b-cpu-avx512`: results of one engine version have the same bytes.

    16 hex digits of SHA-256 over the kernels' sources and the versions of libraries and codecs, then the kind of device
    and the class of CPU, by which torch and OpenCV choose vector instructions that may round differently (compiled kernels
    give the same bytes with AVX2 and with AVX-512); then the codec, if it is a GPU's.
    """
    from kernels.codec import CODEC_VERSION

    digest = hashlib.sha256(CODEC_VERSION.encode())
    root = Path(__file__).parent
    for source in sorted(root.rglob("*.py")):
        digest.update(f"\n{source.relative_to(root).as_posix()}\n".encode())
        digest.update(source.read_bytes())
    for library in _LIBRARIES:
        digest.update(f"\n{library} {version(library)}".encode())
    if _device_kind(device) != "cpu":
        digest.update(f"\ntriton {_triton_version()}".encode())
    name = f"{digest.hexdigest()[:16]}-{_device_kind(device)}-{cpu_class()}"
    return f"{name}-{codec}"[:64] if codec != "cpu" else name[:64]


def _triton_version() -> str:
    try:
        return version("triton")
    except PackageNotFoundError:
        return "none"


def cpu_class() -> str:
    """The vector instructions torch uses here, such as `avx512` or `avx2`; the machine's name where it has none."""
    import torch

    capability = torch.backends.cpu.get_cpu_capability().lower()
    return platform.machine() if capability == "default" else capability


def _device_kind(device: str) -> str:
    """`cpu`, or the CUDA device's compute capability, as `cuda90`."""
    import torch

    kind = torch.device(device)
    if kind.type != "cuda":
        return kind.type
    major, minor = torch.cuda.get_device_capability(kind)
    return f"cuda{major}{minor}"
