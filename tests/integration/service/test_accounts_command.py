"""`augment accounts`: the operator's commands, straight in the database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from service.cli import app as command_line


def run(url: str, *words: str) -> Any:
    return CliRunner().invoke(command_line, ["accounts", *words], env={"DATABASE_URL": url}, catch_exceptions=True)


def test_the_operator_needs_no_service(database_url: str) -> None:
    made = run(database_url, "create", "shop")
    assert made.exit_code == 0, made.output
    issued = run(database_url, "issue", "shop", "--name", "camera", "--role", "read", "--days", "30", "--json")
    key = json.loads(issued.stdout)
    assert (key["role"], key["name"]) == ("read", "camera")
    plain = run(database_url, "issue", "shop")
    assert plain.stdout.strip().startswith("augk_")  # alone there, so that a script can take it
    assert [one["name"] for one in json.loads(run(database_url, "keys", "shop", "--json").stdout)] == [
        "command line",
        "camera",
        "first",
    ]
    assert run(database_url, "revoke", key["id"]).exit_code == 0
    assert json.loads(run(database_url, "keys", "shop", "--json").stdout)[1]["revoked_at"]
    assert run(database_url, "disable", "shop").exit_code == 0
    assert [one["name"] for one in json.loads(run(database_url, "list", "--json").stdout)] == ["default", "shop"]
    changes = json.loads(run(database_url, "audit", "shop", "--json").stdout)
    assert [one["action"] for one in changes] == [
        "change_tenant",
        "revoke_key",
        "issue_key",
        "issue_key",
        "issue_key",
        "create_tenant",
    ]
    assert {one["actor"] for one in changes} == {"command line"}
    assert key["key"] not in run(database_url, "keys", "shop").output
    too_long = ("issue", "shop", "--days", "36526")
    for words in (
        too_long, ("create", "shop"), ("keys", "none"), ("issue", "none"), ("disable", "default"), ("create", "A b"),
    ):  # fmt: skip
        failed = run(database_url, *words)
        assert failed.exit_code != 0
        assert "Traceback" not in failed.output


def test_a_folder_without_a_database_is_said_to_be_one(tmp_path: Path) -> None:
    failed = CliRunner().invoke(command_line, ["accounts", "list", "--data", str(tmp_path)], env={"DATABASE_URL": ""})
    assert "holds no database" in str(failed.exception)


def test_the_database_of_augment_up_is_found_in_its_folder(postgres_url: str, servers_folder: Path) -> None:
    found = run("", "list", "--data", str(servers_folder), "--json")
    assert [one["name"] for one in json.loads(found.stdout)] == ["default"]


def test_limits_of_a_tenant(database_url: str) -> None:
    run(database_url, "create", "shop")
    given = run(database_url, "limits", "shop", "max_stored_bytes=1000", "max_requests_per_minute=60")
    assert given.stdout == 'shop: {"max_stored_bytes": 1000, "max_requests_per_minute": 60}\n'
    for words in (["max_stored_bytes=0"], ["max_stored_bytes=many"], ["speed=1"], ["max_stored_bytes"]):
        assert run(database_url, "limits", "shop", *words).exit_code != 0
    assert run(database_url, "limits", "none", "max_stored_bytes=1").exit_code != 0
    [tenant] = [one for one in json.loads(run(database_url, "list", "--json").stdout) if one["name"] == "shop"]
    assert tenant["limits"] == {"max_requests_per_minute": 60, "max_stored_bytes": 1000}
    assert run(database_url, "limits", "shop").stdout == "shop: {}\n"
