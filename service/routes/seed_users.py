"""The seed's users: who calls, sign-up, sign-in, deletion.

`X-External-User-ID` is trusted identity: a gateway in front sets it, and proves itself by `X-Gateway-Secret`.
"""

from __future__ import annotations

import secrets
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from service.errors import Conflict, Forbidden, NotFound, Unauthorized, ValidationError
from service.ids import new_id
from service.routes.documented import problems
from service.routes.shared import PartsOf, answer
from service.settings import Settings
from service.truth import batch_moves, seed_queries
from service.truth.seed_queries import User

_MAX_EXTERNAL_ID = 255


class UserView(BaseModel):
    """A user."""

    id: UUID
    external_id: str


class HealthView(BaseModel):
    """That the API answers."""

    status: str = "OK"


async def from_gateway(request: Request) -> None:
    """Nothing, or Forbidden where the gateway's secret is demanded and not there."""
    settings: Settings = request.app.state.settings
    if settings.seed_gateway_secret is None:
        return  # Settings demands one on any address but a loopback one
    given = request.headers.get("x-gateway-secret", "")
    expected = settings.seed_gateway_secret.get_secret_value()
    if not secrets.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode()):
        raise Forbidden("these routes are for the gateway: X-Gateway-Secret is missing or wrong")


async def external_id_of(request: Request) -> str:
    """Who calls, as the gateway says. Unauthorized, ValidationError."""
    external_id = request.headers.get("x-external-user-id", "").strip()
    if not external_id:
        raise Unauthorized("the header X-External-User-ID, which says who calls, is missing or blank")
    if len(external_id) > _MAX_EXTERNAL_ID:
        raise ValidationError(f"has at most {_MAX_EXTERNAL_ID} characters", "/X-External-User-ID", _MAX_EXTERNAL_ID)
    return external_id


ExternalId = Annotated[str, Depends(external_id_of)]


async def known_user(parts: PartsOf, external_id: ExternalId) -> User:
    """The caller's user. NotFound."""
    found = await seed_queries.user_of(parts.engine, external_id)
    if found is None:
        raise NotFound("user")
    return found


Caller = Annotated[User, Depends(known_user)]

router = APIRouter(tags=["seed"], dependencies=[Depends(from_gateway)])


@router.get("/healthcheck-api/healthcheck", responses={200: {"model": HealthView}})
async def healthcheck() -> Response:
    """That the API answers."""
    return answer(HealthView())


@router.post("/users-api/sign-up", status_code=201, responses={201: {"model": UserView}, **problems(403, 409)})
async def sign_up(parts: PartsOf, external_id: ExternalId) -> Response:
    """Makes a user of an external id."""
    made = await seed_queries.sign_up(parts.engine, new_id(), external_id)
    if made is None:
        raise Conflict("there is a user of this external id")
    return answer(UserView(id=made.id, external_id=made.external_id), 201)


@router.post("/users-api/sign-in", responses={200: {"model": UserView}, **problems(403, 404)})
async def sign_in(caller: Caller) -> Response:
    """The user of an external id."""
    return answer(UserView(id=caller.id, external_id=caller.external_id))


@router.delete("/users-api/user/{user_id}", status_code=204, response_class=Response, responses=problems(403, 404))
async def delete_user(user_id: UUID, parts: PartsOf, caller: Caller) -> Response:
    """Deletes the caller's user with all their pictures and results."""
    if user_id != caller.id:
        if await seed_queries.user(parts.engine, user_id) is None:
            raise NotFound("user")
        raise Forbidden("this is another user")
    unfinished = await seed_queries.remove_user(parts.engine, user_id)
    for batch_id in unfinished or ():
        await batch_moves.cancel_items(parts.engine, caller.tenant, batch_id)
    return Response(status_code=204)
