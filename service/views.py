"""Rows as the contract shows them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from service.replay import Replayed
from service.truth import queries
from service.view_schemas import BatchView, ImageView, ItemError, ItemView, OutputView, ReplayView


def batch_view(batch: queries.Batch) -> BatchView:
    """A batch on the wire."""
    path = f"/v1/batches/{batch.id}"
    return BatchView.model_validate(
        {
            "id": batch.id,
            "state": batch.state,
            "counts": {
                "total": batch.total,
                "succeeded": batch.succeeded,
                "failed": batch.failed,
                "cancelled": batch.cancelled,
            },
            "outputs": {"total": batch.total * batch.variants, "done": batch.outputs_done},
            "recipe_digest": batch.recipe_digest,
            "recipe_name": batch.recipe_name,
            "seed": batch.seed,
            "variants": batch.variants,
            "priority": batch.priority,
            "output": batch.recipe["output"],
            "created_at": batch.created_at,
            "started_at": batch.started_at,
            "finished_at": batch.finished_at,
            "links": {
                "self": path,
                "items": f"{path}/items",
                "outputs": f"{path}/outputs",
                "events": f"{path}/events",
                "archive": f"{path}/archive",
            },
        }
    )


def content_path(output_id: UUID) -> str:
    """Where the bytes of an output are read."""
    return f"/v1/outputs/{output_id}/content"


def output_view(output: queries.Output) -> OutputView:
    """An output on the wire."""
    return OutputView(
        id=output.id,
        item_id=output.item_id,
        custom_id=output.custom_id,
        variant=output.variant,
        width=output.width,
        height=output.height,
        bytes=output.bytes,
        sha256=output.sha256,
        format=output.format,
        seed=output.seed,
        recipe_digest=output.recipe_digest,
        recipe_name=output.recipe_name,
        draws=[dict(draw) for draw in output.draws],
        labels=dict(output.labels) if output.labels is not None else None,
        device=output.device,
        engine_version=output.engine_version,
        cached=output.cached,
        created_at=output.created_at,
        url=content_path(output.id),
    )


def replay_view(replayed: Replayed) -> ReplayView:
    """A replay on the wire."""
    now, original = replayed.now, replayed.original
    return ReplayView.model_validate(
        {
            "identical": replayed.identical,
            "sha256": now.sha256,
            "original_sha256": original.sha256,
            "engine_version": now.engine_version,
            "original_engine_version": original.engine_version,
            "device": now.device,
            "original_device": original.device,
            "changed": replayed.changed,
        }
    )


def item_view(item: queries.ItemRow, outputs: Sequence[queries.Output] = ()) -> ItemView:
    """An item on the wire."""
    error = None
    if item.error_code is not None:
        error = ItemError(code=item.error_code, detail=item.error_detail or "")
    return ItemView.model_validate(
        {
            "id": item.id,
            "custom_id": item.custom_id,
            "state": item.state,
            "executions": item.executions,
            "width": item.width,
            "height": item.height,
            "error": error,
            "outputs": [output_view(output) for output in outputs],
        }
    )


def image_view(image: queries.Image) -> ImageView:
    """An uploaded picture on the wire."""
    return ImageView(
        id=image.id,
        sha256=image.sha256,
        bytes=image.bytes,
        format=image.format,
        width=image.width,
        height=image.height,
        filename=image.filename,
        created_at=image.created_at,
        url=f"/v1/images/{image.id}/content",
    )
