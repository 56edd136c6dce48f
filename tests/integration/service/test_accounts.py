"""Accounts over REST: keys, tokens of ours and of another issuer, the audit trail, and how soon a revoked key is out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec

from service.accounts import administration
from service.accounts.callers import CONFIGURED, FRESH_S, Callers
from service.accounts.jwks import MAX_BYTES, JwksUnreadable, keep_fresh, read_keys
from service.accounts.keys import LONGEST_LIFE_DAYS
from service.accounts.roles import ROLES
from service.accounts.tokens import TokenRules, Tokens
from service.app import create_app
from service.errors import Unauthorized
from service.settings import Settings
from service.truth import account_queries
from service.truth.database import AsyncEngine, make_engine, statement
from tests.helpers.accounts import bearing, make_keys
from tests.helpers.api import running_api

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPERATOR = "the operator's own key"
ISSUER = "https://issuer.example"
PRIVATE = ec.generate_private_key(ec.SECP256R1())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(shared_settings: Settings) -> AsyncIterator[AsyncEngine]:
    made = make_engine(shared_settings.database_url, pool_size=4)
    yield made
    await made.dispose()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(shared_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx2.AsyncClient]:
    jwks = tmp_path_factory.mktemp("keys") / "jwks.json"
    public = jwt.get_algorithm_by_name("ES256").to_jwk(PRIVATE.public_key(), as_dict=True)
    jwks.write_text(json.dumps({"keys": [{**public, "kid": "one"}]}))
    more = {"api_key": OPERATOR, "token_keys": f"k:{'s' * 40}", "jwks": str(jwks), "jwks_issuer": ISSUER}
    async with running_api(create_app(Settings(**{**shared_settings.model_dump(), "host": "0.0.0.0", **more}))) as client:
        yield client


async def make_tenant(api: httpx2.AsyncClient, name: str) -> dict[str, str]:
    """The headers of a new tenant's admin."""
    answer = await api.post("/v1/tenants", json={"name": name}, headers=bearing(OPERATOR))
    assert answer.status_code == 201, answer.text
    return bearing(answer.json()["key"]["key"])


async def test_the_configured_key_may_do_everything(api: httpx2.AsyncClient) -> None:
    for path in ("/v1/batches", "/v1/keys", "/v1/tenants", "/metrics", "/v1/ops"):
        assert (await api.get(path, headers=bearing(OPERATOR))).status_code == 200


async def test_a_key_is_shown_once_and_kept_as_its_hash(api: httpx2.AsyncClient, engine: AsyncEngine) -> None:
    admin = await make_tenant(api, "once")
    issued = await api.post("/v1/keys", json={"name": "camera", "role": "submit"}, headers=admin)
    assert issued.status_code == 201
    assert issued.headers["cache-control"] == "no-store"
    key = issued.json()["key"]
    assert issued.json()["scopes"] == ["read", "submit"]
    listed = await api.get("/v1/keys", headers=admin)
    assert [one["name"] for one in listed.json()["keys"]] == ["camera", "first"]
    assert key not in listed.text
    assert listed.json()["keys"][0]["hint"] == key[:9]
    assert listed.json()["keys"][0]["last_used_at"] is None
    assert (await api.get("/v1/batches", headers=bearing(key))).status_code == 200
    assert (await api.get("/v1/keys", headers=admin)).json()["keys"][0]["last_used_at"] is not None
    for table in ("api_keys", "account_log", "tenants"):
        rows = await statement(engine, f"SELECT CAST(t AS text) AS row FROM {table} t", {})
        assert rows
        assert not [row for row in rows if key in row["row"] or key[9:20] in row["row"]]


async def test_keys_are_paged(api: httpx2.AsyncClient) -> None:
    admin = await make_tenant(api, "paged")
    for number in range(4):
        assert (await api.post("/v1/keys", json={"name": str(number)}, headers=admin)).status_code == 201
    names, cursor = [], None
    for _ in range(3):
        page = (
            await api.get("/v1/keys", params={"limit": 2, **({"cursor": cursor} if cursor else {})}, headers=admin)
        ).json()
        names += [key["name"] for key in page["keys"]]
        cursor = page["next"]
    assert names == ["3", "2", "1", "0", "first"]
    assert cursor is None


