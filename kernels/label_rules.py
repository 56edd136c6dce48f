"""Label rules: which labels a result keeps, as part of a recipe, because the result depends on them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from kernels.tensors import MAX_PIXELS, MAX_SIDE


class LabelRules(BaseModel):
    """What is left of boxes and polygons at a picture's edge, and which of them are dropped.

    All is measured on the part that is on the picture, at the end of the recipe, in the result's pixels. Keypoints have no
    extent: an object is dropped when none of its points is left. Masks are never dropped.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    clip: Annotated[bool, Field(strict=True)] = True
    """Whether outlines end where the picture does. If not, they are written whole, beyond its edge where they hang over it;
    boxes in the format yolo are clipped all the same, for it has no numbers beyond the picture."""
    min_visible: Annotated[float, Field(ge=0, le=1, strict=True)] = 0.1
    """Drop what has a smaller share of its area left than this (`low_visibility`). What hung over the picture from the
    start does not count as lost, nor does what another step has painted over."""
    min_side: Annotated[float, Field(ge=0, le=MAX_SIDE, strict=True)] = 1.0
    """Drop what is narrower or lower than this, in pixels (`too_small`)."""
    min_area: Annotated[float, Field(ge=0, le=MAX_PIXELS, strict=True)] = 0.0
    """Drop what covers less than this, in square pixels: a box's own area, a polygon's own area (`low_area`)."""
