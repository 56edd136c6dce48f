"""`augment doctor`: what is there, what is missing, in words and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from service.cli import app
from service.system import doctor


def verdicts(database_url: str, redis_url: str) -> dict[str, tuple[str, str]]:
    return {finding.topic: (finding.verdict, finding.detail) for finding in doctor.servers(database_url, redis_url)}


def test_servers_that_answer(database_url: str, redis_url: str) -> None:
    found = verdicts(database_url, redis_url)
    assert found["postgresql"] == ("ok", "version 18, answers")
    assert found["redis"][0] == "ok"
    assert "Valkey" in found["redis"][1]


def test_a_database_without_tables(database_url: str) -> None:
    with psycopg.connect(database_url.replace("+psycopg", "", 1), autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
    verdict, detail = verdicts(database_url, "")["postgresql"]
    assert verdict == "problem"
    assert "augment migrate" in detail


def test_servers_that_do_not_answer(tmp_path: Path) -> None:
    found = verdicts("postgresql+psycopg://u@127.0.0.1:1/d", f"unix://{tmp_path}/none")
    assert found["postgresql"][0] == found["redis"][0] == "problem"


def test_embedded_servers() -> None:
    assert {verdict for verdict, _ in verdicts("", "").values()} == {"ok"}


def test_all_of_it_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AUGMENT_DATA", str(tmp_path / "data"))
    done = CliRunner().invoke(app, ["doctor", "--json"])
    document = json.loads(done.stdout)
    assert done.exit_code == 0, document
    assert document["ok"] is True
    topics = {finding["topic"] for finding in document["findings"]}
    assert {"python", "torch", "kornia", "device", "jpeg", "png", "webp", "postgresql", "redis", "disk"} <= topics
    assert not (tmp_path / "data").exists()


def test_the_status_says_that_something_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql+psycopg://u@127.0.0.1:1/d")
    done = CliRunner().invoke(app, ["doctor", "--only", "servers"])
    assert done.exit_code == 1
    assert "PROBLEM  postgresql" in done.stdout
