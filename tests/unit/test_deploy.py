"""The image and the compose file say what the code knows: settings, commands, ports, and the order of start."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from service.cli import app
from service.settings import Settings, environment_name, load
from service.system.programs import STOP_MARGIN_S

ROOT = Path(__file__).parents[2]
OURS = ("api", "worker", "reconciler", "migrate")
SETTINGS = {environment_name(field) for field in Settings.model_fields}
COMMANDS = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]  # a group, by its declaration


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.gpu.yml").read_text())
    return found


@pytest.fixture(scope="module")
def dockerfile() -> list[tuple[str, str]]:
    """Instructions in order, as (name, rest), continued lines joined."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile.cuda").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], " ".join(line.split(maxsplit=1)[1].split())) for line in lines]


def settings_of(compose: dict[str, Any], name: str) -> Settings:
    """What one of our services runs with, when the operator's variables are set."""
    environment = compose["services"][name]["environment"]
    return load({key: re.sub(r"\$\{[^}]*\}", "abc", value) for key, value in environment.items()})


def test_services(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {*OURS, "postgres", "redis"}
    images = {compose["services"][name]["image"] for name in OURS}
    assert len(images) == 1
    assert all(compose["services"][name]["build"]["dockerfile"] == "Dockerfile.cuda" for name in OURS)


def test_every_name_is_a_setting(compose: dict[str, Any]) -> None:
    for name in OURS:
        assert set(compose["services"][name]["environment"]) <= SETTINGS, name


@pytest.mark.parametrize("name", OURS)
def test_the_environment_loads(compose: dict[str, Any], name: str) -> None:
    settings = settings_of(compose, name)
    assert settings.database_url == "postgresql+psycopg://augment:abc@postgres:5432/augment"
    assert settings.redis_url.startswith("redis://redis:")
    assert settings.api_key is not None


def test_commands_are_ours(compose: dict[str, Any], dockerfile: list[tuple[str, str]]) -> None:
    for name in OURS:
        assert compose["services"][name]["command"][0] in COMMANDS
        test = compose["services"][name].get("healthcheck", {}).get("test")
        if test is not None:
            assert test[:2] == ["CMD", "augment"]
            assert test[2] in COMMANDS
    assert json.loads(dict(dockerfile)["ENTRYPOINT"]) == ["augment"]
    assert json.loads(dict(dockerfile)["CMD"])[0] in COMMANDS


def test_order_of_start(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name in ("postgres", "redis"):
        assert services[name]["healthcheck"]["test"]
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert services["migrate"]["restart"] == "no"
    for name in ("api", "worker", "reconciler"):
        assert services[name]["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"},
            "postgres": {"condition": "service_healthy"},
            "redis": {"condition": "service_healthy"},
        }


def test_the_worker_has_the_gpu(compose: dict[str, Any]) -> None:
    devices = compose["services"]["worker"]["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]
    assert all("deploy" not in compose["services"][name] for name in OURS if name != "worker")


def test_the_worker_may_drain(compose: dict[str, Any]) -> None:
    grace_s = int(compose["services"]["worker"]["stop_grace_period"].removesuffix("s"))
    assert grace_s > settings_of(compose, "worker").drain_s + STOP_MARGIN_S


def test_volumes(compose: dict[str, Any]) -> None:
    named = {volume.split(":")[0] for service in compose["services"].values() for volume in service.get("volumes", ())}
    assert named == set(compose["volumes"])
    folder = compose["services"]["api"]["environment"]["AUGMENT_STORE_URL"].removeprefix("file://")
    for name in OURS:
        assert f"store:{folder}" in compose["services"][name]["volumes"]


def test_only_this_machine_reaches_the_published_port(compose: dict[str, Any]) -> None:
    published = {port for service in compose["services"].values() for port in service.get("ports", ())}
    assert published == {"127.0.0.1:8000:8000"}


def test_image(dockerfile: list[tuple[str, str]]) -> None:
    bases = [rest.split()[0] for name, rest in dockerfile if name == "FROM"]
    assert all(re.fullmatch(r"nvidia/cuda:13\.0\.\d-runtime-ubuntu24\.04", base) for base in bases)
    last = dockerfile[[name for name, _ in dockerfile].index("FROM", 1) :]
    users = [rest for name, rest in last if name == "USER"]
    assert users == ["10001:10001"]
    names = [name for name, _ in last]
    assert names.index("USER") > max(index for index, name in enumerate(names) if name in ("RUN", "COPY"))
    assert "/readyz" in dict(last)["HEALTHCHECK"]
    environment = dict(part.split("=", 1) for name, rest in last if name == "ENV" for part in rest.split())
    assert {name for name in environment if name.startswith("AUGMENT_")} <= SETTINGS
    assert environment["AUGMENT_PORT"] == dict(last)["EXPOSE"]


def test_everything_that_is_installed_is_copied(dockerfile: list[tuple[str, str]]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = [name.removesuffix("*") for name in project["tool"]["setuptools"]["packages"]["find"]["include"]]
    copied = " ".join(rest for name, rest in dockerfile if name == "COPY").split()
    for name in (*packages, "pyproject.toml", "constraints.txt", "README.md", "LICENSE"):
        assert name in copied
        assert (ROOT / name).exists(), name


def test_pins_cover_every_requirement() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    pinned = {_normal(line.split("==")[0]) for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    assert {_normal(re.split(r"[\[<>=!~; ]", line)[0]) for line in wanted} <= pinned
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    assert {"torch==2.14.1", "torchvision==0.29.1"} <= set(pins)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
