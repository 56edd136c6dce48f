"""Settings: everything an operator can choose, read once from the environment and passed as an argument."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from batching import failpoints
from service.accounts import token_keys
from service.system.cannot_start import CannotStart

Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Days = Annotated[float, Field(ge=0, le=36_500)]

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
    disk_reserve_bytes: Annotated[int, Field(ge=0)] = 256 * 2**20
    """Room on the disks of that folder and of a local store that is kept for what was accepted: with less, pictures are
    refused with 507. 0: none."""

    host: str = "127.0.0.1"
    """Address the API listens on."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """Port the API listens on; 0 picks a free one."""
    api_key: SecretStr | None = None
    """The operator's key: stands for the tenant `default`, may do everything. Others are made by `augment accounts`."""
    require_auth: bool = False
    """Whether every request needs a key or token without `AUGMENT_API_KEY` too, and on loopback addresses too."""
    token_keys: SecretStr | None = None
    """Secrets of tokens that this service issues, as `ID:SECRET[,ID:SECRET...]`; the first signs, all of them verify."""
    token_life_s: Annotated[float, Field(ge=1, le=3600)] = 900.0
    """Longest life of a token that this service issues."""
    token_audience: Annotated[str, Field(min_length=1)] = "augment"  # noqa: S105 - it is no secret
    """What a token must name as its audience (`aud`)."""
    token_leeway_s: Annotated[float, Field(ge=0, le=120)] = 30.0
    """How far the clock of another issuer may be off."""
    jwks: str = ""
    """Public keys of another issuer of tokens: a file, or an https:// address, of a JWK set. Empty: there is none."""
    jwks_issuer: str = ""
    """Who issues the tokens that these keys verify (`iss`); required with `AUGMENT_JWKS`."""
    jwks_tenant_claim: Annotated[str, Field(min_length=1)] = "tenant"
    """Claim of those tokens that names the tenant."""
    jwks_refresh_s: Seconds = 300.0
    """Pause between two readings of the public keys; a token never causes one."""
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
    keep_batches_days: Days = 0
    """Days after its end that a batch is kept, with its pictures and results; 0: until it is deleted."""
    keep_images_days: Days = 0
    """Days that an uploaded picture is kept after its upload and its last use in a batch; 0: until it is deleted."""
    orphan_s: Annotated[float, Field(ge=600)] = 86_400
    """Age at which stored bytes that no row needs are removed; a request may take half as long."""
    output_cache: bool = True
    """Whether results that a tenant has already answer for the same picture, recipe, seed, name and variant again."""
    output_cache_days: Annotated[float, Field(gt=0, le=366)] = 7.0
    """Age up to which they do; each day is one more index to look into."""
    max_executions: Count = 5
    """Runs of one item before it is given up."""
    max_crashes: Count = 3
    """Deaths of the process that ran an item alone, in the sandbox, before it is given up."""
    sandbox: Literal["suspects", "always"] = "suspects"
    """What is decoded in sandboxed processes: what a worker died with, which is run there whole, or every picture."""
    sandbox_bytes: Count = 4 * 2**30
    """Most memory that one picture may take in the sandbox."""
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
    max_recipe_versions: Count = 10_000
    """Most versions of recipes that one tenant may keep, all names together."""
    max_waiting_items: Count = 1_000_000
    """Most unfinished items of one tenant; above it submits answer 429. This and what follows can differ by tenant."""
    max_interactive_items: Count = 256
    """Most unfinished interactive items of one tenant."""
    max_requests_per_minute: Count | None = None
    """Most requests of one tenant in a minute; above it they answer 429. Empty: any number."""
    max_pictures_per_minute: Count | None = None
    """Most pictures that one tenant may submit, or run again, in a minute. Empty: any number. One that is uploaded
    to be used later counts when it is used."""
    max_pixels_per_day: Count | None = None
    """Most estimated pixels of work that one tenant may submit on a day (UTC). Empty: any number. This and the next
    hold for workers too, where they fetch pictures by address."""
    max_stored_bytes: Count | None = None
    """Most bytes that one tenant may have stored: pictures as often as they were sent, and results. Empty: any number."""
    rate_timeout_s: Seconds = 0.05
    """Longest time that a request waits to be counted; where Redis takes longer, it is let in uncounted."""
    max_wait_s: Seconds = 60.0
    """Longest time that `Prefer: wait` is honoured."""
    body_timeout_s: Seconds = 60.0
    """Longest pause between two pieces of a request body."""

    url_sources: bool = False
    """Whether the pictures of a batch may be named by http and https addresses, which workers fetch."""
    url_ports: Annotated[tuple[int, ...], NoDecode] = (80, 443)
    """Ports that addresses may have, with commas between them."""
    url_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = ()
    """Networks beside the public internet that addresses may lead to, as 10.1.0.0/16, with commas between them."""
    url_timeout_s: Seconds = 10.0
    """Longest time to fetch one picture by its address."""

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

    @field_validator("token_keys")
    @classmethod
    def _token_keys(cls, given: SecretStr | None) -> SecretStr | None:
        if given is not None:
            token_keys.parse(given.get_secret_value())
        return given

    @field_validator("jwks")
    @classmethod
    def _private(cls, source: str) -> str:
        scheme, separator, rest = source.partition("://")
        if (
            separator
            and scheme != "https"
            and not (scheme == "http" and _is_loopback(rest.split("/")[0].rsplit(":", 1)[0]))
        ):
            raise ValueError("must be a file or begin with https://")
        return source

    @field_validator("url_ports", "url_networks", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("failpoints")
    @classmethod
    def _known_failpoints(cls, text: str) -> str:
        failpoints.parse(text)
        return text

    @model_validator(mode="after")
    def _guarded(self) -> Settings:
        if self.sandbox == "always" and self.jpeg_decoder != "cpu":
            raise ValueError("AUGMENT_SANDBOX=always decodes on the CPU, so AUGMENT_JPEG_DECODER must be cpu")
        if not self.loopback and self.api_key is None and not self.require_auth:
            raise ValueError(
                f"AUGMENT_API_KEY is required to listen on {self.host}, which is not a loopback address; "
                "or AUGMENT_REQUIRE_AUTH=1, with keys made by `augment accounts`"
            )
        if self.jwks and not self.jwks_issuer:
            raise ValueError("AUGMENT_JWKS_ISSUER is required with AUGMENT_JWKS")
        if not self.loopback and self.seed_api and self.seed_gateway_secret is None:
            raise ValueError("AUGMENT_SEED_GATEWAY_SECRET is required for AUGMENT_SEED_API on a non-loopback address")
        return self

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the API."""
        return _is_loopback(self.host)


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
            made[environment_name(field)] = written(value)
    return made


@lru_cache(maxsize=16)
def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def written(value: object) -> str:
    """A field's value as its environment variable has it."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _of_scheme(url: str, schemes: tuple[str, ...]) -> str:
    if url and url.partition("://")[0] not in schemes:
        raise ValueError(f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    return url


def _problem(found: ErrorDetails) -> str:
    if not found["loc"]:
        return found["msg"].removeprefix("Value error, ")
    name = environment_name(str(found["loc"][0])) if found["loc"][0] in Settings.model_fields else str(found["loc"][0])
    # secrets stay out of messages, and addresses may hold a password
    secret = isinstance(found["input"], SecretStr) or name.endswith(("KEY", "KEYS", "SECRET", "URL"))
    shown = "" if secret else f", not {str(found['input'])!r}"
    reason = found["msg"].removeprefix("Value error, ")
    return f"{name}: {reason[:1].lower()}{reason[1:]}{shown}"
