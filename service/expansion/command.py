"""`augment expand`: what it takes. The work is in `expand_terminal`, imported only when it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from service.expansion.sidecars import LabelForm

Format = Literal["jpeg", "png", "webp"]


def expand_command(
    photos: Annotated[Path, typer.Argument(help="Folder of pictures; folders inside it are walked too.")],
    recipe: Annotated[
        Path, typer.Option("--recipe", "-r", help="Recipe: a YAML or JSON file, or a name the service knows.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results; made where it is missing.")],
    variants: Annotated[int, typer.Option("--variants", "-n", min=1, max=64, help="Results of each picture.")] = 1,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of every drawn number. Default: random, once.")] = None,
    form: Annotated[
        Format | None, typer.Option("--format", help="File format of the results. Default: the recipe's.")
    ] = None,
    quality: Annotated[
        int | None, typer.Option(min=1, max=100, help="JPEG or WebP quality. Default: the recipe's.")
    ] = None,
    url: Annotated[str, typer.Option(envvar="AUGMENT_URL", help="Address of the service.")] = "http://127.0.0.1:8000",
    in_flight: Annotated[int, typer.Option(min=1, max=32, help="Batches under way at the same time.")] = 4,
    batch_pictures: Annotated[int, typer.Option(min=1, max=10_000, help="Most pictures of one batch.")] = 256,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Send pictures again that failed before.")] = False,
    labels: Annotated[
        LabelForm, typer.Option(help="YOLO label files: auto, yolo (boxes, outlines), yolo-pose, yolo-obb, none.")
    ] = "auto",
    masks: Annotated[
        str, typer.Option(help="Masks: auto (NAME_mask.png, NAME.mask.png), none, or a folder of NAME.png.")
    ] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON, and nothing else.")] = False,
) -> None:
    """Make VARIANTS augmented copies of every picture in a folder, through a running service.

    The same command again goes on where it was stopped, by whatever: finished pictures are not sent again. Results are
    OUT/{path of the picture}/{variant}.{format}; OUT/manifest.jsonl says how each was made, OUT/failures.jsonl what failed.
    YOLO label files and mask PNGs move along, and lie beside the results.
    """
    from service.expansion.terminal import Asked, run

    asked = Asked(
        photos, recipe, out, variants, seed, form, quality, in_flight, batch_pictures, retry_failed, labels, masks
    )
    run(asked, url, as_json=as_json)
