"""One operation's entry in the catalogue, as plain JSON: for `GET /v1/ops`, `augment ops --json` and the gallery."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from kernels.aliases import elsewhere
from kernels.op import Op
from service.catalogue.facts import fields, label_behaviour, usual, written, written_out
from service.catalogue.sections import section
from service.catalogue.speed import speed


def entry(op: Op) -> dict[str, Any]:
    """Everything that is known of an operation."""
    fast = speed(op.name)
    return {
        "name": op.name,
        "section": section(op),
        "summary": op.summary,
        "kind": op.kind_name,
        "labels": label_behaviour(op),
        "moves_labels": op.moves_labels,
        "speed": {"class": fast.name, "ns_a_pixel": fast.ns_a_pixel, "by": list(fast.by), "is_estimate": fast.is_estimate},
        "aliases": {library: list(names) for library, names in elsewhere(op.name).items()},
        "fields": [asdict(field) for field in fields(op)],
        "schema": op.params.model_json_schema(),
        "examples": [example.model_dump(mode="json") for example in op.examples],
        "steps": {"example": written(op.examples[0]), "drawn": written_out(usual(op))},
        "picture": f"/v1/ops/{op.name}/picture",
    }