async def test_nobody_issues_more_than_they_have(api: httpx2.AsyncClient) -> None:
    admin = await make_tenant(api, "modest")
    for role in ("operator", "metrics"):
        answer = await api.post("/v1/keys", json={"name": "x", "role": role}, headers=admin)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    for body in ({}, {"name": ""}, {"name": "x" * 256}, {"name": "a\0b"}, {"name": "x", "role": "root"}, {"name": 1}, []):
        answer = await api.post("/v1/keys", json=body, headers=admin)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_error"), body
    for end in ("2020-01-01T00:00:00Z", "2099-01-01T00:00:00", "soon"):
        answer = await api.post("/v1/keys", json={"name": "x", "expires_at": end}, headers=admin)
        assert (answer.status_code, answer.json()["pointer"]) == (422, "/expires_at"), end


async def test_tenants_have_plain_names_and_are_made_once(api: httpx2.AsyncClient) -> None:
    await make_tenant(api, "twice")
    again = await api.post("/v1/tenants", json={"name": "twice"}, headers=bearing(OPERATOR))
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    for name in ("", "A", "-a", "a b", "seed:1", "a/b", "a\0", "x" * 64):
        answer = await api.post("/v1/tenants", json={"name": name}, headers=bearing(OPERATOR))
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_error"), name
    listed = (await api.get("/v1/tenants", headers=bearing(OPERATOR))).json()["tenants"]
    assert {"default", "twice"} <= {tenant["name"] for tenant in listed}


async def test_a_token_for_a_key(api: httpx2.AsyncClient) -> None:
    admin = await make_tenant(api, "tokens")
    answer = await api.post("/v1/tokens", json={"scopes": ["read"], "expires_in": 60}, headers=admin)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    given = answer.json()
    assert (given["token_type"], given["expires_in"], given["scope"]) == ("Bearer", 60, "read")
    token = bearing(given["access_token"])
    assert (await api.get("/v1/batches", headers=token)).status_code == 200
    assert (await api.get("/v1/keys", headers=token)).status_code == 403
    assert (await api.post("/v1/recipes", json={"name": "a", "recipe": {"steps": []}}, headers=token)).status_code == 403
    whole = (await api.post("/v1/tokens", headers=admin)).json()
    assert (whole["scope"], whole["expires_in"]) == ("admin read submit", 900)
    assert (await api.get("/v1/keys", headers=bearing(whole["access_token"]))).status_code == 200
    for credential in (whole["access_token"], OPERATOR):
        renewed = await api.post("/v1/tokens", headers=bearing(credential))
        assert (renewed.status_code, renewed.json()["code"]) == (403, "forbidden")
    for body, status in (({"scopes": ["operator"]}, 403), ({"expires_in": 901}, 422), ({"expires_in": 0}, 422)):
        assert (await api.post("/v1/tokens", json=body, headers=admin)).status_code == status


async def test_a_token_of_another_issuer(api: httpx2.AsyncClient) -> None:
    await make_tenant(api, "federated")
    claims = {"iss": ISSUER, "aud": "augment", "sub": "ann", "tenant": "federated", "scope": "read submit admin"}

    def token(**changes: Any) -> dict[str, str]:
        said = {**claims, "exp": int(time.time()) + 60, **changes}
        return bearing(jwt.encode(said, PRIVATE, "ES256", headers={"kid": "one"}))

    for _ in range(100):  # the file is read beside the first requests
        if (answer := await api.get("/v1/audit", headers=token())).status_code == 200:
            break
        await asyncio.sleep(0.05)
    assert answer.status_code == 200
    issued = await api.post("/v1/keys", json={"name": "by ann"}, headers=token())
    assert issued.status_code == 201
    change = (await api.get("/v1/audit", headers=token())).json()["changes"][0]
    assert (change["actor"], change["action"], change["subject"]) == ("token of 'ann'", "issue_key", issued.json()["id"])
    for changes in ({"tenant": "nowhere"}, {"tenant": "a\0b"}, {"aud": "other"}, {"exp": int(time.time()) - 60}):
        assert (await api.get("/v1/batches", headers=token(**changes))).status_code == 401, changes
    assert (await api.post("/v1/tokens", headers=token())).status_code == 403


