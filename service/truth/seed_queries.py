"""What the seed's routes keep of their own: users, and an id of its own for each upload."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from service.truth.database import AsyncEngine, Row, fetch, retrying, statement, transaction
from service.truth.queries import IMAGE_COLUMNS, Image

NAMESPACE = "seed:"
"""What the tenants of the seed's users begin with; no tenant of `/v1` does."""


@dataclass(frozen=True)
class User:
    """A user of the seed's routes, who is a tenant of their own."""

    id: UUID
    external_id: str
    tenant: str


@dataclass(frozen=True)
class Upload:
    """One upload: two of the same bytes are two of these and one image."""

    id: UUID
    filename: str
    image: Image


_SIGN_UP = """
INSERT INTO seed_users (id, external_id, tenant) VALUES (:id, :external_id, :tenant)
ON CONFLICT (external_id) DO NOTHING RETURNING id, external_id, tenant
"""
_BY_EXTERNAL_ID = "SELECT id, external_id, tenant FROM seed_users WHERE external_id = :external_id"
_BY_ID = "SELECT id, external_id, tenant FROM seed_users WHERE id = :id"

_KEEP = """
WITH owner AS MATERIALIZED (SELECT tenant FROM seed_users WHERE id = :user FOR KEY SHARE)
INSERT INTO seed_images (id, tenant, image_id, filename) SELECT :id, tenant, :image, :filename FROM owner
ON CONFLICT (id) DO UPDATE SET filename = excluded.filename RETURNING id
"""
"""The user's row is held, so that a deletion comes before or after it, and never in between."""

_UPLOAD = f"""
SELECT s.id AS upload_id, s.filename AS upload_filename, i.* FROM seed_images s
JOIN LATERAL (SELECT {IMAGE_COLUMNS} FROM images WHERE id = s.image_id AND deleted_at IS NULL) i ON true
WHERE s.id = :id AND s.tenant = :tenant
"""  # noqa: S608 - made of constants

_REMOVE_USER = "DELETE FROM seed_users WHERE id = :id RETURNING tenant"
_REMOVE_UPLOADS = "DELETE FROM seed_images WHERE tenant = :tenant"
_HIDE_IMAGES = "UPDATE images SET deleted_at = now() WHERE tenant = :tenant AND deleted_at IS NULL"
_HIDE_BATCHES = """
WITH found AS MATERIALIZED (
  SELECT id, state FROM batches WHERE tenant = :tenant AND deleted_at IS NULL ORDER BY id FOR NO KEY UPDATE
), hidden AS (
  UPDATE batches b SET deleted_at = now(),
    cancel_requested_at = CASE WHEN b.state IN ('queued', 'running') THEN coalesce(b.cancel_requested_at, now())
                               ELSE b.cancel_requested_at END
  FROM found f WHERE b.id = f.id RETURNING b.id, b.tenant, b.state
), logged AS (
  INSERT INTO state_log (tenant, batch_id, from_state, to_state, reason)
  SELECT tenant, id, state, state, 'delete' FROM hidden
)
SELECT id FROM hidden WHERE state IN ('queued', 'running')
"""


async def sign_up(engine: AsyncEngine, user_id: UUID, external_id: str) -> User | None:
    """The new user; None: this external id is taken."""
    values = {"id": user_id, "external_id": external_id, "tenant": f"{NAMESPACE}{user_id}"}
    if rows := await statement(engine, _SIGN_UP, values):
        return User(**rows[0])
    # a statement that was run again finds the row that it made itself
    found = await user_of(engine, external_id)
    return found if found and found.id == user_id else None


async def user_of(engine: AsyncEngine, external_id: str) -> User | None:
    """The user of this external id."""
    rows = await statement(engine, _BY_EXTERNAL_ID, {"external_id": external_id})
    return User(**rows[0]) if rows else None


async def user(engine: AsyncEngine, user_id: UUID) -> User | None:
    """The user of this id."""
    rows = await statement(engine, _BY_ID, {"id": user_id})
    return User(**rows[0]) if rows else None


async def keep_upload(engine: AsyncEngine, owner: User, upload_id: UUID, image: Image, filename: str) -> bool:
    """Writes an upload; False: its user was deleted meanwhile."""
    values = {"id": upload_id, "user": owner.id, "image": image.id, "filename": filename}
    return bool(await statement(engine, _KEEP, values))


async def upload(engine: AsyncEngine, tenant: str, upload_id: UUID) -> Upload | None:
    """The tenant's upload, or None: absent, deleted or another's."""
    rows = await statement(engine, _UPLOAD, {"id": upload_id, "tenant": tenant})
    if not rows:
        return None
    facts = dict(rows[0])
    return Upload(facts.pop("upload_id"), facts.pop("upload_filename"), Image(**facts))


async def remove_user(engine: AsyncEngine, user_id: UUID) -> Sequence[UUID] | None:
    """Deletes a user and hides all that is theirs; the reconciler removes the bytes. None: there is no such user.

    What comes back are the batches that are not final: their cancelling is requested.
    """

    async def run() -> list[Row] | None:
        async with transaction(engine) as connection:
            removed = await fetch(connection, _REMOVE_USER, {"id": user_id})
            if not removed:
                return None
            theirs = {"tenant": removed[0]["tenant"]}
            await fetch(connection, _REMOVE_UPLOADS, theirs)
            await fetch(connection, _HIDE_IMAGES, theirs)
            return await fetch(connection, _HIDE_BATCHES, theirs)

    rows = await retrying(run)
    return None if rows is None else [row["id"] for row in rows]
