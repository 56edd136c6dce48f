"""What files cost: decoding and encoding by `kernels.codec` beside the libraries it could be, same pictures, one thread.

python -m benchmarks.codec [--rounds 7] [--pictures 16] [--side 512 --side 224] [--json FILE]
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
import torch
from PIL import Image
from torchvision.io import ImageReadMode, decode_jpeg, decode_png, decode_webp, encode_jpeg, encode_png

from benchmarks.kernels.measure import Taken, Watch, watch
from benchmarks.kernels.pictures import Pixels, photographs
from benchmarks.kernels.report import console, document_of, table_of
from benchmarks.machine import facts
from kernels import codec
from kernels.recipe import Output

QUALITY = 90
_CV2_QUALITY = {"jpeg": cv2.IMWRITE_JPEG_QUALITY, "webp": cv2.IMWRITE_WEBP_QUALITY}
_SUFFIX = {"jpeg": ".jpg", "png": ".png", "webp": ".webp"}
Encode = Callable[[Pixels], bytes]
Decode = Callable[[bytes], object]
"""What it gives has RGB pixels of 8 bits, in the memory and the order of the library."""


def encoders(form: str) -> Mapping[str, Encode]:
    """Every way to write a file of that format, ours as `kernels`."""
    output = Output.model_validate({"format": form, "quality": QUALITY})
    flags = [_CV2_QUALITY[form], QUALITY] if form in _CV2_QUALITY else []
    ways: dict[str, Encode] = {
        "kernels": lambda pixels: codec.encode(pixels, output),
        "opencv": lambda pixels: cv2.imencode(_SUFFIX[form], cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), flags)[1].tobytes(),
        "pillow": lambda pixels: _saved(pixels, form),
    }
    if form == "jpeg":
        ways["simplejpeg"] = lambda pixels: simplejpeg.encode_jpeg(pixels, QUALITY, "RGB", "420")
        ways["torchvision"] = lambda pixels: encode_jpeg(_planes(pixels), QUALITY)
    if form == "png":
        ways["torchvision"] = lambda pixels: encode_png(_planes(pixels))
    return ways


def decoders(form: str) -> Mapping[str, Decode]:
    """Every way to read a file of that format, ours as `kernels`, which checks that the file is whole."""
    ways: dict[str, Decode] = {
        "kernels": codec.decode,
        "opencv": lambda content: cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB),
        "pillow": lambda content: np.asarray(Image.open(io.BytesIO(content)).convert("RGB")),
    }
    torchvision = {"jpeg": decode_jpeg, "png": decode_png, "webp": decode_webp}[form]
    ways["torchvision"] = lambda content: torchvision(
        torch.frombuffer(bytearray(content), dtype=torch.uint8), mode=ImageReadMode.RGB
    )
    if form == "jpeg":
        ways["simplejpeg"] = lambda content: simplejpeg.decode_jpeg(content, "RGB")
    return ways


def measured(clock: Watch, sides: Sequence[int]) -> dict[str, dict[str, Taken]]:
    """Decoding and encoding of each format at each side, by every way."""
    found: dict[str, dict[str, Taken]] = {}
    photos = photographs(clock.pictures)
    for side in sides:
        pictures = [np.asarray(cv2.resize(photo, (side, side), interpolation=cv2.INTER_AREA), np.uint8) for photo in photos]
        for form in _SUFFIX:
            files = [encoders(form)["kernels"](picture) for picture in pictures]
            subjects: dict[str, dict[str, Callable[[], object]]] = {
                f"decode {form} {side}": {name: _each(clock, way, files) for name, way in decoders(form).items()},
                f"encode {form} {side}": {name: _each(clock, way, pictures) for name, way in encoders(form).items()},
            }
            found |= {subject: clock.timed(subject, ways) for subject, ways in subjects.items()}
    return found


def _each(clock: Watch, way: Callable[..., object], values: Sequence[object]) -> Callable[[], None]:
    return lambda: clock.each(lambda number: way(values[number]))


def _planes(pixels: Pixels) -> torch.Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def _saved(pixels: Pixels, form: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form, quality=QUALITY)
    return stream.getvalue()


def main(arguments: Sequence[str]) -> None:
    """Prints the table and writes the report."""
    asked = _arguments(arguments)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    known = facts(("simplejpeg", "opencv-python-headless", "pillow", "torchvision"))
    with watch(asked.pictures, asked.rounds, 1) as clock:
        clock.expect(len(asked.side) * sum(len(decoders(form)) + len(encoders(form)) for form in _SUFFIX))
        taken = measured(clock, asked.side)
    console().print(table_of(f"Codecs, quality {QUALITY}", taken, "cpu_us"))
    report = {**known, "rounds": asked.rounds, "pictures": asked.pictures, "codecs": document_of(taken)}
    if asked.json:
        asked.json.write_text(json.dumps(report, indent=2) + "\n")


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.codec", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each measurement, one more to warm up")
    parser.add_argument("--pictures", type=int, default=16, help="distinct pictures of a round")
    parser.add_argument("--side", type=int, action="append", help="pixels a side; may be repeated (512 and 224)")
    parser.add_argument("--json", type=Path, help="write the report here too")
    asked = parser.parse_args(arguments)
    asked.side = asked.side or [512, 224]
    return asked


if __name__ == "__main__":
    main(sys.argv[1:])