async def test_keys_of_an_address(unused_tcp_port: int) -> None:
    public = jwt.get_algorithm_by_name("ES256").to_jwk(PRIVATE.public_key(), as_dict=True)
    right = json.dumps({"keys": [{**public, "kid": "one"}]}).encode()
    answers = {
        "/right": b"HTTP/1.1 200 OK\r\n\r\n" + right,
        "/moved": b"HTTP/1.1 302 Found\r\nLocation: /right\r\n\r\n",
        "/large": b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (MAX_BYTES + 1),
        "/text": b"HTTP/1.1 200 OK\r\n\r\nhello",
        "/none": b"HTTP/1.1 404 Not Found\r\n\r\n" + right,
    }
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        asked.append(path)
        writer.write(answers[path].replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", unused_tcp_port):
        base = f"http://127.0.0.1:{unused_tcp_port}"
        assert set(await read_keys(f"{base}/right", ISSUER)) == {"one"}
        for path in ("/moved", "/large", "/text", "/none"):
            with pytest.raises(JwksUnreadable):
                await read_keys(base + path, ISSUER)
    with pytest.raises(JwksUnreadable):
        await read_keys(f"{base}/right", ISSUER)
    assert asked == ["/right", "/moved", "/large", "/text", "/none"]


async def test_keys_are_read_by_the_clock_and_those_that_are_gone_are_gone(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    public = jwt.get_algorithm_by_name("ES256").to_jwk(PRIVATE.public_key(), as_dict=True)

    def publish(*ids: str) -> None:
        file.write_text(json.dumps({"keys": [{**public, "kid": kid} for kid in ids]}))

    async def shown(*ids: str) -> None:
        for _ in range(3000):
            if set(tokens.theirs) == set(ids):
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"still {set(tokens.theirs)}")

    publish("one")
    tokens = Tokens(TokenRules("augment", 0.0, "tenant"), {})
    reading = asyncio.create_task(keep_fresh(tokens, str(file), ISSUER, 0.01))
    await shown("one")
    publish("one", "two")
    await shown("one", "two")
    file.write_text("half of a")  # what was read before stays
    await asyncio.sleep(0.1)
    assert set(tokens.theirs) == {"one", "two"}
    publish("two")
    await shown("two")
    reading.cancel()


async def test_what_is_done_to_an_account_is_written_down(api: httpx2.AsyncClient) -> None:
    admin = await make_tenant(api, "audited")
    key = (await api.post("/v1/keys", json={"name": "camera"}, headers=admin)).json()
    for status in (204, 204):  # again changes nothing
        assert (await api.delete(f"/v1/keys/{key['id']}", headers=admin)).status_code == status
    changes = (await api.get("/v1/audit", headers=admin)).json()["changes"]
    first = changes[-2]["subject"]
    assert [(one["action"], one["subject"], one["actor"]) for one in changes] == [
        ("revoke_key", key["id"], f"key {first}"),
        ("issue_key", key["id"], f"key {first}"),
        ("issue_key", first, CONFIGURED.actor),
        ("create_tenant", "audited", CONFIGURED.actor),
    ]
    page = (await api.get("/v1/audit", params={"limit": 3}, headers=admin)).json()
    rest = (await api.get("/v1/audit", params={"cursor": page["next"]}, headers=admin)).json()
    assert page["changes"] + rest["changes"] == changes


async def test_a_revoked_key_its_tokens_and_a_disabled_tenant_are_out_within_seconds(engine: AsyncEngine, api: Any) -> None:
    now_s = 0.0
    tokens = Tokens(TokenRules("augment", 30.0, "tenant"), {"k": "s" * 40})
    callers = Callers(engine, tokens, None, lambda: now_s)
    await account_queries.create_tenant(engine, "fleeting", "a test")
    one, two = [await administration.issue_key(engine, "fleeting", "a test", name, "read") for name in ("one", "two")]
    token = tokens.issue("fleeting", ROLES["read"], one.row.id, 600)
    for credential in (one.key, two.key, token):
        assert (await callers.known(credential)).tenant == "fleeting"
    await administration.revoke_key(engine, "fleeting", one.row.id, "a test")
    now_s = FRESH_S
    assert (await callers.known(one.key)).tenant == "fleeting"  # remembered: no request asks the database
    now_s = FRESH_S + 0.1
    for credential in (one.key, token):
        with pytest.raises(Unauthorized):
            await callers.known(credential)
    assert (await callers.known(two.key)).tenant == "fleeting"
    await administration.change_tenant(engine, "fleeting", "a test", disabled=True)
    now_s = 3 * FRESH_S
    with pytest.raises(Unauthorized):
        await callers.known(two.key)
    await administration.change_tenant(engine, "fleeting", "a test", disabled=False)
    assert (await callers.known(two.key)).tenant == "fleeting"


async def test_a_key_ends_when_it_was_said_to(engine: AsyncEngine, api: Any) -> None:
    callers = Callers(engine, Tokens(TokenRules("augment", 0.0, "tenant"), {"k": "s" * 40}), None)
    await account_queries.create_tenant(engine, "ending", "a test")
    issued = await administration.issue_key(engine, "ending", "a test", "short", "read")
    assert await callers.known(issued.key)
    await statement(engine, "UPDATE api_keys SET expires_at = now() - interval '1 s' WHERE id = :id", {"id": issued.row.id})
    assert await callers.known(issued.key)
    with pytest.raises(Unauthorized):  # one that has not seen it before
        await Callers(engine, Tokens(TokenRules("augment", 0.0, "tenant"), {}), None).known(issued.key)


async def test_limits_are_as_last_seen_while_the_database_is_away(shared_settings: Settings) -> None:
    now_s = 0.0
    gone = make_engine(shared_settings.database_url, pool_size=1)
    callers = Callers(gone, Tokens(TokenRules("augment", 0.0, "tenant"), {}), None, lambda: now_s)
    seen = await callers.tenant("default", 60.0)
    assert seen is not None
    now_s = 2 * FRESH_S
    async with contextlib.AsyncExitStack() as all_in_use:
        for _ in range(9):  # the pool and its overflow
            await all_in_use.enter_async_context(gone.connect())
        assert await callers.tenant("default", 0.05) is seen
        assert await callers.tenant("other", 0.05) is None
    await gone.dispose()


async def test_an_open_service_takes_keys_too_and_no_wrong_ones(shared_settings: Settings) -> None:
    keys = await make_keys(shared_settings.database_url, "visitor", "read")
    async with running_api(create_app(shared_settings)) as api:
        assert (await api.get("/v1/tenants")).status_code == 200
        assert (await api.get("/v1/tenants", headers=bearing(keys["read"]))).status_code == 403
        assert (await api.get("/v1/batches", headers=bearing("wrong"))).status_code == 401
    async with running_api(create_app(shared_settings.model_copy(update={"require_auth": True}))) as api:
        assert (await api.get("/v1/batches")).status_code == 401
        assert (await api.get("/v1/batches", headers=bearing(keys["read"]))).status_code == 200
        answer = await api.post("/v1/tokens", headers=bearing(keys["read"]))
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


async def test_a_key_ends_within_a_hundred_years(api: httpx2.AsyncClient, engine: AsyncEngine) -> None:
    admin = await make_tenant(api, "patient")
    for end in ("9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59Z", "2999-01-01T00:00:00+05:00"):
        answer = await api.post("/v1/keys", json={"name": "x", "expires_at": end}, headers=admin)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_error"), end
        assert answer.json()["pointer"] == "/expires_at"
    end = datetime.now(UTC) + timedelta(days=LONGEST_LIFE_DAYS - 1)
    elsewhere = end.astimezone(timezone(timedelta(hours=-14)))
    issued = await api.post("/v1/keys", json={"name": "long", "expires_at": elsewhere.isoformat()}, headers=admin)
    assert datetime.fromisoformat(issued.json()["expires_at"]) == end
    changes = (await api.get("/v1/audit", headers=admin)).json()["changes"]
    assert [change["detail"].get("name") for change in changes] == ["long", "first", None], "what is refused is not written"


async def test_keys_whose_end_has_no_date_here_are_listed(api: httpx2.AsyncClient, engine: AsyncEngine) -> None:
    """Earlier releases issued them."""
    admin = await make_tenant(api, "eternal")
    for end in ("10000-01-01 23:58:59+00", "infinity"):
        issued = await api.post("/v1/keys", json={"name": end}, headers=admin)
        values = {"id": issued.json()["id"], "end": end}
        await statement(engine, "UPDATE api_keys SET expires_at = CAST(:end AS timestamptz) WHERE id = :id", values)
        assert (await api.get("/v1/batches", headers=bearing(issued.json()["key"]))).status_code == 200
    answer = await api.get("/v1/keys", headers=admin)
    assert answer.status_code == 200
    assert [key["expires_at"] for key in answer.json()["keys"]] == ["9999-12-31T00:00:00Z"] * 2 + [None]


async def test_a_key_does_not_outlive_what_issued_it(api: httpx2.AsyncClient) -> None:
    admin = await make_tenant(api, "mortal")
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    issued = await api.post(
        "/v1/keys", json={"name": "ends", "role": "admin", "expires_at": end.isoformat()}, headers=admin
    )
    ends = bearing(issued.json()["key"])
    usual = await api.post("/v1/keys", json={"name": "child", "role": "admin"}, headers=ends)
    assert (usual.status_code, datetime.fromisoformat(usual.json()["expires_at"])) == (201, end)
    earlier = {"name": "earlier", "expires_at": (end - timedelta(minutes=1)).isoformat()}
    assert (await api.post("/v1/keys", json=earlier, headers=ends)).status_code == 201
    grandchild = await api.post("/v1/keys", json={"name": "grandchild"}, headers=bearing(usual.json()["key"]))
    assert datetime.fromisoformat(grandchild.json()["expires_at"]) == end
    for late in (end + timedelta(seconds=1), datetime(9999, 12, 31, tzinfo=UTC)):
        answer = await api.post("/v1/keys", json={"name": "late", "expires_at": late.isoformat()}, headers=ends)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), late
    token = (await api.post("/v1/tokens", json={"expires_in": 60}, headers=admin)).json()["access_token"]
    by_token = await api.post("/v1/keys", json={"name": "by token"}, headers=bearing(token))
    assert by_token.status_code == 201
    assert datetime.fromisoformat(by_token.json()["expires_at"]) - datetime.now(UTC) < timedelta(minutes=2)
    without = await api.post("/v1/keys", json={"name": "for good"}, headers=admin)
    assert (without.status_code, without.json()["expires_at"]) == (201, None)


