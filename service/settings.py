"""Settings: everything an operator can choose, read once from the environment and passed as an argument."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from batching import failpoints
from service.system.cannot_start import CannotStart

Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]

PREFIX = "AUGMENT_"
NOT_SETTINGS = frozenset({"AUGMENT_URL"})
"""Read by the client commands, and allowed beside the settings of a server."""


class SettingsInvalid(CannotStart, ValueError):
    """Settings that cannot be used: one line for each problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class Settings(BaseSettings):
    """Each field is set by `AUGMENT_` and its name in capitals, but `DATABASE_URL` and `REDIS_URL`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", use_attribute_docstrings=True, populate_by_name=True
    )

    database_url: str = Field(default="", validation_alias=AliasChoices("DATABASE_URL", "database_url"))
    """PostgreSQL, as postgresql+psycopg://user:password@host/name. Empty: `augment up` starts its own."""
    redis_url: str = Field(default="", validation_alias=AliasChoices("REDIS_URL", "redis_url"))
    """Redis or Valkey, as redis://host:port/0 or unix:///path. Empty: `augment up` starts its own."""
    store_url: str = ""
    """Object store: file:///folder, s3://bucket/prefix or memory:// (tests only). Empty: a folder under `data`."""
    store_fsync: bool = False
    """Whether the local store waits for the disk; without it acknowledged pictures survive crashes, not power loss."""
    store_signed_reads: bool = True
    """Whether readers are sent on to an S3 store by a link signed for five minutes; else the API passes bytes on."""
    data: Path = Path("augment-data")
    """Folder of `augment up`: embedded servers, local store, logs. Nothing is written outside it."""

    host: str = "127.0.0.1"
    """Address the API listens on."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """Port the API listens on; 0 picks a free one."""
    api_key: SecretStr | None = None
    """Key that every request must carry (`Authorization: Bearer` or `X-API-Key`). Required on a non-loopback address."""
    seed_api: bool = False
    """Whether the seed's routes are served."""
    seed_gateway_secret: SecretStr | None = None
    """Value of `X-Gateway-Secret` that the seed's routes demand; required with them on a non-loopback address."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """What workers run pixels on; auto takes CUDA where there is one."""
    jpeg_decoder: Literal["cpu", "nvjpeg", "nvimagecodec"] = "cpu"
    """What decodes JPEG pictures that it can; the others need CUDA, give other bytes and miss damage."""
    workers: Annotated[int, Field(ge=0, le=256)] = 1
    """Worker processes that `augment up` and `augment worker` keep running."""
    threads: Annotated[int, Field(ge=0, le=256)] = 0
    """Engine threads of one worker process; 0 is one for each core it may use, divided among the workers."""
    micro_batch_pixels: Count = 24_000_000
    """Estimated pixels of work in one micro-batch."""
    micro_batch_items: Count = 64
    """Most pictures in one micro-batch."""
    lane_window: Count = 10_000
    """Most ids that one lane holds in Redis; the rest wait in PostgreSQL."""
    lease_s: Seconds = 30.0
    """How long a worker may hold an item without renewing; renewed every fifth of it."""
    slice_s: Seconds = 60.0
    """How long one RQ job serves before it enqueues itself again."""
    linger_s: Seconds = 2.0
    """How long an RQ job waits for more work on empty lanes before it ends."""
    drain_s: Seconds = 20.0
    """How long a worker may take to finish what it has begun after SIGTERM."""
    reconcile_s: Seconds = 1.0
    """Pause between two passes of the reconciler."""
    max_executions: Count = 5
    """Runs of one item before it is given up."""
    max_crashes: Count = 3
    """Worker deaths charged to one item before it is given up."""
    item_timeout_s: Seconds = 60.0
    """Longest time to run one item, all variants."""

    max_image_bytes: Count = 25 * 2**20
    """Largest picture file."""
    max_image_pixels: Count = 50_000_000
    """Most pixels of a picture."""
    max_image_side: Count = 16_384
    """Longest side of a picture, in pixels."""
    max_variants: Count = 64
    """Most variants of one picture."""
    max_output_pixels: Count = 200_000_000
    """Most output pixels of one item, all variants."""
    max_batch_items: Count = 10_000
    """Most pictures in one batch."""
    max_archive_bytes: Count = 20 * 2**30
    """Largest uploaded archive."""
    max_archive_ratio: Count = 20
    """Most times that an archive may grow when unpacked."""
    max_json_bytes: Count = 16 * 2**20
    """Largest JSON document in a request."""
    max_waiting_items: Count = 1_000_000
    """Most unfinished items of one tenant; above it submits answer 429."""
    max_interactive_items: Count = 256
    """Most unfinished interactive items of one tenant."""
    max_wait_s: Seconds = 60.0
    """Longest time that `Prefer: wait` is honoured."""
    body_timeout_s: Seconds = 60.0
    """Longest pause between two pieces of a request body."""

    log_format: Literal["console", "json"] = "json"
    """Form of the log lines."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe log line that is written."""
    failpoints: str = ""
    """Faults planted on purpose, as NAME=ACTION[,...] (tests only): actions are kill, stop, error, sleep:SECONDS."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)  # the environment is read in one place, `load`, which can be given another one

    @field_validator("database_url")
    @classmethod
    def _postgresql(cls, url: str) -> str:
        return _of_scheme(url, ("postgresql", "postgresql+psycopg", "postgres"))

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, url: str) -> str:
        return _of_scheme(url, ("redis", "rediss", "unix"))

    @field_validator("store_url")
    @classmethod
    def _store(cls, url: str) -> str:
        return _of_scheme(url, ("file", "s3", "memory"))

    @field_validator("failpoints")
    @classmethod
    def _known_failpoints(cls, text: str) -> str:
        failpoints.parse(text)
        return text

    @model_validator(mode="after")
    def _guarded(self) -> Settings:
        if not self.loopback and self.api_key is None:
            raise ValueError(f"AUGMENT_API_KEY is required to listen on {self.host}, which is not a loopback address")
        if not self.loopback and self.seed_api and self.seed_gateway_secret is None:
            raise ValueError("AUGMENT_SEED_GATEWAY_SECRET is required for AUGMENT_SEED_API on a non-loopback address")
        return self

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the API."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def environment_name(field: str) -> str:
    """The environment variable that sets a field."""
    return {"database_url": "DATABASE_URL", "redis_url": "REDIS_URL"}.get(field, PREFIX + field.upper())


def load(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Settings from the environment; `overrides` that are not None win. Errors: SettingsInvalid naming every problem."""
    names = os.environ if environment is None else environment
    known = {environment_name(field) for field in Settings.model_fields} | NOT_SETTINGS
    problems = [
        f"{name}: there is no such setting" for name in sorted(names) if name.startswith(PREFIX) and name not in known
    ]
    values = {field: names[environment_name(field)] for field in Settings.model_fields if environment_name(field) in names}
    values |= {name: value for name, value in overrides.items() if value is not None}
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsInvalid(problems + [_problem(found) for found in error.errors()]) from None
    if problems:
        raise SettingsInvalid(problems)
    return settings


def as_environment(settings: Settings) -> dict[str, str]:
    """The environment variables that make another process load the same settings."""
    made: dict[str, str] = {}
    for field in Settings.model_fields:
        value = getattr(settings, field)
        if value is not None:
            made[environment_name(field)] = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    return made


def _of_scheme(url: str, schemes: tuple[str, ...]) -> str:
    if url and url.partition("://")[0] not in schemes:
        raise ValueError(f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    return url


def _problem(found: ErrorDetails) -> str:
    if not found["loc"]:
        return found["msg"].removeprefix("Value error, ")
    name = environment_name(str(found["loc"][0])) if found["loc"][0] in Settings.model_fields else str(found["loc"][0])
    # secrets stay out of messages, and addresses may hold a password
    secret = isinstance(found["input"], SecretStr) or name.endswith(("KEY", "SECRET", "URL"))
    shown = "" if secret else f", not {str(found['input'])!r}"
    reason = found["msg"].removeprefix("Value error, ")
    return f"{name}: {reason[:1].lower()}{reason[1:]}{shown}"
