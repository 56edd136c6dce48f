"""Accounts: the keys and tokens of a tenant, its audit trail, and the operator's list of tenants."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from service.accounts import administration
from service.accounts.callers import Caller
from service.accounts.roles import ROLES
from service.accounts.wire import (
    ChangePage,
    IssuedKey,
    KeyPage,
    KeyRequest,
    NewTenant,
    TenantChange,
    TenantPage,
    TenantRequest,
    TenantView,
    TokenRequest,
    TokenView,
    UsageView,
    change_view,
    issued_view,
    key_view,
    tenant_view,
    usage_view,
)
from service.auth import admin_of, caller_of, operator_of
from service.errors import Conflict, Forbidden, ValidationError
from service.parts import Parts
from service.routes.documented import body_of, problems, schema_of
from service.routes.shared import Cursor, Limit, PartsOf, answer, cursor_of, id_of, name_of, position_of
from service.schemas import checked
from service.truth import account_queries, usage_queries
from service.uploads.bodies import whole_body
from service.uploads.json_text import parse_json

router = APIRouter(prefix="/v1", tags=["accounts"])

Admin = Annotated[Caller, Depends(admin_of)]
Operator = Annotated[Caller, Depends(operator_of)]
_MAX_BODY_BYTES = 64 * 1024
MAX_DAYS = 366
_USUAL_DAYS = 30
_SECRET = {"Cache-Control": "no-store"}


async def key_owner_of(request: Request) -> Caller:
    """Who asks for a token: any key. A token cannot renew itself, or it would never end."""
    caller = await caller_of(request, None)
    if caller.key_id is None or caller.by_token:
        raise Forbidden("tokens are issued for API keys only")
    return caller


@router.post(
    "/keys",
    status_code=201,
    responses={201: {"model": IssuedKey}, **problems(400, 408, 409, 413)},
    openapi_extra={"requestBody": body_of({"application/json": schema_of(KeyRequest)})},
)
async def issue_key(request: Request, parts: PartsOf, caller: Admin) -> Response:
    """Issues an API key of your tenant. It is shown in this answer and never again.

    It does not outlive what you ask with: where that ends, so does the key, then or at an earlier `expires_at`.
    """
    ask = checked(KeyRequest, await _body(request, parts))
    if beyond := ROLES[ask.role] - caller.scopes:
        raise Forbidden(f"a key may not have the scope `{min(beyond)}`, which you have not yourself")
    issued = await administration.issue_key(
        parts.engine,
        caller.tenant,
        caller.actor,
        ask.name,
        ask.role,
        ask.expires_at,
        issuer_ends_s=caller.expires_at_s,
    )
    return answer(issued_view(issued), 201, _SECRET)


@router.get("/keys", responses={200: {"model": KeyPage}, **problems()})
async def list_keys(parts: PartsOf, caller: Admin, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """The keys of your tenant, newest first, revoked ones too. What makes them keys is not kept."""
    found = await account_queries.keys(parts.engine, caller.tenant, id_of(cursor), limit)
    following = cursor_of(found[-1].id) if len(found) == limit else None
    return answer(KeyPage(keys=[key_view(row) for row in found], next=following))


@router.delete("/keys/{key_id}", status_code=204, response_class=Response, responses=problems(404))
async def revoke_key(key_id: UUID, parts: PartsOf, caller: Admin) -> Response:
    """Revokes a key, and with it the tokens issued for it: within 5 seconds nothing lets them in any more."""
    await administration.revoke_key(parts.engine, caller.tenant, key_id, caller.actor)
    return Response(status_code=204)


@router.post(
    "/tokens",
    responses={200: {"model": TokenView}, **problems(400, 408, 409, 413)},
    openapi_extra={"requestBody": {**body_of({"application/json": schema_of(TokenRequest)}), "required": False}},
)
async def issue_token(request: Request, parts: PartsOf, caller: Annotated[Caller, Depends(key_owner_of)]) -> Response:
    """Exchanges the API key of this request for a token: short-lived, with fewer scopes where you like."""
    ask = checked(TokenRequest, await _body(request, parts))
    if not parts.tokens.can_issue:
        raise Conflict("this service issues no tokens; its operator sets AUGMENT_TOKEN_KEYS")
    scopes = caller.scopes if ask.scopes is None else frozenset(ask.scopes)
    if beyond := scopes - caller.scopes:
        raise Forbidden(f"a token may not have the scope `{min(beyond)}`, which the key has not")
    longest = int(parts.settings.token_life_s)
    if ask.expires_in is not None and ask.expires_in > longest:
        raise ValidationError(f"is at most {longest}", "/expires_in", longest)
    seconds = ask.expires_in or longest
    assert caller.key_id is not None  # whoever has none was refused
    token = await administration.issue_token(
        parts.engine, parts.tokens, caller.tenant, caller.actor, caller.key_id, scopes, seconds
    )
    return answer(TokenView(access_token=token, expires_in=seconds, scope=" ".join(sorted(scopes))), 200, _SECRET)


@router.get("/usage", responses={200: {"model": UsageView}, **problems()})
async def read_usage(
    parts: PartsOf,
    caller: Admin,
    first: Annotated[date | None, Query(alias="from", description="First day; 30 days up to the last by default.")] = None,
    last: Annotated[date | None, Query(alias="to", description="Last day; today by default.")] = None,
) -> Response:
    """What your tenant used on each day (UTC): requests, pictures, results, pixels, bytes stored."""
    last = last or datetime.now(UTC).date()
    first = first or _days_before(last, _USUAL_DAYS - 1)
    if not 0 <= (last - first).days < MAX_DAYS:
        raise ValidationError(f"from 1 to {MAX_DAYS} days may be asked for", "/from", MAX_DAYS)
    await parts.requests.flush()
    return answer(usage_view(await usage_queries.days(parts.engine, caller.tenant, first, last), first, last))


def _days_before(day: date, days: int) -> date:
    return date.fromordinal(max(1, day.toordinal() - days))


@router.get("/audit", responses={200: {"model": ChangePage}, **problems()})
async def list_changes(parts: PartsOf, caller: Admin, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """What was done to your tenant's account, and by whom, newest first."""
    before = None if cursor is None else position_of(cursor)
    found = await account_queries.audit(parts.engine, caller.tenant, before, limit)
    following = cursor_of(found[-1].id) if len(found) == limit else None
    return answer(ChangePage(changes=[change_view(row) for row in found], next=following))


