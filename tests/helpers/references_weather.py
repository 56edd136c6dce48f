"""What weather, files and things in front of the picture mean; see `references`. Noise is made number by number here."""

from __future__ import annotations

import colorsys
import io
import math
from typing import Any

import numpy as np
import scipy.ndimage
from PIL import Image, ImageDraw, ImageFont

from kernels.plan import PlannedStep
from tests.helpers.references import Levels, Pixels, Reference, limited
from tests.helpers.references_noise import normal, word


def number(place: int, channel: int, step: PlannedStep) -> float:
    return ((word(place, channel, step.noise_seed) >> 9) + 0.5) / 2**23


def numbers(count: int, channel: int, step: PlannedStep) -> list[float]:
    return [number(place, channel, step) for place in range(count)]


def veiled(pixels: Any, opacity: Any, color: Any) -> Levels:
    share = np.asarray(opacity)[..., None]
    return (1 - share) * pixels + share * 255 * np.array(color)


def turbulence(pixels: Pixels, step: PlannedStep, cells: tuple[float, float], octaves: int, fading: float = 0.5) -> Levels:
    """Value noise: of each octave a number for every lattice point, and an S-shaped way from each to the next."""
    height, width = pixels.shape[:2]
    known: dict[tuple[int, int, int], float] = {}

    def lattice(column: int, row: int, octave: int) -> float:
        if (column, row, octave) not in known:
            known[column, row, octave] = number(row * 2**15 + column, octave, step)
        return known[column, row, octave]

    def layer(x: float, y: float, octave: int) -> float:
        across, down = (place / max(cell / 2**octave, 2.0) for place, cell in zip((x, y), cells, strict=True))
        column, row = int(across), int(down)
        s, t = (3 * share**2 - 2 * share**3 for share in (across - column, down - row))
        upper = (1 - s) * lattice(column, row, octave) + s * lattice(column + 1, row, octave)
        lower = (1 - s) * lattice(column, row + 1, octave) + s * lattice(column + 1, row + 1, octave)
        return (1 - t) * upper + t * lower

    weights = [fading**octave for octave in range(octaves)]
    return np.array(
        [
            [
                sum(weight * layer(x + 0.5, y + 0.5, octave) for octave, weight in enumerate(weights)) / sum(weights)
                for x in range(width)
            ]
            for y in range(height)
        ]
    )


def between(values: Any, low: float, high: float) -> Levels:
    t = np.clip((np.asarray(values) - low) / (high - low), 0, 1)
    return 3 * t**2 - 2 * t**3


def fog(pixels: Pixels, step: PlannedStep) -> Levels:
    fields: Any = step.fields
    cell = fields["scale"] * max(pixels.shape[:2])
    thin = np.clip(1.5 - 2 * turbulence(pixels, step, (cell, cell), 4), 0, 1)
    return veiled(pixels, fields["density"] * (1 - fields["patchiness"] * thin), fields["color"])


def clouds(pixels: Pixels, step: PlannedStep) -> Levels:
    fields: Any = step.fields
    cell = fields["scale"] * max(pixels.shape[:2])
    edge, half = 0.75 - fields["cover"] / 2, 0.02 + 0.15 * fields["softness"]
    cloud = between(turbulence(pixels, step, (cell, cell), 4), edge - half, edge + half)
    return veiled(pixels, fields["opacity"] * cloud, (1, 1, 1))


