"""The corruption suite: every corruption that can be made is one, and grows with its severity."""

from __future__ import annotations

import numpy as np
import pytest

from kernels import augment
from kernels.corruptions import CORRUPTIONS, SEVERITIES, corrupted
from kernels.errors import RecipeInvalid
from tests.helpers.pictures import make_photo
from tests.unit.kernels.test_library import image

PAPER = {
    *("gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise"),
    *("defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "gaussian_blur"),
    *("snow", "frost", "fog", "spatter", "brightness", "contrast", "saturate", "elastic", "pixelate", "jpeg"),
}
LOW = {"saturate": 2}
"""Corruptions that are one thing at their first severities and another from there on."""


def test_the_suite_is_that_of_the_paper() -> None:
    assert set(CORRUPTIONS) == PAPER
    assert all(len(corruption.severities) == len(SEVERITIES) for corruption in CORRUPTIONS.values())


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_every_severity_is_a_recipe_and_stronger_than_the_one_before(name: str) -> None:
    photo = make_photo("astronaut", 224, 224)
    distances = []
    for severity in SEVERITIES:
        (result,) = augment([photo], corrupted(name, severity), seed=7)
        assert image(result).shape == photo.shape
        distances.append(float(np.abs(image(result).astype(int) - photo).mean()))
    assert distances[0] > 0.3
    low = LOW.get(name, 0)
    # two draws of a bend differ more than its severities do
    assert distances[low:] == sorted(distances[low:]) or name == "elastic"


def test_what_is_none_is_refused() -> None:
    with pytest.raises(RecipeInvalid, match="no corruption 'sepia'"):
        corrupted("sepia", 1)
    with pytest.raises(RecipeInvalid, match="1 to 5, not 6"):
        corrupted("contrast", 6)
