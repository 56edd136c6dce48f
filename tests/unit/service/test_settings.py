"""Settings: what the environment says, all problems at once, and the same settings in a child process."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import service
from service.settings import Settings, SettingsInvalid, as_environment, load


def test_defaults_need_nothing() -> None:
    assert load({}) == Settings()


def test_only_the_given_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUGMENT_PORT", "1234")
    assert load({}).port == 8000
    assert load().port == 1234


def test_overrides_win_where_they_are_given() -> None:
    assert load({"AUGMENT_PORT": "1", "AUGMENT_WORKERS": "2"}, port=3, workers=None).port == 3
    assert load({"AUGMENT_PORT": "1", "AUGMENT_WORKERS": "2"}, port=3, workers=None).workers == 2


def test_every_problem_is_in_one_message() -> None:
    with pytest.raises(SettingsInvalid) as caught:
        load({"AUGMENT_PORT": "many", "AUGMENT_WORKERS": "-1", "AUGMENT_DEVICE": "tpu", "AUGMENT_COLOUR": "blue"})
    assert len(caught.value.problems) == 4
    for name in ("AUGMENT_PORT", "AUGMENT_WORKERS", "AUGMENT_DEVICE", "AUGMENT_COLOUR"):
        assert name in str(caught.value)


def test_a_secret_is_not_in_the_message() -> None:
    with pytest.raises(SettingsInvalid) as caught:
        load({"AUGMENT_PORT": "many", "AUGMENT_API_KEY": "tell-nobody"})
    assert "tell-nobody" not in str(caught.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_a_key_is_required_where_others_can_reach_us(host: str) -> None:
    with pytest.raises(SettingsInvalid, match="AUGMENT_API_KEY"):
        load({"AUGMENT_HOST": host})
    assert load({"AUGMENT_HOST": host, "AUGMENT_API_KEY": "k"}).host == host
    assert load({"AUGMENT_HOST": host, "AUGMENT_REQUIRE_AUTH": "1"}).api_key is None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_none_is_required_on_this_machine_alone(host: str) -> None:
    assert load({"AUGMENT_HOST": host}).api_key is None


def test_seed_routes_need_their_secret_in_public() -> None:
    with pytest.raises(SettingsInvalid, match="AUGMENT_SEED_GATEWAY_SECRET"):
        load({"AUGMENT_HOST": "0.0.0.0", "AUGMENT_API_KEY": "k", "AUGMENT_SEED_API": "1"})


def test_secrets_of_tokens_are_in_no_message() -> None:
    with pytest.raises(SettingsInvalid, match="AUGMENT_TOKEN_KEYS") as caught:
        load({"AUGMENT_TOKEN_KEYS": "k:tell-nobody"})
    assert "tell-nobody" not in str(caught.value)


@pytest.mark.parametrize("source", ["http://issuer.example/keys", "ftp://issuer.example", "http://10.0.0.1:80/keys"])
def test_keys_of_another_issuer_come_over_a_private_line(source: str) -> None:
    with pytest.raises(SettingsInvalid, match="AUGMENT_JWKS"):
        load({"AUGMENT_JWKS": source, "AUGMENT_JWKS_ISSUER": "i"})
    with pytest.raises(SettingsInvalid, match="AUGMENT_JWKS_ISSUER"):
        load({"AUGMENT_JWKS": "https://issuer.example/keys"})
    for right in ("https://issuer.example/keys", "http://127.0.0.1:80/keys", "http://localhost/keys", "/etc/keys.json"):
        assert load({"AUGMENT_JWKS": right, "AUGMENT_JWKS_ISSUER": "i"}).jwks == right


def test_usual_names_of_the_servers() -> None:
    settings = load({"DATABASE_URL": "postgresql+psycopg://h/d", "REDIS_URL": "redis://h"})
    assert (settings.database_url, settings.redis_url) == ("postgresql+psycopg://h/d", "redis://h")


def test_a_child_process_loads_the_same() -> None:
    settings = Settings(
        api_key="k",
        token_keys=f"k:{'s' * 40}",
        data=Path("/somewhere else"),
        lease_s=2.5,
        store_fsync=True,
        workers=3,
        failpoints="leased=kill",
    )
    assert load(as_environment(settings)) == settings
    assert load(as_environment(Settings())) == Settings()


def test_names_that_the_client_reads_are_no_mistake() -> None:
    assert load({"AUGMENT_URL": "http://somewhere"}) == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://user:hunter2@h/d"),
        ("REDIS_URL", "http://:hunter2@h"),
        ("AUGMENT_STORE_URL", "ftp://hunter2@h"),
    ],
)
def test_addresses_are_of_a_known_kind(name: str, value: str) -> None:
    with pytest.raises(SettingsInvalid, match=f"{name}: must begin with") as caught:
        load({name: value})
    assert "hunter2" not in str(caught.value)


def test_failpoints_are_checked() -> None:
    with pytest.raises(SettingsInvalid, match="AUGMENT_FAILPOINTS"):
        load({"AUGMENT_FAILPOINTS": "nowhere=kill"})
    assert load({"AUGMENT_FAILPOINTS": "leased=kill,ran=sleep:2"}).failpoints


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_is_read_somewhere(field: str) -> None:
    read = re.compile(rf"settings\.{field}\b")
    root = Path(service.__file__).parent
    assert any(read.search(file.read_text()) for file in root.rglob("*.py")), field


def test_lists_are_written_with_commas() -> None:
    given = {"AUGMENT_URL_PORTS": "80, 8080", "AUGMENT_URL_NETWORKS": "10.1.0.0/16,fd00::/8"}
    settings = load(given)
    assert settings.url_ports == (80, 8080)
    assert [str(network) for network in settings.url_networks] == ["10.1.0.0/16", "fd00::/8"]
    assert load(as_environment(settings)) == settings
    assert load({}).url_networks == ()
    with pytest.raises(SettingsInvalid, match="AUGMENT_URL_NETWORKS"):
        load({"AUGMENT_URL_NETWORKS": "10.1.0.1/16"})
