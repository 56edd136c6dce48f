"""Mixing: pictures laid over each other on float planes, with the arithmetic of torch, the same for every backend.

Each partner is decoded, brought to its place by one resampling from its own pixels, and let go before the next.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from kernels import stencils, warp
from kernels.chain import BLACK, Link
from kernels.coverage import Coverage, patch
from kernels.labels import Labels, corners, read_mask
from kernels.matrices import moved, multiply, translation
from kernels.op import Classes, Covering, Cutout, Layer, Likened, Mix, Region, asked
from kernels.partners import Partner, Partners, mixed
from kernels.plan import PlannedStep
from kernels.tensors import Picture, Size
from kernels.warp import moved_classes

Part = Literal["all", "colour", "alpha"]
MOST_CUT = 100
"""Objects of one partner that are cut out: drawing thousands of large ones would take minutes."""


class Guest(NamedTuple):
    """What is known of a partner when its pixels are gone."""

    size: Size
    labels: Labels | None


class Guests:
    """The partners of one plan, decoded when asked for and one at a time; their sizes and labels stay known."""

    def __init__(self, find: Partners, channels: int) -> None:
        """channels: those of the picture that takes them, 3, or 4 with alpha."""
        self._find, self._channels = find, channels
        self._known: dict[int, Guest] = {}
        self._last: tuple[int, Picture] | None = None
        """By key: size, labels and pixels are asked for one after the other."""

    def pixels(self, partner: Partner) -> torch.Tensor:
        """(H, W, channels) uint8: opaque where it has no alpha, over black where the taker has none. PartnerUnusable."""
        picture = self._found(partner)
        pixels = picture.pixels
        if pixels.shape[2] == self._channels:
            return pixels
        if self._channels == 4:
            return torch.cat([pixels, torch.full_like(pixels[..., :1], 255)], dim=2)
        colour, alpha = pixels[..., :3].to(torch.int32), pixels[..., 3:].to(torch.int32)
        return torch.div(colour * alpha + 127, 255, rounding_mode="floor").to(torch.uint8)

    def known(self, partner: Partner) -> Guest:
        """Its size and labels. PartnerUnusable."""
        if partner.key not in self._known:
            self._found(partner)
        return self._known[partner.key]

    def _found(self, partner: Partner) -> Picture:
        if self._last is not None and self._last[0] == partner.key:
            return self._last[1]
        self._last = None
        picture = self._find(partner)
        self._last = partner.key, picture
        self._known[partner.key] = Guest(picture.size, picture.labels)
        return picture


class Mixture(NamedTuple):
    """A step that lays pictures over each other, and its partners."""

    step: PlannedStep
    guests: Guests
    part: Part = "all"
    """Which channels of the pictures the planes stand for; alpha alone comes as three equal planes."""

    @property
    def pieces(self) -> int:
        """In how many layers the step's own picture is laid."""
        kind = self.step.op.kind
        assert isinstance(kind, Mix)
        return 1 if kind.pieces is None else kind.pieces(**asked(kind.pieces, self.step.fields))

    def placed(self) -> Iterator[tuple[Partner | None, Layer, Link]]:
        """The step's own picture or its pieces (None), then each partner: its layer, and its way to the layer's region.

        Layers without a pixel are passed on too, with an empty region.
        """
        kind = self.step.op.kind
        assert isinstance(kind, Mix)
        if len(self.step.partners) != kind.partners:
            raise ValueError(f"{self.step.op.name} was planned without a pool, so it cannot be run")
        for place, partner in enumerate((None,) * self.pieces + self.step.partners):
            source = self.step.size_in if partner is None else self.guests.known(partner).size
            wanted = asked(kind.layer, {**self.step.fields, "seed": self.step.noise_seed})
            layer: Layer = kind.layer(place, source, self.step.size_out, **wanted)
            yield partner, layer, _link(layer, source)


def composed(planes: torch.Tensor, mixture: Mixture) -> torch.Tensor:
    """The canvas after the step, (C, H, W) float32 0..1. planes: the same of its own picture. PartnerUnusable."""
    if isinstance(mixture.step.op.kind, Likened):
        return _likened(planes, mixture, mixture.step.op.kind)
    if isinstance(mixture.step.op.kind, Covering):
        return _covered(planes, mixture)
    height, width = mixture.step.size_out
    canvas = torch.zeros((planes.shape[0], height, width), dtype=torch.float32, device=planes.device)
    for partner, layer, link in mixture.placed():
        left, top, right, bottom = layer.region
        if right <= left or bottom <= top:
            continue
        shown = opacity(mixture, partner, layer, link)
        if shown is None:
            continue
        source = planes if partner is None else _channels(mixture, partner).to(planes.device)
        laid = warp.moved(source, (link,))
        target = canvas[:, top:bottom, left:right]
        if isinstance(shown, float) and shown == 1.0:
            target.copy_(laid)
        else:
            weight = shown if isinstance(shown, float) else torch.from_numpy(shown).to(planes.device)
            target.add_(laid.sub_(target).mul_(weight))
    return canvas.clamp_(0.0, 1.0)


