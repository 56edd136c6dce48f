"""`augment replay`: what it takes. The work is in `terminal`, imported only when it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.expansion.sidecars import LabelForm


def replay_command(
    manifest: Annotated[Path, typer.Argument(help="manifest.jsonl of an archive or of `augment expand`.")],
    source: Annotated[
        Path | None, typer.Option(help="Make the results here, of the pictures in this folder, without a service.")
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option("--recipe", "-r", help="With --source: recipe of lines that do not carry it.")
    ] = None,
    labels: Annotated[
        LabelForm, typer.Option(help="With --source: the label files, as `augment expand` takes them.")
    ] = "auto",
    masks: Annotated[str, typer.Option(help="With --source: the masks, as `augment expand` takes them.")] = "auto",
    url: Annotated[str, typer.Option(envvar="AUGMENT_URL", help="Address of the service.")] = "http://127.0.0.1:8000",
    in_flight: Annotated[int, typer.Option(min=1, max=64, help="Results under way at the service at the same time.")] = 8,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON, and nothing else.")] = False,
) -> None:
    """Make every result of a manifest again and compare it with what it was, bytes by their SHA-256.

    Counts what is identical, different, gone (the result or a picture is no longer there) and failed, and says what
    changed. The exit status is 1 where anything is different or failed, 2 where it cannot begin, 3 where the
    service is away.
    """
    from service.replaying.terminal import Asked, run

    run(Asked(manifest, source, recipe, labels, masks, in_flight), url, as_json=as_json)
