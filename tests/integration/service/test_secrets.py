"""Secrets stay where they belong: a real process with all of them, asked in every way, tells none."""

from __future__ import annotations

import asyncio
from pathlib import Path

from service.settings import Settings
from service.system.programs import api_program, reconciler_program, worker_program
from tests.helpers.accounts import bearing, make_keys
from tests.helpers.http import batch_parts, jpeg
from tests.helpers.stack import running

OPERATOR = "operators-own-key-tell-nobody"
TOKENS = "k1:" + "tell-nobody-either-" * 3
GATEWAY = "gateway-secret-tell-nobody"


def test_no_secret_is_in_logs_answers_or_command_lines(settings: Settings) -> None:
    key = asyncio.run(make_keys(settings.database_url, "acme", "admin"))["admin"]
    demanding = {"api_key": OPERATOR, "token_keys": TOKENS, "seed_api": True, "seed_gateway_secret": GATEWAY}
    chatty = Settings(**{**settings.model_dump(), **demanding, "log_level": "debug"})
    answers = []
    with running(chatty, workers=0, reconciler=False, forked=False) as stack:
        ask = stack.client.request
        token = ask("POST", "/v1/tokens", headers=bearing(key)).json()["access_token"]
        issued = ask("POST", "/v1/keys", headers=bearing(key), json={"name": "another"}).json()["key"]
        secrets = [OPERATOR, TOKENS.partition(":")[2], GATEWAY, key, token, issued, token.rpartition(".")[2]]
        for secret in secrets:
            answers += [
                ask("GET", "/v1/batches", headers=bearing(secret)),
                ask("GET", "/v1/batches", headers=bearing(secret[:-1] + "~")),
                ask("GET", "/v1/keys", headers={"X-API-Key": secret}),
                ask("GET", f"/v1/batches?api_key={secret}"),
                ask("POST", "/v1/keys", headers=bearing(secret), json={"name": "x", secret: 1, "role": "root"}),
                ask("POST", "/v1/recipes", headers=bearing(secret), content=b"\xff"),
                ask("GET", "/v1/batches", headers={**bearing(secret), "Connection": "upgrade", "Upgrade": "websocket"}),
                ask("POST", "/users-api/sign-in", headers={"X-External-User-ID": "u", "X-Gateway-Secret": secret}),
            ]
        files = batch_parts({"a.jpg": jpeg(32, 32)}, {"recipe": {"steps": [{"op": "solarize"}]}})
        answers.append(ask("POST", "/v1/batches", headers=bearing(key), files=files))
        answers += [ask("GET", path, headers=bearing(OPERATOR)) for path in ("/metrics", "/v1/audit", "/v1/keys")]
        answers.append(ask("GET", "/openapi.json"))
        shown = Path(f"/proc/{stack.api.pid}/cmdline").read_bytes().decode()
        log = stack.api.program.log
        assert log is not None
    programs = [api_program(chatty, 0), reconciler_program(chatty), worker_program(chatty, "w")]
    shown += str([program.command for program in programs])
    written = log.read_text()
    assert '"path":"/v1/batches"' in written
    assert all(answer.status_code < 500 for answer in answers)
    for secret in secrets:
        assert secret not in written
        assert secret not in shown
        # what is repeated of an unknown field is the caller's own text, and goes to the caller alone
        assert not [answer for answer in answers if secret in answer.text and secret not in str(answer.request.content)]
    assert key not in repr(chatty)
    assert OPERATOR not in repr(chatty)