@router.post(
    "/tenants",
    status_code=201,
    responses={201: {"model": NewTenant}, **problems(400, 408, 409, 413)},
    openapi_extra={"requestBody": body_of({"application/json": schema_of(TenantRequest)})},
)
async def create_tenant(request: Request, parts: PartsOf, caller: Operator) -> Response:
    """Makes a tenant, with a first key of the role admin, which is shown this once. For operators.

    The key does not outlive what you ask with.
    """
    ask = checked(TenantRequest, await _body(request, parts))
    made = await administration.create_tenant(parts.engine, ask.name, caller.actor)
    issued = await administration.issue_key(
        parts.engine, made.name, caller.actor, "first", "admin", issuer_ends_s=caller.expires_at_s
    )
    return answer(NewTenant(tenant=tenant_view(made), key=issued_view(issued)), 201, _SECRET)


@router.get("/tenants", responses={200: {"model": TenantPage}, **problems()})
async def list_tenants(parts: PartsOf, caller: Operator, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """All tenants by name. For operators."""
    found = await account_queries.tenants(parts.engine, name_of(cursor), limit)
    following = cursor_of(found[-1].name) if len(found) == limit else None
    return answer(TenantPage(tenants=[tenant_view(row) for row in found], next=following))


@router.patch(
    "/tenants/{name}",
    responses={200: {"model": TenantView}, **problems(400, 404, 408, 409, 413)},
    openapi_extra={"requestBody": body_of({"application/json": schema_of(TenantChange)})},
)
async def change_tenant(request: Request, name: str, parts: PartsOf, caller: Operator) -> Response:
    """Gives a tenant limits of its own, disables it, or enables it again. For operators."""
    ask = checked(TenantChange, await _body(request, parts))
    limits = None if ask.limits is None else ask.limits.own()
    changed = await administration.change_tenant(parts.engine, name, caller.actor, limits=limits, disabled=ask.disabled)
    return answer(tenant_view(changed))


async def _body(request: Request, parts: Parts) -> Any:
    """The document that was sent; an empty one where there is no body."""
    body = await whole_body(request, _MAX_BODY_BYTES, parts.settings)
    return parse_json(body) if body else {}
