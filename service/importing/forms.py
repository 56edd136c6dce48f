"""The libraries whose pipelines can be imported."""

from __future__ import annotations

from typing import Literal, get_args

Form = Literal["torchvision", "albumentations", "kornia", "seed"]
FORMS: tuple[str, ...] = get_args(Form)