async def test_nor_does_a_key_that_another_issuers_token_issued(api: httpx2.AsyncClient) -> None:
    await make_tenant(api, "guests")
    claims = {"iss": ISSUER, "aud": "augment", "sub": "bob", "tenant": "guests", "scope": "read submit admin"}
    for life_s, longest in ((60, timedelta(minutes=2)), (10**15, timedelta(days=LONGEST_LIFE_DAYS))):
        said = {**claims, "exp": int(time.time()) + life_s}
        headers = bearing(jwt.encode(said, PRIVATE, "ES256", headers={"kid": "one"}))
        for _ in range(600):  # the file of public keys is read beside the first requests
            if (issued := await api.post("/v1/keys", json={"name": "x"}, headers=headers)).status_code != 401:
                break
            await asyncio.sleep(0.05)
        assert issued.status_code == 201, issued.text
        assert datetime.fromisoformat(issued.json()["expires_at"]) - datetime.now(UTC) <= longest


async def test_the_first_key_of_a_tenant_does_not_outlive_the_operators(
    api: httpx2.AsyncClient, engine: AsyncEngine
) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    operator = await administration.issue_key(engine, "default", "a test", "for an hour", "operator", end)
    made = await api.post("/v1/tenants", json={"name": "hourly"}, headers=bearing(operator.key))
    assert datetime.fromisoformat(made.json()["key"]["expires_at"]) == end


async def test_tokens_that_are_issued_are_written_down(api: httpx2.AsyncClient) -> None:
    admin = await make_tenant(api, "noted")
    answer = await api.post("/v1/tokens", json={"scopes": ["read"], "expires_in": 60}, headers=admin)
    token = answer.json()["access_token"]
    audit = await api.get("/v1/audit", headers=admin)
    [issued, first, _] = audit.json()["changes"]
    assert (issued["action"], issued["actor"]) == ("issue_token", f"key {first['subject']}")
    assert issued["subject"] == jwt.decode(token, options={"verify_signature": False})["jti"]
    assert issued["detail"] == {"scopes": ["read"], "expires_in": 60}
    assert token.rpartition(".")[2] not in audit.text
    assert (await api.post("/v1/tokens", json={"expires_in": 10**6}, headers=admin)).status_code == 422
    assert (await api.get("/v1/audit", headers=admin)).json() == audit.json(), "what is refused is not written"