def _likened(planes: torch.Tensor, mixture: Mixture, kind: Likened) -> torch.Tensor:
    if mixture.part == "alpha":
        return planes
    for partner, _, link in mixture.placed():
        if partner is not None:
            other = warp.moved(_channels(mixture, partner)[..., :3].to(planes.device), (link,))
            made = kind.blend(planes[None, :3], other[None], **mixture.step.fields)
            planes = torch.cat([made[0].to(torch.float32).clamp(0.0, 1.0), planes[3:]])
    return planes


def _covered(planes: torch.Tensor, mixture: Mixture) -> torch.Tensor:
    if mixture.part == "alpha":
        return planes
    hidden = torch.from_numpy(mixture.step.fields["hidden"]).to(planes.device)
    color = torch.tensor(mixture.step.fields["color"], dtype=torch.float32, device=planes.device)[:, None, None]
    return torch.cat([torch.where(hidden, color, planes[:3]), planes[3:]])


def opacity(mixture: Mixture, partner: Partner | None, layer: Layer, link: Link) -> float | Coverage | None:
    """How much of the layer shows: one number, or one for each pixel of its region; None: nothing."""
    if layer.cutout is None:
        return layer.weight
    if isinstance(layer.cutout, np.ndarray):
        return layer.cutout if layer.weight == 1.0 else layer.cutout * np.float32(layer.weight)
    assert partner is not None
    if isinstance(layer.cutout, Classes):
        return _of_classes(mixture, partner, layer.cutout, link)
    objects = cut_objects(mixture, partner, layer.cutout)
    if not objects:
        return None
    labels = mixture.guests.known(partner).labels
    assert labels is not None
    outlines = outlined(labels, mixture.guests.known(partner).size)
    shown = np.zeros(layer.region.size, dtype=np.float32)
    for index in objects:
        drawn = patch(moved(link.forward, outlines[index]), layer.region.size)
        if drawn is not None:
            height, width = drawn.inside.shape
            beneath = shown[drawn.top : drawn.top + height, drawn.left : drawn.left + width]
            np.maximum(beneath, drawn.inside, out=beneath)
    if layer.cutout.softness > 0.0:
        plane = torch.from_numpy(shown)[None, None]
        shown = stencils.weighed(plane, stencils.gaussian(layer.cutout.softness))[0, 0].clamp_(0.0, 1.0).numpy()
    return shown if layer.weight == 1.0 else shown * np.float32(layer.weight)


def _of_classes(mixture: Mixture, partner: Partner, cutout: Classes, link: Link) -> Coverage | None:
    """1 where the class mask has one of the classes that are shown, 0 elsewhere; None where it has none of them."""
    labels = mixture.guests.known(partner).labels
    if labels is None or labels.mask is None:
        return None
    mask = read_mask(labels.mask)
    classes = np.unique(mask[mask != 0])
    taken = math.ceil(cutout.share * len(classes))
    if not taken:
        return None
    chosen = classes[np.argsort(_ranks(mixture, classes))[:taken]]
    return np.isin(moved_classes(mask, (link,)), chosen).astype(np.float32)


def _ranks(mixture: Mixture, names: NDArray[Any]) -> NDArray[np.uint64]:
    """The order in which the step's seed takes some of several things, by their numbers."""
    high, low = mixture.step.noise_seed
    return mixed(names.astype(np.uint64) ^ np.uint64(high << 32 | low))


def outlined(labels: Labels, size: Size) -> list[NDArray[np.float64]]:
    """The outlines of a picture's objects: its polygons, or its boxes where it has none."""
    if labels.polygons:
        return [np.array(polygon.points, dtype=np.float64) for polygon in labels.polygons]
    if labels.boxes is None:
        return []
    found = [corners(value, labels.boxes.format, size) for value in labels.boxes.values]
    return [np.array([(a, b), (c, b), (c, d), (a, d)], dtype=np.float64) for a, b, c, d in found]


def cut_objects(mixture: Mixture, partner: Partner, cutout: Cutout) -> tuple[int, ...]:
    """Which of a partner's objects are shown, in their order: at least one of any share above 0, `MOST_CUT` at most."""
    guest = mixture.guests.known(partner)
    count = 0 if guest.labels is None else len(outlined(guest.labels, guest.size))
    taken = min(math.ceil(cutout.share * count), MOST_CUT)
    return tuple(sorted(np.argsort(_ranks(mixture, np.arange(count)))[:taken].tolist()))


def _channels(mixture: Mixture, partner: Partner) -> torch.Tensor:
    pixels = mixture.guests.pixels(partner)
    match mixture.part:
        case "colour":
            return pixels[..., :3]
        case "alpha":
            return pixels[..., 3:].expand(-1, -1, 3)
        case _:
            return pixels


def _link(layer: Layer, source: Size) -> Link:
    left, top, right, bottom = layer.region
    # an empty region gets a canvas of one pixel: labels lose everything outside of it, pixels are not asked for
    size = Region(left, top, max(right, left + 1), max(bottom, top + 1)).size
    forward = layer.matrix if left == top == 0 else multiply(translation(-left, -top), layer.matrix)
    return Link(forward, None, source, size, "replicate", BLACK)