def sand(pixels: Pixels, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    fields: Any = step.fields
    thin = np.clip(1.5 - 2 * turbulence(pixels, step, (0.5 * width, 0.06 * height), 3), 0, 1)
    covered = veiled(pixels, fields["density"] * (1 - thin / 2), fields["color"])
    grains = [[normal(y * width + x, 0, step.noise_seed) for x in range(width)] for y in range(height)]
    return limited(covered + 255 * fields["grain"] * np.array(grains)[..., None])


def frost(pixels: Pixels, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    fields: Any = step.fields
    cell = fields["scale"] * min(height, width)
    veins = np.maximum(1 - 5 * np.abs(turbulence(pixels, step, (cell, cell), 4, 0.6) - 0.5), 0)
    y, x = np.mgrid[0:height, 0:width] + 0.5
    edge = np.maximum(np.abs(2 * x / width - 1), np.abs(2 * y / height - 1))
    ice = between(edge + veins / 2, 1.3 - 1.2 * fields["amount"], 1.7 - 1.2 * fields["amount"]) * (0.6 + 0.4 * veins)
    return veiled(pixels, fields["opacity"] * ice, (0.87, 0.93, 1))


def spatter(pixels: Pixels, step: PlannedStep) -> Levels:
    fields: Any = step.fields
    cell = fields["scale"] * min(pixels.shape[:2])
    noise = turbulence(pixels, step, (cell, cell), 3)
    values = np.sort(noise.ravel())
    place = (1 - fields["cover"]) * (len(values) - 1)
    before = min(int(place), len(values) - 1)
    edge = values[before] + (place - before) * (values[min(before + 1, len(values) - 1)] - values[before])
    blobs = between(noise, edge - 0.01, edge + 0.01)
    if fields["liquid"] == "water":
        blobs = blobs * (1 - 0.8 * between(noise, edge, edge + 0.1))
        return veiled(pixels, fields["opacity"] * blobs, (0.75, 0.86, 0.9))
    return veiled(pixels, fields["opacity"] * blobs, (0.25, 0.17, 0.08))


def rain(pixels: Pixels, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    fields: Any = step.fields
    longest, wide = fields["length"] * min(height, width), max(fields["width"] * min(height, width), 1)
    lean = math.tan(math.radians(fields["degrees"]))
    aside = abs(lean) * longest
    shown = np.zeros((height, width))
    drawn = zip(*(numbers(fields["drops"], channel, step) for channel in range(4)), strict=True)
    columns = np.arange(width) + 0.5
    for across, down, size, strength in drawn:
        x, y = across * (width + 2 * aside) - aside, down * (height + longest) - longest
        length = longest * (1 + size) / 2
        for row in range(height):
            if y <= row + 0.5 < y + length:
                away = np.abs(columns - (x + lean * (row + 0.5 - y)))
                covered = np.clip((wide + 1) / 2 - away, 0, 1)
                shown[row] = np.maximum(shown[row], covered * fields["opacity"] * (1 + strength) / 2)
    return veiled(pixels * (1 - fields["dim"]), shown, (0.82, 0.84, 0.88))


def snow(pixels: Pixels, step: PlannedStep) -> Levels:
    result = pixels.astype(np.float64)
    for place in np.ndindex(pixels.shape[:2]):
        h, light, s = colorsys.rgb_to_hls(*(pixels[place] / 255.0))
        if light > 1 - step.fields["amount"]:
            result[place] = np.array(colorsys.hls_to_rgb(h, min(light * step.fields["brightness"], 1.0), s)) * 255
    return result


def snowflakes(pixels: Pixels, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    fields: Any = step.fields
    largest = fields["size"] * min(height, width)
    soft = max(fields["softness"] * largest, 1)
    y, x = np.mgrid[0:height, 0:width] + 0.5
    shown = np.zeros((height, width))
    for across, down, near in zip(*(numbers(fields["flakes"], channel, step) for channel in range(3)), strict=True):
        distance = np.hypot(x - across * width, y - down * height)
        radius = largest / 2 * (0.1 + 0.9 * near**3)
        shown = np.maximum(shown, np.clip((radius - distance) / soft + 0.5, 0, 1))
    return veiled(pixels, fields["opacity"] * shown, (1, 1, 1))


def gravel(pixels: Pixels, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    fields: Any = step.fields
    y, x = np.mgrid[0:height, 0:width] + 0.5
    result = pixels.astype(np.float64)
    drawn = zip(*(numbers(fields["stones"], channel, step) for channel in range(4)), strict=True)
    for across, down, large, shade in drawn:
        middle_x, middle_y = across * width, height - fields["ground"] * height * down
        radius = fields["size"] * min(height, width) / 2 * (1 + 2 * large) / 3
        inside = np.clip(radius + 0.5 - np.hypot(x - middle_x, y - middle_y), 0, 1)[..., None]
        light = (0.25 + shade / 2) * (1 - 0.3 * (y - middle_y) / max(radius, 0.5))
        result += (255 * light[..., None] - result) * inside
    return limited(result)


def refiled(pixels: Pixels, form: str, quality: int) -> Pixels:
    """Written and read by Pillow, with settings that are the same as the codecs' own."""
    buffer = io.BytesIO()
    options = {"subsampling": 2} if form == "jpeg" else {"method": 4}
    Image.fromarray(pixels).save(buffer, form, quality=quality, **options)
    return np.asarray(Image.open(buffer).convert("RGB"))


def jpeg(pixels: Pixels, step: PlannedStep) -> Levels:
    return refiled(pixels, "jpeg", step.fields["quality"]).astype(np.float64)


def webp(pixels: Pixels, step: PlannedStep) -> Levels:
    return refiled(pixels, "webp", step.fields["quality"]).astype(np.float64)


def recompress(pixels: Pixels, step: PlannedStep) -> Levels:
    fields: Any = step.fields
    codecs = {"jpeg": ["jpeg"], "webp": ["webp"], "both": ["jpeg", "webp"]}[fields["codec"]]
    for place, fraction in enumerate(numbers(fields["passes"], 0, step)):
        quality = fields["quality"] + round((2 * fraction - 1) * fields["spread"])
        pixels = refiled(pixels, codecs[place % len(codecs)], max(1, min(100, quality)))
    return pixels.astype(np.float64)


def chromatic_aberration(pixels: Pixels, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    y, x = np.mgrid[0:height, 0:width] + 0.5
    right, down = x - width / 2, y - height / 2
    squared = (right**2 + down**2) / (math.hypot(height, width) / 2) ** 2
    planes = []
    for channel, k in enumerate((step.fields["red"], 0.0, step.fields["blue"])):
        u, v = width / 2 + right * (1 + k * squared), height / 2 + down * (1 + k * squared)
        plane = pixels[..., channel].astype(np.float64)
        planes.append(scipy.ndimage.map_coordinates(plane, [v - 0.5, u - 0.5], order=1, mode="nearest"))
    return np.stack(planes, axis=-1)


def pixel_jitter(pixels: Pixels, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    reach = step.fields["reach"]
    result = np.empty(pixels.shape)
    for y, x in np.ndindex(height, width):
        down, across = (int(number(y * width + x, channel, step) * (2 * reach + 1)) - reach for channel in (0, 1))
        result[y, x] = pixels[min(max(y + down, 0), height - 1), min(max(x + across, 0), width - 1)]
    return result


def text_overlay(pixels: Pixels, step: PlannedStep) -> Levels:
    """Written by Pillow onto a transparent sheet of the text's own size, which is pasted where it belongs."""
    height, width = pixels.shape[:2]
    fields: Any = step.fields
    text, font = fields["text"], ImageFont.load_default(100.0)
    box = font.getbbox(text)
    size = max(min(fields["size"] * min(height, width), 100 * width / max(box[2] - box[0], 1)), 1)
    font = ImageFont.load_default(size)
    left, top, right, bottom = font.getbbox(text)
    far = 64
    sheet = Image.new("L", (int(right - left) + 2 * far, int(bottom - top) + 2 * far))
    ImageDraw.Draw(sheet).text((far - left, far - top), text, 255, font)
    place = round(fields["x"] * (width - (right - left)) - left), round(fields["y"] * (height - (bottom - top)) - top)
    mask = np.zeros((height + 4 * far + sheet.height, width + 4 * far + sheet.width))
    down, across = 2 * far + place[1] + int(top) - far, 2 * far + place[0] + int(left) - far
    mask[down : down + sheet.height, across : across + sheet.width] = np.asarray(sheet) / 255
    shown = mask[2 * far : 2 * far + height, 2 * far : 2 * far + width]
    return veiled(pixels, fields["opacity"] * shown, fields["color"])


REFERENCES: dict[str, Reference] = {
    "chromatic_aberration": chromatic_aberration,
    "clouds": clouds,
    "fog": fog,
    "frost": frost,
    "gravel": gravel,
    "jpeg": jpeg,
    "pixel_jitter": pixel_jitter,
    "rain": rain,
    "recompress": recompress,
    "sand": sand,
    "snow": snow,
    "snowflakes": snowflakes,
    "spatter": spatter,
    "text_overlay": text_overlay,
    "webp": webp,
}
# Pillow's build of libjpeg averages colours for 4:2:0 in another way: on noise a coefficient in twenty is quantized
# elsewhere, and passes add up. float32 noise and coordinates, and stones laid over stones in float32; a blob's edge is as
# narrow as 0.02 of the noise's range
TOLERANCES = {
    "chromatic_aberration": (0.5, 0.995),
    "clouds": (0.05, 0.999),
    "frost": (0.05, 0.999),
    "gravel": (0.5, 0.995),
    "jpeg": (24.0, 0.95),
    "rain": (0.05, 0.995),
    "recompress": (40.0, 0.9),
    "sand": (0.05, 0.999),
    "snow": (0.5, 0.995),
    "spatter": (0.5, 0.99),
}
